import { spawnSync } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { hasCommand } from "../commands";
import { WAIT_MILLISECONDS } from "../limits.cjs";
import { makeKeyPair, type KeyPair } from "./keys";
import { startLifeline, type Lifeline } from "./lifeline";
import { findNix, nixConf, type Nix } from "./nix";
import { writeFlake } from "./project";
import { output, run, type Result, type RunOptions } from "../processes";

/**
 * A machine on this computer, as near to a fresh NixOS instance as Debian allows: a real systemd as PID 1 in
 * namespaces of its own, a real OpenSSH server that it runs on a loopback port, a real Nix with its own /nix, and an
 * installed first system (a stub: see flake/). See machine.sh for how it is kept apart from this computer.
 */
export interface Machine {
  host: "127.0.0.1";
  port: number;
  /** The host key it really has, public half: what a deployment pins. */
  hostPublicKey: string;
  /** Root may log in with this key, and /var/lib/id_ed25519 is its private half. */
  login: KeyPair;
  /** The Nix at both ends. */
  nix: Nix;
  /** The store path of the first system. */
  initialSystem: string;
  /** Runs a bash script on the machine as root, not through its SSH server. */
  run(script: string, options?: RunOptions): Promise<Result>;
  /** The same, must succeed; its standard output without the last newline. */
  output(script: string, options?: RunOptions): Promise<string>;
  /**
   * Takes the machine's power away and starts it again: with its disk as it was, with the system that its boot loader
   * names, and without anything that was in memory.
   */
  restart(): Promise<void>;
  /** Takes the machine away and waits until it is gone. */
  stop(): Promise<void>;
}

export interface MachineOptions {
  /** Size of the machine's /nix in MiB (default: 512). */
  nixMegabytes?: number;
  /** Whether the SSH server runs from the start (default: true). */
  sshd?: boolean;
  /**
   * Whether it has a network of its own (default: this computer's): it can have a firewall then, and nothing of it can be
   * reached from outside.
   */
  ownNetwork?: boolean;
  /** What /var/lib/id_ed25519 holds: the login key, nothing, or no such file (default: "login"). */
  identity?: "login" | "empty" | "absent";
}

/** Why there can be no machine on this computer, in a sentence; undefined when there can be one. */
export function canRunMachine(): string | undefined {
  if (process.platform !== "linux") {
    return `the loopback machine needs Linux; this is ${process.platform}`;
  }
  if (process.getuid?.() !== 0) {
    return "the loopback machine needs root (for mount and process namespaces)";
  }
  const missing = ["/lib/systemd/systemd", "/usr/sbin/sshd", "/usr/bin/dbus-daemon", "/etc/ssh/ssh_config"].filter(
    (file) => !fs.existsSync(file),
  );
  if (missing.length > 0) {
    return `the loopback machine needs ${missing.join(", ")} (Debian: apt-get install systemd openssh-server openssh-client dbus)`;
  }
  // Some of them on the machine, which has the programs of this computer.
  const commands = ["unshare", "nsenter", "setpriv", "ssh", "ssh-keygen", "git", "jq", "curl", "openssl"];
  const absent = commands.filter((name) => !hasCommand(name));
  if (absent.length > 0) {
    return `the loopback machine needs ${absent.join(", ")} on PATH (Debian: apt-get install util-linux openssh-client git jq curl openssl)`;
  }
  const nix = findNix();
  if (typeof nix === "string") {
    return nix;
  }
  return probeNamespaces();
}

