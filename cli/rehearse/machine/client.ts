import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { startLifeline } from "./lifeline";
import { findNix, nixConf, type Nix } from "./nix";

/** Settings of this computer's ssh that break every connection to the machine: a deployment must not read them. */
const hostileSshConfig = `Host 127.0.0.1
  ProxyCommand /bin/false
  IdentityFile /nonexistent
`;

/**
 * The place that deployments are run from: this computer, except that /nix is an empty one of its own, the commands
 * on PATH are Nix, the double of nixos-rebuild and the system's, and home and cache are folders of its own.
 */
export interface Client {
  /** A folder for the test, with a space in its name: everything must work where paths have spaces. */
  folder: string;
  nix: Nix;
  /** The environment of a program on the client. */
  env: NodeJS.ProcessEnv;
  /** Adds to the ssh settings of the client's user, which the machine's own connections must not heed. */
  addSshConfig(section: string): void;
  /** What to start so that `command` runs on the client in `folder`; it becomes the process, so signals reach it. */
  command(folder: string, command: string, args: string[]): [string, string[]];
  /** The command lines of all programs that run on the client. */
  processes(): string[];
  stop(): Promise<void>;
}

export async function startClient(): Promise<Client> {
  const nix = findNix();
  if (typeof nix === "string") {
    throw new Error(nix);
  }
  // The namespace's own mounts need a plain path; what a deployment sees has a space in it.
  const base = fs.mkdtempSync(path.join(os.tmpdir(), "bench-client-"));
  const folder = path.join(base, "a folder");
  const bin = path.join(folder, "bin");
  const folders = ["home", "cache", "state", "config", "tmp", "bin", "nix-conf"];
  for (const name of folders) {
    fs.mkdirSync(path.join(folder, name), { recursive: true });
  }
  fs.writeFileSync(path.join(folder, "nix-conf", "nix.conf"), nixConf);
  fs.symlinkSync(path.join(__dirname, "nixos-rebuild"), path.join(bin, "nixos-rebuild"));
  fs.symlinkSync(process.execPath, path.join(bin, "node"));

  const sshConfig = path.join(base, "ssh_config");
  fs.writeFileSync(sshConfig, hostileSshConfig);

  const lifeline = await startLifeline(path.join(__dirname, "client.sh"), base).catch((error: unknown) => {
    fs.rmSync(base, { recursive: true, force: true });
    throw error;
  });
  return {
    folder,
    nix,
    env: {
      PATH: [bin, nix.bin, "/usr/sbin", "/usr/bin", "/sbin", "/bin"].join(path.delimiter),
      HOME: path.join(folder, "home"),
      XDG_CACHE_HOME: path.join(folder, "cache"),
      XDG_STATE_HOME: path.join(folder, "state"),
      XDG_CONFIG_HOME: path.join(folder, "config"),
      TMPDIR: path.join(folder, "tmp"),
      NIX_CONF_DIR: path.join(folder, "nix-conf"),
      NIXOS_REBUILD_DOUBLE_LOG: path.join(folder, "nixos-rebuild.log"),
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_CONFIG_SYSTEM: "/dev/null",
      LC_ALL: "C.UTF-8",
    },
    addSshConfig: (section) => fs.appendFileSync(sshConfig, section),
    // nsenter and env both replace themselves by what they start.
    command: (folder, command, args) => [
      "nsenter",
      ["--target", String(lifeline.pid), "--mount", "--", "/usr/bin/env", `--chdir=${folder}`, command, ...args],
    ],
    processes: () => processesWith(`HOME=${path.join(folder, "home")}`),
    async stop() {
      await lifeline.stop();
      fs.rmSync(base, { recursive: true, force: true });
    },
  };
}

/**
 * Command lines of the processes that have a variable in their environment; a namespace would not do to tell them,
 * since Nix goes into one of its own.
 */
function processesWith(variable: string): string[] {
  return fs
    .readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const environment = fs.readFileSync(`/proc/${name}/environ`, "utf8").split("\0");
        const commandLine = fs.readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim();
        return environment.includes(variable) && commandLine !== "" ? [commandLine] : [];
      } catch {
        return []; // It has ended.
      }
    });
}
