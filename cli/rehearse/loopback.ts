import { randomBytes } from "node:crypto";
import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { SOPS_CONFIG } from "../secrets/names";
import * as bench from "./machine";
import { startUpgradeBench } from "./upgrade/bench";
import { type FalseGithub, giveToken, startFalseGithub, tokenConfiguration } from "./upgrade/github";
import type { Ec2 } from "./emulators/aws";
import type { Instance } from "./emulators/aws/ec2";
import type { Written } from "./emulators/command";
import type { Machines } from "./steps";
import { ROOT } from "./project";

/** Why deployments cannot really run on this computer; undefined when they can. */
export const whyNoMachine = bench.canRunMachine;

/**
 * Machines on this computer in the place of those that the emulated EC2 only notes: a real systemd, sshd and Nix, booted
 * with the keys that the program put in user data. What is installed on them is a stub system, because building NixOS
 * takes minutes; it is another one whenever the real flake's derivation is.
 */
export class LoopbackMachines implements Machines {
  private readonly machines = new Map<string, bench.Machine>();
  /** The user data that each machine last ran. */
  private readonly ran = new Map<string, string>();
  /** Machines that nobody has asked for yet, the stack's first and the one that replaces it: booting takes seconds. */
  private readonly ahead = [startAhead(), startAhead()];

  private constructor(
    private readonly ec2: Ec2,
    private readonly client: bench.Client,
    private readonly project: bench.Project,
    private readonly flake: string,
  ) {}

  /** @param flake the folder nix/ of the rehearsed project */
  static async start(ec2: Ec2, flake: string): Promise<LoopbackMachines> {
    const client = await bench.startClient();
    const project = await bench.makeProject(path.join(client.folder, "project"));
    return new LoopbackMachines(ec2, client, project, flake);
  }

  /** Runs the real deployment program, told what the stack's command tells it, against the machine of that address. */
  async deploy(environment: Record<string, string>): Promise<Written> {
    const instance = this.instanceAt(environment["DEPLOY_HOST"]!);
    const machine = this.machines.get(instance.id) ?? (await this.make(instance));
    await this.boot(instance, machine);
    await this.follow(environment["DEPLOY_DERIVATION"]!);
    const setting: bench.Setting = { client: this.client, machine, project: this.project };
    const derivation = await bench.evaluate(setting);
    if (derivation.code !== 0) throw new Error(derivation.stderr);
    const env = {
      ...this.client.env,
      ...environment,
      // The emulated address is a name for the machine on this computer.
      DEPLOY_HOST: machine.host,
      DEPLOY_PORT: String(machine.port),
      DEPLOY_DERIVATION: derivation.stdout.trim(),
    };
    const program = path.join(this.project.folder, "components/deploy/deploy.mjs");
    const { code, stdout, stderr } = await bench.run(...this.client.command(this.project.folder, "node", [program]), {
      env,
    });
    if (code !== 0) throw new Error(`the deployment ended with code ${code}:\n${stderr}`);
    return { stdout: stdout.trimEnd(), stderr: stderr.trimEnd() };
  }

  /** What runs on a machine, or undefined when there is no such machine. */
  async systemOf(instanceId: string): Promise<string | undefined> {
    return this.machines.get(instanceId)?.output("readlink -f /run/current-system");
  }

  async loginKeysOf(instanceId: string): Promise<string[]> {
    const text = await this.machines.get(instanceId)!.output("cat /root/.ssh/authorized_keys");
    return text.trim().split("\n");
  }

  async stop(): Promise<void> {
    const ahead = await Promise.allSettled(this.ahead);
    const unused = ahead.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    await Promise.all([...this.machines.values(), ...unused, this.client].map((part) => part.stop()));
  }

  private instanceAt(address: string): Instance {
    const instance = [...this.ec2.instances.values()].find((candidate) => this.ec2.publicIp(candidate) === address);
    if (instance === undefined) throw new Error(`no machine has the address ${address}`);
    return instance;
  }

  /** What EC2 and NixOS do at a first boot: the login key, and the host key from user data. */
  private async make({ id, keyName, userData }: Instance): Promise<bench.Machine> {
    const machine = await (this.ahead.shift() ?? startAhead());
    this.machines.set(id, machine);
    const loginKey = this.ec2.keys.get(keyName ?? "")?.publicKey ?? "";
    const hostKey = /^SSH_HOST_ED25519_KEY:(.*)$/m.exec(userData)?.[1]?.replaceAll("|", "\n") ?? "";
    const put = (file: string, content: string) => machine.output(`umask 077; cat >${file}`, { input: content });
    await put("/root/.ssh/authorized_keys", `${loginKey}\n`);
    await put("/etc/ssh/ssh_host_ed25519_key", `${hostKey.trimEnd()}\n`);
    await machine.output("systemctl restart sshd.service");
    return machine;
  }

  /** What NixOS does at every boot: user data, whose key root's authorized key follows. Only where it is another one. */
  private async boot({ id, userData }: Instance, machine: bench.Machine): Promise<void> {
    if (this.ran.get(id) === userData) return;
    this.ran.set(id, userData);
    await machine.output("bash", { input: userData });
    // systemd would make its state folder.
    const rootKey = readFileSync(path.join(ROOT, "nix/modules/rootKey.sh"), "utf8");
    await machine.output("mkdir -p /var/lib/root-key; bash", { input: rootKey });
  }

  /** Makes the stub system another one when the real one is, with the files that a deployment looks at. */
  private async follow(derivation: string): Promise<void> {
    const nix = path.join(this.project.folder, "nix");
    if (readFileSync(path.join(nix, "nonce"), "utf8") === derivation) return;
    writeFileSync(path.join(nix, "nonce"), derivation);
    cpSync(path.join(this.flake, "repository.json"), path.join(nix, "repository.json"));
    // Secrets that the project brought along are for its own machine.
    if (existsSync(path.join(this.flake, "..", SOPS_CONFIG))) {
      cpSync(path.join(this.flake, "secrets.yaml"), path.join(nix, "secrets.yaml"));
    }
    await this.project.git("add", "--all");
    await this.project.git("commit", "--quiet", "--message", "Follow the rehearsed flake");
  }
}

function startAhead(): Promise<bench.Machine> {
  const machine = bench.startMachine({ identity: "absent" });
  // Whoever awaits it hears of a failure; until then it is nobody's.
  machine.catch(() => {});
  return machine;
}

/** What a machine did with what was pushed. */
export interface Taken {
  pushed: string;
  running: string | null;
}

/**
 * A machine with the real upgrade programs, that polls a repository like the stack's. It takes a first push and one
 * more, as after a merge; then it is told to read with a token, loses its deploy key, and takes another one from a false
 * GitHub over TLS.
 */
export async function takeByUpgrade(folder: string): Promise<{ byKey: Taken; byToken: Taken }> {
  const token = `github_pat_${randomBytes(20).toString("hex")}`;
  const machine = await startUpgradeBench();
  const take = async (): Promise<Taken> => {
    const pushed = await machine.push();
    await machine.poll();
    return { pushed, running: (await machine.status()).revision };
  };
  let github: FalseGithub | undefined;
  try {
    await take();
    const byKey = await take();
    await machine.configure(tokenConfiguration);
    github = await startFalseGithub(machine, folder);
    await giveToken(machine, token);
    await machine.machine.output(": >/etc/githost/authorized_keys");
    return { byKey, byToken: await take() };
  } finally {
    await github?.close();
    await machine.stop();
  }
}
