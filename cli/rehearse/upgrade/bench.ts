import { randomInt, randomUUID } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { makeKeyPair, startMachine, type KeyPair, type Machine, type MachineOptions } from "../machine";
import { configured } from "./evaluate";
import { programs, quote, script, sourced, sourcedFiles, type Programs } from "./programs";

/** What the repository says the system does; see flake/ and cli/rehearse/machine/flake/. */
export interface Push {
  /** The system's behaviour (default: a good one). */
  behaviour?: string;
  /** A health check that the new system brings along (default: none, so the running one's is used). */
  health?: string;
  /** Checks of its own that the new system has, by name: the files as the module writes them. */
  checks?: Record<string, object>;
  /** Says that deployments may be locked out. */
  meansLockout?: boolean;
  /** Leaves the system as it is, and changes only a file beside it. */
  readmeOnly?: boolean;
  /** Rewrites history: the new revision follows this one instead of the newest. */
  onto?: string;
}

/** What `/status.json` says. */
export interface Status {
  state: string;
  healthy: boolean;
  summary: string;
  revision: string | null;
  wanted: string | null;
  phase: string | null;
  since: string | null;
  commit: string | null;
  lastCheck: string | null;
  lastSuccess: string | null;
  lastError: { kind: string; message?: string; since: string } | null;
  nextTry: string | null;
  tokenExpires: string | null;
  freeDiskBytes: number;
  rebootNeeded: boolean;
  problems?: string[];
}

/**
 * A machine with the upgrade's real programs on it, in units such as the module declares, and the repository that it
 * follows, which a second real SSH server hands out under GitHub's name. Only the name's address, the pinned host key
 * and a few times differ from what the module sets.
 */
export interface UpgradeBench {
  machine: Machine;
  /** The address of this bench that github.com and api.github.com stand for on the machine. */
  address: string;
  /** Commits and pushes; the revision. */
  push(what?: Push): Promise<string>;
  /** Changes settings of the programs from now on. */
  set(settings: Record<string, string>): Promise<void>;
  /** Has the programs of another checkout from now on, as after the installation of one. */
  use(version: Version): Promise<void>;
  /** Changes what the modules are told, as a new system does. */
  configure(configuration: object): Promise<void>;
  /** Runs the unit as its timer would; whether it succeeded. */
  poll(unit?: string): Promise<boolean>;
  status(): Promise<Status>;
  state(): Promise<Record<string, never>>;
  current(): Promise<string>;
  /** What git, nix, nix-store, nix-env and curl were called with since the last call. */
  calls(): Promise<string[]>;
  /** The journal of a unit since the start. */
  journal(unit?: string): Promise<string>;
  stop(): Promise<void>;
}

/** The upgrade's programs of a checkout, and the files that they source. */
export interface Version {
  programs: Programs;
  files: Record<string, string>;
}

/** The settings that differ on the bench. */
const settings = {
  ...Object.fromEntries(Object.entries(sourced).map(([name, file]) => [name, `/etc/upgrade/${file}`])),
  UPGRADE_KNOWN_HOSTS: "/etc/upgrade/known_hosts",
  // Each upgrade waits that long, healthy or not.
  UPGRADE_HEALTH_SECONDS: "3",
  // Its web server is another test's business (page.spec.ts).
  UPGRADE_HEALTH_UNITS: "sshd.service",
  UPGRADE_HEALTH_URL: "",
};

const tools = ["git", "nix", "nix-store", "nix-env", "curl"];

