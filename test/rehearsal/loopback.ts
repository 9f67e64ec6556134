import { readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import * as bench from "../bench";
import { startUpgradeBench } from "../system/upgrade/bench";
import type { Ec2 } from "./emulators/aws";
import type { Instance } from "./emulators/aws/ec2";
import type { Written } from "./emulators/command";

/** Why deployments cannot really run on this computer; undefined when they can. */
export const whyNoMachine = bench.canRunMachine;

/**
 * Machines on this computer in the place of those that the emulated EC2 only notes: a real systemd, sshd and Nix, booted
 * with the keys that the program put in user data. What is installed on them is a stub system, because building NixOS
 * takes minutes; it is another one whenever the real flake's derivation is.
 */
export class LoopbackMachines {
  private readonly machines = new Map<string, bench.Machine>();

  private constructor(
    private readonly ec2: Ec2,
    private readonly client: bench.Client,
    private readonly project: bench.Project,
  ) {}

  /** @param repositoryFile the text of nix/repository.json, which a deployment compares with the stack's repository */
  static async start(ec2: Ec2, repositoryFile: string): Promise<LoopbackMachines> {
    const client = await bench.startClient();
    const project = await bench.makeProject(path.join(client.folder, "project"));
    writeFileSync(path.join(project.folder, "nix/repository.json"), repositoryFile);
    await project.git("commit", "--quiet", "--all", "--message", "Name the repository");
    return new LoopbackMachines(ec2, client, project);
  }

  /** Runs the real deployment program, told what the stack's command tells it, against the machine of that address. */
  async deploy(environment: Record<string, string>): Promise<Written> {
    const instance = this.instanceAt(environment["DEPLOY_HOST"]!);
    const machine = this.machines.get(instance.id) ?? (await this.boot(instance));
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
      timeoutSeconds: 120,
    });
    if (code !== 0) throw new Error(`the deployment ended with code ${code}:\n${stderr}`);
    return { stdout: stdout.trimEnd(), stderr: stderr.trimEnd() };
  }

  /** What runs on a machine, or undefined when there is no such machine. */
  async systemOf(instanceId: string): Promise<string | undefined> {
    return this.machines.get(instanceId)?.output("readlink -f /run/current-system");
  }

  async stop(): Promise<void> {
    await Promise.all([...this.machines.values(), this.client].map((part) => part.stop()));
  }

  private instanceAt(address: string): Instance {
    const instance = [...this.ec2.instances.values()].find((candidate) => this.ec2.publicIp(candidate) === address);
    if (instance === undefined) throw new Error(`no machine has the address ${address}`);
    return instance;
  }

  /** What EC2 and NixOS do at a first boot: the login key, the host key from user data, then user data itself. */
  private async boot({ id, keyName, userData }: Instance): Promise<bench.Machine> {
    const machine = await bench.startMachine({ identity: "absent" });
    this.machines.set(id, machine);
    const loginKey = this.ec2.keys.get(keyName ?? "")?.publicKey ?? "";
    const hostKey = /^SSH_HOST_ED25519_KEY:(.*)$/m.exec(userData)?.[1]?.replaceAll("|", "\n") ?? "";
    const put = (file: string, content: string) => machine.output(`umask 077; cat >${file}`, { input: content });
    await put("/root/.ssh/authorized_keys", `${loginKey}\n`);
    await put("/etc/ssh/ssh_host_ed25519_key", `${hostKey.trimEnd()}\n`);
    await put("/run/user-data", userData);
    await machine.output("systemctl restart sshd.service; bash /run/user-data");
    return machine;
  }

  /** Makes the stub system another one when the real one is. */
  private async follow(derivation: string): Promise<void> {
    const nonce = path.join(this.project.folder, "nix/nonce");
    if (readFileSync(nonce, "utf8") === derivation) return;
    writeFileSync(nonce, derivation);
    await this.project.git("commit", "--quiet", "--all", "--message", "Follow the rehearsed flake");
  }
}

/**
 * A machine with the real upgrade programs, that polls a repository like the stack's: it takes a first push, and then
 * one more, as after a merge. Returns the revisions that were pushed and that the machine says it runs.
 */
export async function takeByUpgrade(): Promise<{ pushed: string; running: string | null }> {
  const upgrade = await startUpgradeBench();
  try {
    await upgrade.push();
    await upgrade.poll();
    const pushed = await upgrade.push();
    await upgrade.poll();
    return { pushed, running: (await upgrade.status()).revision };
  } finally {
    await upgrade.stop();
  }
}
