import * as path from "node:path";
import * as command from "@pulumi/command/local";
import * as pulumi from "@pulumi/pulumi";
import { ageRecipient } from "./keys/age";
import { byRule } from "./values/rules";
import { DEFAULTS, RULES } from "./deploy/rules.cjs";
import { ArgumentRules } from "./values/errors";
import { withDefaults } from "./values/defaults";
import { outputsOf } from "./values/outputs";
import { ed25519PrivateKey, publicKeyOf } from "./keys/openssh";

/** What a stack may choose about its deployments. */
export interface DeploymentSettings {
  /**
   * The system to install, `<flake>#<attribute>`; the attribute names one of `nixosConfigurations`. Paths are relative
   * to the project's folder.
   * @default "path:./nix#default"
   */
  flake?: pulumi.Input<string>;
  /**
   * Where the system is built: `host` (the machine itself), `local` (the computer that runs Pulumi), or the SSH
   * destination of a builder (`user@host`).
   * @default "host"
   */
  buildOn?: pulumi.Input<string>;
  /**
   * Whether the machine may fetch what is already built from its substituters, instead of being sent it.
   * @default true
   */
  substitute?: pulumi.Input<boolean>;
  /**
   * Seconds that the machine waits, after a switch, for a new SSH connection to confirm it; then it goes back by itself.
   * @default 60
   */
  confirmSeconds?: pulumi.Input<number>;
  /**
   * Seconds that the switch itself may take before it counts as failed.
   * @default 600
   */
  switchSeconds?: pulumi.Input<number>;
  /**
   * Seconds to wait for the machine to answer and to have its key.
   * @default 600
   */
  waitSeconds?: pulumi.Input<number>;
  /**
   * Seconds that Nix, a build or a copy may print nothing before it is ended.
   * @default 7200
   */
  silentSeconds?: pulumi.Input<number>;
  /**
   * Whether every preview evaluates the flake with Nix. `false` takes a hash of the flake's folder instead, for
   * computers without Nix: any change of a file there then counts as a change of the system.
   * @default true
   */
  evaluate?: pulumi.Input<boolean>;
  /**
   * Whether an unchanged folder may reuse the result of an earlier evaluation.
   * @default true
   */
  evaluationCache?: pulumi.Input<boolean>;
  /**
   * Whether a flake folder with changes that are not committed may be installed.
   * @default false
   */
  allowDirty?: pulumi.Input<boolean>;
  /**
   * Whether a system that is active with failed units counts as deployed.
   * @default false
   */
  allowFailedUnits?: pulumi.Input<boolean>;
  /**
   * Further arguments of `nixos-rebuild`, each one word, such as `--show-trace`. A change deploys again.
   * @default []
   */
  extraArguments?: pulumi.Input<string>[];
}

/** Arguments of NixosDeployment. */
export interface NixosDeploymentArgs extends DeploymentSettings {
  /** Address of the machine: DNS name or IP address. A change updates the deployment, which finds its work done. */
  host: pulumi.Input<string>;
  /**
   * TCP port of the machine's SSH server.
   * @default 22
   */
  sshPort?: pulumi.Input<number>;
  /** Public host key that the machine must show, `ssh-ed25519 AAAA…`. A change deploys again. */
  hostPublicKey: pulumi.Input<string>;
  /** Private key that logs in as root (ed25519, OpenSSH form). Secret. */
  privateKey: pulumi.Input<string>;
  /**
   * Public half of the key that must be in /var/lib/id_ed25519 before the first switch.
   * @default the public half of `privateKey`
   */
  machinePublicKey?: pulumi.Input<string>;
  /** Id of the machine, such as its EC2 instance id. A change (the machine was replaced) deploys again. */
  instanceId: pulumi.Input<string>;
  /**
   * `owner/name` of the repository that the machine will follow. A flake whose repository.json names another is
   * refused: the machine would trust a stranger's repository as root.
   * @default not compared
   */
  repository?: pulumi.Input<string>;
  /**
   * Further values whose change deploys again.
   * @default []
   */
  triggers?: pulumi.Input<string>[];
}

/**
 * The system of a flake, running on a machine.
 *
 * Every preview and update evaluates the flake. The deployment runs when the derivation, the machine, its host key or
 * the arguments changed; it replaces nothing on the machine but the running system. See docs/deployment.md for what it
 * does in which order. Destroying it does nothing: the machine keeps its last system.
 *
 * @example
 * ```ts
 * const key = new SshKeyPair("server");
 * const host = new PrivateKey("host", { algorithm: "ED25519" });
 * const machine = new NixosInstance("server", {
 *   keyName: key.keyName,
 *   identityKey: key.privateKeyOpenssh,
 *   hostKey: host.privateKeyOpenssh,
 * });
 *
 * const deployment = new NixosDeployment("server", {
 *   flake: "path:./nix#default",
 *   host: machine.publicIp,
 *   hostPublicKey: machine.hostPublicKey,
 *   privateKey: key.privateKeyOpenssh,
 *   instanceId: machine.instanceId,
 * });
 * export const system = deployment.systemPath;
 * ```
 */
