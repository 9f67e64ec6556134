import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { BinaryCache } from "./binaryCache";
import { accessBy, DEFAULT_ACCESS } from "./deploy/access/index.cjs";
import { accessKind } from "./values/rules";
import {
  checkIntegrationSettings,
  connectGithubActions,
  FORMER_NAMES as OF_INTEGRATION,
  type IntegrationSettings,
} from "./continuousIntegration";
import { ArgumentRules, problem } from "./values/errors";
import { DEFAULTS } from "./values/defaults";
import { underNewNames, warnOfFormerNames } from "./values/formerNames";
import { checkDeploymentSettings, type DeploymentSettings, NixosDeployment } from "./nixosDeployment";
import { createKeyVersions, keyVersionNumbers } from "./keys/keyVersions";
import { checkMachineSettings, type MachineSettings, NixosInstance } from "./nixosInstance";
import { ed25519PrivateKey } from "./keys/openssh";
import { checkRepositorySettings, ProtectedRepository, type RepositorySettings } from "./protectedRepository";
import { branchName, ownerName, repositoryName } from "./values/repositoryNames";
import { outputsOf } from "./values/outputs";
import { SshKeyPair } from "./sshKeyPair";

const FORMER_NAMES = { keyGenerations: "keyVersions" };

/** Arguments of ContinuousDeployment. */
export interface ContinuousDeploymentArgs {
  /** User or organization that owns the repository. */
  owner: pulumi.Input<string>;
  /** Name of the repository, without its owner. */
  repositoryName: pulumi.Input<string>;
  /**
   * Branch that the machine follows.
   * @default "main"
   */
  branch?: pulumi.Input<string>;
  /**
   * How the machine reads the repository: `deploy-key` (with its own key, nothing to renew) or `token` (with a token
   * from the SOPS file, for accounts that forbid deploy keys).
   * @default "deploy-key"
   */
  access?: string;
  /**
   * Which versions of the keys exist: one number, or two during a rotation, the one in use first.
   * `npm run secrets -- rotate` walks it from [1] to [1, 2], [2, 1] and [2].
   * @default [1]
   */
  keyVersions?: number[];
  /**
   * The name that `keyVersions` had.
   * @deprecated in favour of `keyVersions`
   * @default that of `keyVersions`
   */
  keyGenerations?: number[];
  /**
   * Whether the machine has a key of its own, which opens its secrets and its repository and nothing else, so that the
   * key that logs in as root is never in user data. Choose it before the first update: a change gives the machine
   * another key at once, which its secrets must be encrypted for.
   * @default false
   */
  separateMachineKey?: boolean;
  /**
   * An ed25519 private key (OpenSSH form) that the machine has already, because something else made it: version 1 of
   * its key, instead of a new one. It must be root's login key and lie in /var/lib/id_ed25519; a rotation leads from it
   * to keys that are made here. Choose it before the first update. Secret.
   * @default none
   */
  adoptedKey?: pulumi.Input<string>;
  /**
   * Private host key (ed25519, OpenSSH form) that the machine has already, instead of a new one. It is what every SSH
   * connection expects, and a machine that replaces this one gets it too. Secret.
   * @default none
   */
  adoptedHostKey?: pulumi.Input<string>;
  /**
   * Whether the engine refuses to delete or replace what cannot be had again: machine and Elastic IP, the keys in use,
   * the repository, and the cache with its signing key. Everything else goes on to be replaced where that is its way to
   * change. The resource option `protect` of this component would stop that too, and with it every deployment.
   * @default false
   */
  protect?: boolean;
  /** Choices about the machine. */
  machine?: MachineSettings;
  /** Choices about the repository and its protection. */
  repository?: RepositorySettings;
  /** Choices about deployments. */
  deployment?: DeploymentSettings;
  /** Choices about continuous integration. */
  integration?: IntegrationSettings;
}

/**
 * A NixOS machine in EC2 that follows a branch of a GitHub repository, and that repository.
 *
 * Several of them fit in one stack: every name in the cloud derives from the resource's name, except the repository's.
 *
 * @example
 * ```ts
 * const server = new ContinuousDeployment("server", {
 *   owner: "octocat",
 *   repositoryName: "server",
 *   machine: { instanceType: "t3.medium" },
 * });
 * export const url = server.url;
 * ```
 */