/** Tries what machine.sh does first and what containers without privileges forbid. */
function probeNamespaces(): string | undefined {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "bench-probe-"));
  try {
    const script = `
      mount -t tmpfs tmpfs "$1" && mkdir "$1"/{upper,work,root,cgroup} &&
      mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" overlay "$1/root" &&
      mount -t cgroup2 none "$1/cgroup"`;
    const probe = spawnSync(
      "unshare",
      ["--mount", "--propagation", "private", "--pid", "--fork", "bash", "-c", script, "probe", folder],
      { encoding: "utf8", timeout: WAIT_MILLISECONDS },
    );
    if (probe.status !== 0) {
      const why = probe.error?.message ?? probe.stderr.trim().split("\n")[0];
      return `the loopback machine needs namespaces, an overlay and cgroup2: ${why}`;
    }
    return undefined;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** Starts a machine and waits until its SSH server listens. `canRunMachine` says beforehand whether it can. */
export async function startMachine(options: MachineOptions = {}): Promise<Machine> {
  const { nixMegabytes = 512, sshd = true, identity = "login", ownNetwork = false } = options;
  const nix = findNix();
  if (typeof nix === "string") {
    throw new Error(nix);
  }
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), `bench-machine-${process.pid}-`));
  const login = await makeKeyPair(folder);
  const hostKey = await makeKeyPair(folder);
  const port = await freePort();

  fs.writeFileSync(path.join(folder, "nix-size"), `${nixMegabytes}m`);
  fs.writeFileSync(path.join(folder, "network"), ownNetwork ? "own" : "shared");
  fs.writeFileSync(path.join(folder, "nix-folder"), nix.folder);
  fs.writeFileSync(path.join(folder, "authorized_keys"), `${login.publicKey}\n`);
  writeSystemFiles(path.join(folder, "etc"), { nix, port, hostKey, ownNetwork });
  writeFlake(path.join(folder, "etc", "bench", "flake"));

  let lifeline: Lifeline | undefined;
  try {
    lifeline = await startLifeline(path.join(__dirname, "machine.sh"), folder);
    const machine = new LoopbackMachine(folder, lifeline, nix, port, hostKey.publicKey, login, ownNetwork);
    await machine.install(identity === "absent" ? undefined : identity === "empty" ? "" : login.privateKey, sshd);
    return machine;
  } catch (error) {
    await lifeline?.stop();
    fs.rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

class LoopbackMachine implements Machine {
  readonly host = "127.0.0.1";
  initialSystem = "";

  constructor(
    private readonly folder: string,
    private readonly lifeline: Lifeline,
    readonly nix: Nix,
    readonly port: number,
    readonly hostPublicKey: string,
    readonly login: KeyPair,
    private readonly ownNetwork: boolean,
  ) {}

  private enter(script: string): [string, string[]] {
    // A login's PATH on NixOS first; the rest is for the tests themselves.
    const PATH = `${this.nix.bin}:/usr/sbin:/usr/bin:/sbin:/bin`;
    const namespaces = ["--mount", "--pid", "--ipc", "--uts", "--cgroup", ...(this.ownNetwork ? ["--net"] : [])];
    const command = ["/usr/bin/env", "-i", `PATH=${PATH}`, "HOME=/root", "bash", "-euc", script];
    return ["nsenter", ["--target", String(this.lifeline.pid), ...namespaces, "--", ...command]];
  }

  run(script: string, options: RunOptions = {}): Promise<Result> {
    return run(...this.enter(script), options);
  }

  output(script: string, options: RunOptions = {}): Promise<string> {
    return output(...this.enter(script), options);
  }

  async install(identity: string | undefined, sshd: boolean): Promise<void> {
    this.initialSystem = await this.output(`
      until systemctl is-active --quiet bench.target 2>/dev/null; do sleep 0.05; done
      system=$(nix build --no-link --print-out-paths \\
        path:/etc/bench/flake#nixosConfigurations.initial.config.system.build.toplevel)
      nix-env --profile /nix/var/nix/profiles/system --set "$system"
      "$system/bin/switch-to-configuration" switch
      ln -sfn "$system" /run/booted-system
      ${sshd ? "" : "systemctl stop sshd.service"}
      ${this.ownNetwork ? ": >/run/bench/own-network" : ""}
      : >/var/lib/bench/activations
      echo "$system"`);
    if (identity !== undefined) {
      await this.output("umask 377; cat >/var/lib/id_ed25519", { input: identity });
    }
    if (sshd) {
      await this.output(`until ss -Hltn "sport = :${this.port}" | grep -q LISTEN; do sleep 0.02; done`);
    }
  }

  async restart(): Promise<void> {
    await this.lifeline.restart();
    await this.output("until systemctl is-active --quiet bench.target 2>/dev/null; do sleep 0.05; done");
  }

  async stop(): Promise<void> {
    await this.lifeline.stop();
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

/** What is laid over this computer's /etc on the machine. */
function writeSystemFiles(
  etc: string,
  machine: { nix: Nix; port: number; hostKey: KeyPair; ownNetwork: boolean },
): void {
  const { nix, port, hostKey, ownNetwork } = machine;
  const files: Record<string, string> = {
    hostname: "bench\n",
    "nix/nix.conf": nixConf,
    "ssh/ssh_host_ed25519_key": hostKey.privateKey,
    // As on NixOS, where a command sent over SSH finds what the current system has, and nothing else.
    "ssh/sshd_config": `Port ${port}
ListenAddress ${ownNetwork ? "0.0.0.0" : "127.0.0.1"}
Include /etc/ssh/bench.conf
HostKey /etc/ssh/ssh_host_ed25519_key
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
LogLevel VERBOSE
SetEnv PATH=/run/wrappers/bin:/root/.nix-profile/bin:/nix/var/nix/profiles/default/bin:/run/current-system/sw/bin
`,
    // As on NixOS, where a transient unit finds systemd's own commands on PATH and no others.
    "systemd/system.conf": "[Manager]\nDefaultEnvironment=PATH=/run/bench/systemd\n",
    "systemd/system/bench.target": `[Unit]
Requires=basic.target bench-paths.service
Wants=dbus.socket sshd.service systemd-journald.service
After=basic.target bench-paths.service
`,
    // What NixOS's first programs do: the system that the boot loader names becomes the one that runs.
    "systemd/system/bench-paths.service": `[Unit]
DefaultDependencies=no
Before=basic.target
[Service]
Type=oneshot
RemainAfterExit=true
Environment=PATH=/usr/bin
ExecStart=/usr/bin/bash /etc/bench/boot.sh
ExecStart=/usr/bin/mkdir -p /run/bench/systemd
ExecStart=/usr/bin/ln -s ${nix.bin} /run/bench/nix
ExecStart=/usr/bin/ln -s /usr/bin/systemctl /usr/bin/systemd-run /usr/bin/journalctl /run/bench/systemd
`,
    "bench/boot.sh": `[[ -e /boot/loader/default ]] || exit 0
system=$(</boot/loader/default)
ln -s "$system" /run/current-system
ln -s "$system" /run/booted-system
`,
    // A session outlives the server, as Debian and NixOS set it.
    "systemd/system/sshd.service": `[Service]
ExecStart=/usr/sbin/sshd -D -e
KillMode=process
RuntimeDirectory=sshd
RuntimeDirectoryPreserve=yes
`,
  };
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(etc, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, content, { mode: name.endsWith("_key") ? 0o600 : 0o644 });
  }
}

/** A loopback port that nobody listens on, and below those that outgoing connections are given. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    if (await isFree(port)) {
      return port;
    }
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.on("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