export class NixosDeployment extends pulumi.ComponentResource {
  /** Path of the evaluated derivation (`/nix/store/….drv`), or `sha256-…` of the flake's folder without evaluation. */
  public readonly derivation: pulumi.Output<string>;
  /** Path of the system that runs (`/nix/store/…-nixos-system-…`), known after a confirmed switch. */
  public readonly systemPath: pulumi.Output<string>;
  /** The same as `host`, but known only after a confirmed switch: what depends on it waits for the deployment. */
  public readonly deployedHost: pulumi.Output<string>;

  /**
   * @param name name of the resource; the names of those beneath it in the cloud begin with it
   * @param args its arguments
   * @param opts options of Pulumi's; `transforms` reach the resources beneath (docs/packages.md)
   */
  constructor(name: string, args: NixosDeploymentArgs, opts?: pulumi.ComponentResourceOptions) {
    // The inputs of a component are kept in the state too.
    super("nixos:index:NixosDeployment", name, { ...args, privateKey: pulumi.secret(args.privateKey) }, opts);

    const checked = checkedArgs(this, name, args);
    this.derivation = evaluate(this, checked);

    const deployment = new command.Command(
      name,
      {
        interpreter: ["node"],
        create: programPath("deploy.mjs"),
        environment: deploymentEnvironment(args, checked, this.derivation),
        triggers: [
          this.derivation,
          args.instanceId,
          checked.hostPublicKey,
          pulumi.jsonStringify(checked.extraArguments),
          ...(args.triggers ?? []),
        ],
        // Only standard error, which carries one line a phase and nothing secret: a deployment takes minutes.
        logging: "stderr",
        addPreviousOutputInEnv: false,
      },
      { parent: this, additionalSecretOutputs: ["stdout", "stderr"] },
    );

    this.systemPath = pulumi.unsecret(deployment.stdout.apply(systemPathOf));
    this.deployedHost = pulumi.all([args.host, this.systemPath]).apply(([host]) => host);

    this.registerOutputs(outputsOf(this));
  }
}

type CheckedArgs = ReturnType<typeof checkedArgs>;

/** Checks what a stack may choose; ContinuousDeployment does so before it makes its first part. */
export function checkDeploymentSettings(checks: ArgumentRules, given: DeploymentSettings) {
  const args = withDefaults(given, DEFAULTS);
  return {
    flake: checks.input("flake", args.flake, byRule(RULES.flake)),
    buildOn: checks.input("buildOn", args.buildOn, byRule(RULES.buildOn)),
    confirmSeconds: checks.input("confirmSeconds", args.confirmSeconds, byRule(RULES.confirmSeconds)),
    switchSeconds: checks.input("switchSeconds", args.switchSeconds, byRule(RULES.switchSeconds)),
    waitSeconds: checks.input("waitSeconds", args.waitSeconds, byRule(RULES.waitSeconds)),
    silentSeconds: checks.input("silentSeconds", args.silentSeconds, byRule(RULES.silentSeconds)),
    extraArguments: checks.inputs("extraArguments", args.extraArguments, byRule(RULES.extraArgument)),
    substitute: checks.input("substitute", args.substitute, byRule(RULES.flag)),
    evaluate: checks.input("evaluate", args.evaluate, byRule(RULES.flag)),
    evaluationCache: checks.input("evaluationCache", args.evaluationCache, byRule(RULES.flag)),
    allowDirty: checks.input("allowDirty", args.allowDirty, byRule(RULES.flag)),
    allowFailedUnits: checks.input("allowFailedUnits", args.allowFailedUnits, byRule(RULES.flag)),
  };
}

function checkedArgs(component: NixosDeployment, name: string, args: NixosDeploymentArgs) {
  const checks = new ArgumentRules(component, `NixosDeployment ${JSON.stringify(name)}`);
  const checked = {
    host: checks.input("host", args.host, byRule(RULES.host)),
    sshPort: checks.input("sshPort", args.sshPort ?? DEFAULTS.sshPort, byRule(RULES.sshPort)),
    hostPublicKey: checks.input("hostPublicKey", args.hostPublicKey, byRule(RULES.publicKey)),
    privateKey: checks.input("privateKey", args.privateKey, ed25519PrivateKey),
    machinePublicKey:
      args.machinePublicKey === undefined
        ? ""
        : checks.input("machinePublicKey", args.machinePublicKey, byRule(RULES.publicKey)),
    repository:
      args.repository === undefined ? "" : checks.input("repository", args.repository, byRule(RULES.repository)),
    ...checkDeploymentSettings(checks, args),
  };
  checks.refuseProblems();
  return checked;
}

