import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { startLifeline } from "./lifeline";
import { findNix, nixConf, type Nix } from "./nix";

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
  /** What to start so that `command` runs on the client in `folder`; it becomes the process, so signals reach it. */
  command(folder: string, command: string, args: string[]): [string, string[]];
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
    // nsenter and env both replace themselves by what they start.
    command: (folder, command, args) => [
      "nsenter",
      ["--target", String(lifeline.pid), "--mount", "--", "env", `--chdir=${folder}`, command, ...args],
    ],
    async stop() {
      await lifeline.stop();
      fs.rmSync(base, { recursive: true, force: true });
    },
  };
}