export async function startUpgradeBench(
  configuration: object = configured,
  options: MachineOptions = {},
  version: Version = { programs, files: sourcedFiles() },
): Promise<UpgradeBench> {
  const machine = await startMachine(options);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "upgrade-bench-"));
  // The network is this computer's, so that each bench takes an address of the loopback range for itself.
  const address = `127.${randomInt(64, 128)}.${randomInt(256)}.${randomInt(1, 255)}`;
  try {
    const bench = new Bench(machine, address, folder, await makeKeyPair(folder), configuration, version);
    await bench.install();
    return bench;
  } catch (error) {
    await machine.stop();
    fs.rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

class Bench implements UpgradeBench {
  private overrides: Record<string, string>;

  constructor(
    readonly machine: Machine,
    readonly address: string,
    private readonly folder: string,
    private readonly hostKey: KeyPair,
    private configuration: object,
    private version: Version,
  ) {
    this.overrides = { ...settings, UPGRADE_HEALTH_SSH_PORT: String(machine.port) };
  }

  private async write(files: Record<string, string>, mode = "644"): Promise<void> {
    for (const [name, content] of Object.entries(files)) {
      const file = quote(name);
      await this.machine.output(`mkdir -p "$(dirname ${file})"; cat >${file}; chmod ${mode} ${file}`, {
        input: content,
      });
    }
  }

  async install(): Promise<void> {
    const { machine, address } = this;
    const flake = path.join(__dirname, "flake");
    const stub = path.join(__dirname, "../machine/flake");
    const read = (name: string, from = flake) => fs.readFileSync(path.join(from, name), "utf8");
    await this.write({
      "/etc/upgrade/known_hosts": `github.com ${this.hostKey.publicKey}\n`,
      "/etc/githost/authorized_keys": `restrict ${machine.login.publicKey}\n`,
      "/etc/githost/sshd_config": `ListenAddress ${address}:22
HostKey /etc/githost/key
PidFile none
UsePAM no
PasswordAuthentication no
AuthorizedKeysFile /etc/githost/authorized_keys
AllowUsers git
ForceCommand /etc/githost/serve
`,
      "/etc/systemd/system/githost.service": `[Service]
ExecStart=/usr/sbin/sshd -D -e -f /etc/githost/sshd_config
KillMode=mixed
RuntimeDirectory=sshd
RuntimeDirectoryPreserve=yes
`,
      "/etc/gitconfig": "[safe]\n  directory = *\n[user]\n  name = bench\n  email = bench@example.invalid\n",
      "/srv/work/nix/flake.nix": read("flake.nix"),
      "/srv/work/nix/build.sh": read("build.sh"),
      "/srv/work/nix/build-system.sh": read("build-system.sh", stub),
      "/srv/work/nix/switch-to-configuration.sh": read("switch-to-configuration.sh", stub),
      "/srv/work/nix/platform": `${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux`,
    });
    await this.write({ "/etc/githost/key": this.hostKey.privateKey }, "600");
    // Serves a repository by the name that it has on GitHub, and answers as GitHub does when there is none.
    await this.write(
      {
        "/etc/githost/serve": `#!/bin/bash
read -r _ name <<<"$SSH_ORIGINAL_COMMAND"
name=\${name//\\'/}
if [[ ! -d /srv/git/\${name#/}.git ]]; then
  echo "ERROR: Repository not found." >&2
  exit 1
fi
exec git-upload-pack "/srv/git/\${name#/}.git"
`,
      },
      "755",
    );
    await this.writeUnits();
    await this.set({});
    await machine.output(`
      echo 'git:x:990:990::/srv/git:/bin/bash' >>/etc/passwd
      echo 'git:*:19000::::::' >>/etc/shadow
      sed -i '/github/d' /etc/hosts
      echo '${address} github.com api.github.com' >>/etc/hosts
      git init --quiet --bare --initial-branch=main /srv/git/octocat/site.git
      git -C /srv/work init --quiet --initial-branch=main
      git -C /srv/work remote add origin /srv/git/octocat/site.git
      systemctl daemon-reload
      systemctl start githost.service
      until ss -Hltn "src ${address}:22" | grep -q LISTEN; do sleep 0.02; done`);
  }

  // The module's own settings of the services, and around them what NixOS would add.
  private async writeUnits(): Promise<void> {
    const PATH = `/etc/upgrade/bin:/etc/upgrade/log:${this.machine.nix.bin}:/usr/sbin:/usr/bin:/sbin:/bin`;
    const unit = (program: string, more = "") => `[Unit]
StartLimitIntervalSec=0
${more}
[Service]
Type=oneshot
Environment=PATH=${PATH}
Environment=HOME=/root
ExecStart=/etc/upgrade/bin/${program}
StateDirectory=nixos-upgrade
StateDirectoryMode=0700
OOMPolicy=continue
`;
    await this.write({
      "/etc/systemd/system/nixos-upgrade.service": unit("nixos-upgrade"),
      "/etc/systemd/system/nixos-upgrade.timer":
        "[Timer]\nOnCalendar=*:*:0/2\nAccuracySec=100ms\nUnit=nixos-upgrade.service\n",
      "/etc/systemd/system/nixos-upgrade-freshness.service": unit(
        "nixos-upgrade-probe",
        "OnFailure=nixos-upgrade-alert.service",
      ),
      "/etc/systemd/system/nixos-upgrade-alert.service": unit("nixos-upgrade-alert"),
      "/etc/systemd/system/nixos-upgrade-token.service": unit("nixos-upgrade-token"),
    });
  }

  async set(changed: Record<string, string>): Promise<void> {
    this.overrides = { ...this.overrides, ...changed };
    const { files } = this.version;
    await this.write(Object.fromEntries(Object.entries(files).map(([name, text]) => [`/etc/upgrade/${name}`, text])));
    const scripts = this.version
      .programs(this.configuration)
      .map((program) => [`/etc/upgrade/bin/${program.name}`, script(program, this.overrides)]);
    await this.write(Object.fromEntries(scripts) as Record<string, string>, "755");
    const PATH = `${this.machine.nix.bin}:/usr/sbin:/usr/bin:/sbin:/bin`;
    const logged = tools.map((tool) => [
      `/etc/upgrade/log/${tool}`,
      `#!/bin/bash\necho "${tool} $*" >>/run/calls\nPATH=${PATH} exec ${tool} "$@"\n`,
    ]);
    await this.write(Object.fromEntries(logged) as Record<string, string>, "755");
  }

  use(version: Version): Promise<void> {
    this.version = version;
    return this.set({});
  }

  configure(configuration: object): Promise<void> {
    this.configuration = configuration;
    return this.set({});
  }

  async push(what: Push = {}): Promise<string> {
    const { behaviour = "good", health = "", checks = {}, meansLockout = false, readmeOnly = false, onto } = what;
    if (onto) await this.machine.output(`git -C /srv/work reset --quiet --hard ${onto}`);
    if (readmeOnly) {
      await this.write({ "/srv/work/README": randomUUID() });
    } else {
      await this.write({
        "/srv/work/nix/behaviour": behaviour,
        "/srv/work/nix/health": health,
        "/srv/work/nix/lockout": meansLockout ? "meant" : "",
        "/srv/work/nix/nonce": randomUUID(),
      });
      await this.machine.output("rm -rf /srv/work/nix/checks.d");
      await this.write({
        // Git has no empty folders.
        "/srv/work/nix/checks.d/.none": "",
        ...Object.fromEntries(
          Object.entries(checks).map(([name, check]) => [`/srv/work/nix/checks.d/${name}`, JSON.stringify(check)]),
        ),
      });
    }
    return await this.machine.output(`cd /srv/work
      git add --all && git commit --quiet --message change && git push --quiet --force origin main
      chown -R git: /srv/git
      git rev-parse HEAD`);
  }

  async poll(unit = "nixos-upgrade.service"): Promise<boolean> {
    return (await this.machine.run(`systemctl start ${unit}`)).code === 0;
  }

  async status(): Promise<Status> {
    return JSON.parse(await this.machine.output("cat /run/nixos-upgrade/public/status.json")) as Status;
  }

  async state(): Promise<Record<string, never>> {
    return JSON.parse(await this.machine.output("cat /var/lib/nixos-upgrade/state.json")) as Record<string, never>;
  }

  async current(): Promise<string> {
    return await this.machine.output("readlink -f /run/current-system");
  }

  async calls(): Promise<string[]> {
    const text = await this.machine.output("cat /run/calls 2>/dev/null || true; rm -f /run/calls");
    return text.split("\n").filter((line) => line !== "");
  }

  async journal(unit = "nixos-upgrade.service"): Promise<string> {
    return await this.machine.output(`journalctl --unit ${unit} --output cat --no-pager`);
  }

  async stop(): Promise<void> {
    await this.machine.stop();
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}