/** What was evaluated in one run of a program, by what was asked. */
const evaluations = new WeakMap<object, Map<string, pulumi.Output<string>>>();

/** The derivation, evaluated once for all machines of one configuration. */
function evaluate(component: NixosDeployment, checked: CheckedArgs): pulumi.Output<string> {
  const asked = [checked.flake, checked.evaluate, checked.evaluationCache, checked.silentSeconds];
  // A process can run several programs (Pulumi's Automation API does), and a program can have several providers.
  const run = component.getProvider("command:local:run") ?? pulumi.runtime.getMonitor();
  if (run === undefined || !asked.every((value) => ["string", "boolean", "number"].includes(typeof value)))
    return evaluateNow(component, checked);
  const known = evaluations.get(run) ?? new Map<string, pulumi.Output<string>>();
  evaluations.set(run, known);
  const key = JSON.stringify(asked);
  const derivation = known.get(key) ?? evaluateNow(component, checked);
  known.set(key, derivation);
  return derivation;
}

/** Runs in every preview and update; its only effect is the evaluation. */
function evaluateNow(component: NixosDeployment, checked: CheckedArgs): pulumi.Output<string> {
  const evaluation = command.runOutput(
    {
      interpreter: ["node"],
      command: programPath("evaluate.mjs"),
      environment: {
        EVALUATE_FLAKE: checked.flake,
        EVALUATE_MODE: pulumi.output(checked.evaluate).apply((evaluated) => (evaluated ? "nix" : "hash")),
        EVALUATE_CACHE: text(checked.evaluationCache),
        EVALUATE_SILENT_SECONDS: text(checked.silentSeconds),
      },
      logging: "none",
      addPreviousOutputInEnv: false,
    },
    { parent: component },
  );
  return evaluation.stdout.apply((stdout) => stdout.trim());
}

/** Everything the deployment program is told; by environment, because arguments are public on every computer. */
function deploymentEnvironment(
  args: NixosDeploymentArgs,
  checked: CheckedArgs,
  derivation: pulumi.Output<string>,
): { [key: string]: pulumi.Input<string> } {
  return {
    DEPLOY_HOST: checked.host,
    DEPLOY_PORT: text(checked.sshPort),
    DEPLOY_HOST_KEY: checked.hostPublicKey,
    DEPLOY_PRIVATE_KEY: pulumi.secret(checked.privateKey),
    DEPLOY_MACHINE_PUBLIC_KEY: checked.machinePublicKey,
    DEPLOY_AGE_RECIPIENT: machineRecipient(args, checked),
    DEPLOY_FLAKE: checked.flake,
    DEPLOY_DERIVATION: derivation,
    DEPLOY_BUILD_ON: checked.buildOn,
    DEPLOY_SUBSTITUTE: text(checked.substitute),
    DEPLOY_CONFIRM_SECONDS: text(checked.confirmSeconds),
    DEPLOY_SWITCH_SECONDS: text(checked.switchSeconds),
    DEPLOY_WAIT_SECONDS: text(checked.waitSeconds),
    DEPLOY_SILENT_SECONDS: text(checked.silentSeconds),
    DEPLOY_ALLOW_DIRTY: text(checked.allowDirty),
    DEPLOY_ALLOW_FAILED_UNITS: text(checked.allowFailedUnits),
    DEPLOY_EXTRA_ARGUMENTS: pulumi.jsonStringify(checked.extraArguments),
    DEPLOY_REPOSITORY: checked.repository,
  };
}

/** What the flake's secrets must be encrypted for; the deployment program has no library that could compute it. */
function machineRecipient(args: NixosDeploymentArgs, checked: CheckedArgs): pulumi.Output<string> {
  const publicKey =
    args.machinePublicKey === undefined
      ? pulumi.output(checked.privateKey).apply(publicKeyOf)
      : checked.machinePublicKey;
  return pulumi.unsecret(pulumi.output(publicKey).apply(ageRecipient));
}

/** Environment variables are texts. */
function text(value: pulumi.Input<string | number | boolean>): pulumi.Output<string> {
  return pulumi.output(value).apply(String);
}

/**
 * A file of deploy/ as the command providers find it: relative to the project's folder, where they run. An absolute
 * path would differ between two people's checkouts, and each would update the other's deployment.
 */
function programPath(file: string): string {
  return path.relative(process.cwd(), path.join(__dirname, "deploy", file)).replaceAll(path.sep, "/");
}

/** The deployment program's last line tells what runs now. */
function systemPathOf(stdout: string): string {
  const result = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as { systemPath: string };
  return result.systemPath;
}