export class ContinuousDeployment extends pulumi.ComponentResource {
  /** Id of the EC2 instance. */
  public readonly instanceId: pulumi.Output<string>;
  /** IPv4 address of the machine. */
  public readonly publicIp: pulumi.Output<string>;
  /** DNS name of the machine. */
  public readonly publicDns: pulumi.Output<string>;
  /** Address of the machine's web page. */
  public readonly url: pulumi.Output<string>;
  /** Command that logs in, with the private key in a file id_ed25519. */
  public readonly sshCommand: pulumi.Output<string>;
  /** Public host key of the machine, `ssh-ed25519 AAAA…`. */
  public readonly hostPublicKey: pulumi.Output<string>;
  /** Private key that logs in to the machine. Secret. */
  public readonly loginKey: pulumi.Output<string>;
  /** Public half of each version of that key, in the order of `keyVersions`. */
  public readonly loginPublicKeys: pulumi.Output<string[]>;
  /**
   * Private key that the machine opens its secrets and reads its repository with: the same as `loginKey`, unless
   * `separateMachineKey`. Secret.
   */
  public readonly machineKey: pulumi.Output<string>;
  /** age recipient of the machine's key (`age1…`), for .sops.yaml. */
  public readonly ageRecipient: pulumi.Output<string>;
  /** age recipient of each version of the machine's key, in the order of `keyVersions`. */
  public readonly ageRecipients: pulumi.Output<string[]>;
  /** The versions of `keyVersions`, known after a confirmed switch: a rotation goes on only then. */
  public readonly deployedKeyVersions: pulumi.Output<number[]>;
  /** Address of the repository's page. */
  public readonly repositoryUrl: pulumi.Output<string>;
  /** Flake reference that the machine upgrades itself from. */
  public readonly upgradeFlake: pulumi.Output<string>;
  /** Path of the evaluated derivation. */
  public readonly derivation: pulumi.Output<string>;
  /** Path of the system that runs, known after a confirmed switch. */
  public readonly systemPath: pulumi.Output<string>;
  /** Substituter of the binary cache, for nix/cache.json; the empty text without a cache. */
  public readonly cacheSubstituter: pulumi.Output<string>;
  /** Public key of the binary cache, for nix/cache.json; the empty text without a cache. */
  public readonly cachePublicKey: pulumi.Output<string>;
  /**
   * The name that `loginKey` had. Secret.
   * @deprecated in favour of `loginKey`
   */
  public readonly privateKey: pulumi.Output<string>;
  /**
   * The name that `machineKey` had. Secret.
   * @deprecated in favour of `machineKey`
   */
  public readonly identityKey: pulumi.Output<string>;
  /**
   * The name that `deployedKeyVersions` had.
   * @deprecated in favour of `deployedKeyVersions`
   */
  public readonly deployedGenerations: pulumi.Output<number[]>;

  /**
   * @param name name of the resource; the names of those beneath it in the cloud begin with it
   * @param args its arguments
   * @param opts options of Pulumi's; `transforms` reach the resources beneath (docs/packages.md)
   */
  constructor(name: string, args: ContinuousDeploymentArgs, opts?: pulumi.ComponentResourceOptions) {
    super("nixos:index:ContinuousDeployment", name, withSecrets(args), opts);
    const parent = { parent: this };
    const { adoptedKey, protect } = args;

    const { versions, integration } = checkedArgs(this, name, args);
    const keyPair = new SshKeyPair(`${name}-key`, { versions, adoptedKey, protect }, parent);

    // The key in user data is the less one can do with it, the better: whoever may describe the instance can read it.
    const machineKey = args.separateMachineKey
      ? createKeyVersions(`${name}-machine-key`, versions, { adoptedKey, protect }, this)
      : keyPair;

    // Made here and given to the machine, so that no SSH connection ever trusts a host key on first use.
    const hostKey =
      args.adoptedHostKey ??
      new tls.PrivateKey(`${name}-host-key`, { algorithm: "ED25519" }, { parent: this, protect }).privateKeyOpenssh;

    const repository = new ProtectedRepository(
      `${name}-repository`,
      {
        ...args.repository,
        owner: args.owner,
        name: args.repositoryName,
        branch: args.branch,
        access: args.access,
        deployPublicKey: accessBy(args.access).needsDeployKey ? machineKey.publicKeyOpenssh : undefined,
        deployKeyVersion: versions[0],
        deployKeyTitle: `${name} (read-only)`,
        protect,
      },
      parent,
    );

    const cache = integration.cache ? new BinaryCache(`${name}-cache`, { protect }, parent) : undefined;

    const instance = new NixosInstance(
      name,
      {
        ...args.machine,
        instanceProfile: args.machine?.instanceProfile ?? cache?.readerProfileName,
        keyName: keyPair.keyName,
        identityKey: machineKey.privateKeyOpenssh,
        hostKey: pulumi.secret(hostKey),
        protect,
      },
      parent,
    );

    // Depends on the machine only: protection or deploy key may fail, and the first system is installed all the same.
    const deployment = new NixosDeployment(
      `${name}-deployment`,
      {
        ...args.deployment,
        // The address, not the name: a deployment should not fail because of a resolver.
        host: instance.publicIp,
        hostPublicKey: instance.hostPublicKey,
        privateKey: keyPair.privateKeyOpenssh,
        machinePublicKey: machineKey.publicKeyOpenssh,
        instanceId: instance.instanceId,
        repository: pulumi.interpolate`${args.owner}/${args.repositoryName}`,
      },
      parent,
    );

    if (integration.githubActionsRoles) {
      const { repositoryName: known, repositoryId: id } = repository;
      const integrated = { owner: args.owner, name: known, id, branch: args.branch };
      const { tags, instanceType = DEFAULTS.machine.instanceType, amiId } = args.machine ?? {};
      const machine = { name: tags?.["Name"] ?? name, instanceType, amiId };
      connectGithubActions(this, name, integration, integrated, machine, cache);
    }

    this.instanceId = instance.instanceId;
    this.publicIp = instance.publicIp;
    this.publicDns = instance.publicDns;
    this.url = instance.publicDns.apply(urlOf);
    this.sshCommand = pulumi.interpolate`ssh -i id_ed25519 root@${instance.publicDns}`;
    this.hostPublicKey = instance.hostPublicKey;
    this.loginKey = keyPair.privateKeyOpenssh;
    this.loginPublicKeys = keyPair.publicKeysOpenssh;
    this.machineKey = machineKey.privateKeyOpenssh;
    this.ageRecipient = machineKey.ageRecipient;
    this.ageRecipients = machineKey.ageRecipients;
    this.deployedKeyVersions = deployment.deployedHost.apply(() => versions);
    this.repositoryUrl = repository.httpUrl;
    this.upgradeFlake = repository.upgradeFlake;
    this.derivation = deployment.derivation;
    this.systemPath = deployment.systemPath;
    this.cacheSubstituter = cache?.substituter ?? pulumi.output("");
    this.cachePublicKey = cache?.publicKey ?? pulumi.output("");
    this.privateKey = this.loginKey;
    this.identityKey = this.machineKey;
    this.deployedGenerations = this.deployedKeyVersions;

    this.registerOutputs(outputsOf(this));
  }
}

/** Address of the web page of a DNS name, or of an IPv6 address, which stands in brackets there. */
function urlOf(host: string): string {
  return host.includes(":") ? `http://[${host}]` : `http://${host}`;
}

const ADOPTED_KEYS = ["adoptedKey", "adoptedHostKey"] as const;

/** GitHub has environments of private repositories on paid plans only. */
function hasEnvironments(property: string, { create, visibility, githubPlan }: CheckedRepository): string[] {
  if (!create || visibility !== "private" || githubPlan !== "free") return [];
  return [
    problem(property, "true", "false in a private repository on a free plan", "Its branches share their secrets."),
  ];
}

type CheckedRepository = ReturnType<typeof checkRepositorySettings>;

/** The inputs of a component are kept in the state too. */
function withSecrets(args: ContinuousDeploymentArgs): ContinuousDeploymentArgs {
  const given = ADOPTED_KEYS.filter((key) => args[key] !== undefined);
  return { ...args, ...Object.fromEntries(given.map((key) => [key, pulumi.secret(args[key])])) };
}

/**
 * Checks what does not name the repository; the program checks its configuration by it too. Returns what decides which
 * resources exist.
 */
export function checkChoices(checks: ArgumentRules, given: Partial<ContinuousDeploymentArgs>) {
  const args = underNewNames(checks, given, FORMER_NAMES);
  for (const key of ADOPTED_KEYS) {
    const value = args[key];
    if (value !== undefined) checks.ifPlain(key, value, ed25519PrivateKey);
  }
  const versions = checks.plain("keyVersions", args.keyVersions ?? DEFAULTS.keyVersions, keyVersionNumbers);
  checkMachineSettings(checks.of("machine"), args.machine ?? {});
  const repository = checkRepositorySettings(checks.of("repository"), args.repository ?? {});
  checkDeploymentSettings(checks.of("deployment"), args.deployment ?? {});
  const integration = checkIntegrationSettings(checks.of("integration"), args.integration ?? {});
  if (integration.environments) checks.plain("integration.environments", repository, hasEnvironments);
  return { versions, integration };
}

/**
 * Checks everything before the first part is made. The parts check their own arguments too, but when the last one
 * refuses, the engine has the others already and would create them.
 */
function checkedArgs(component: ContinuousDeployment, name: string, args: ContinuousDeploymentArgs) {
  const checks = new ArgumentRules(component, `ContinuousDeployment ${JSON.stringify(name)}`);
  checks.ifPlain("owner", args.owner, ownerName);
  checks.ifPlain("repositoryName", args.repositoryName, repositoryName);
  checks.ifPlain("branch", args.branch ?? "main", branchName);
  checks.ifPlain("access", args.access ?? DEFAULT_ACCESS, accessKind);
  const checked = checkChoices(checks, args);
  checks.refuseProblems();
  warnOfFormerNames(component, [args, FORMER_NAMES], [args.integration, OF_INTEGRATION]);
  return checked;
}
