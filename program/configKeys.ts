import type { ContinuousDeploymentArgs } from "../components/continuousDeployment";
import type { IntegrationSettings } from "../components/continuousIntegration";
import type { DeploymentSettings } from "../components/nixosDeployment";
import type { MachineSettings } from "../components/nixosInstance";
import type { RepositorySettings } from "../components/protectedRepository";

/** What a value is. */
export type Kind = "text" | "integer" | "boolean" | "texts" | "integers";

/** The kind that an argument asks for, so that no key can be of another. */
type KindOf<T> = string extends T
  ? "text"
  : number extends T
    ? "integer"
    : boolean extends T
      ? "boolean"
      : string[] extends T
        ? "texts"
        : number[] extends T
          ? "integers"
          : never;

type Kinds<Args> = { [Name in keyof Args]?: KindOf<Args[Name]> };

/** What only this program asks for: no component does anything with it. */
export interface OwnSettings {
  /**
   * What reports the required checks: `github-actions`, `garnix`, `hydra`, `other` (runs cli/ci/checks.sh), or `none`. A
   * required check that it does not report is refused, for it would lock the branch.
   * @default "github-actions"
   */
  checksFrom?: string;
}

/**
 * Every key of the project's configuration, in the groups of ContinuousDeployment's arguments and under their names.
 * Their rules, defaults and descriptions are the components'; docs/configuration.md is made from all of it.
 */
export const GROUPS = {
  machine: {
    release: "text",
    amiId: "text",
    instanceType: "text",
    rootVolumeGiB: "integer",
    subnetId: "text",
    sshCidrBlocks: "texts",
    sshIpv6CidrBlocks: "texts",
    httpCidrBlocks: "texts",
    httpIpv6CidrBlocks: "texts",
    httpPorts: "integers",
    extraRules: "texts",
    allowedRuleIds: "texts",
    exclusiveRules: "boolean",
  } satisfies Kinds<MachineSettings>,
  repository: {
    create: "boolean",
    visibility: "text",
    branchProtection: "text",
    checksFrom: "text",
    requiredChecks: "texts",
    requiredReviews: "integer",
    enforceAdmins: "boolean",
    onDestroy: "text",
    githubPlan: "text",
  } satisfies Kinds<RepositorySettings & OwnSettings>,
  deployment: {
    flake: "text",
    buildOn: "text",
    substitute: "boolean",
    evaluate: "boolean",
    confirmSeconds: "integer",
    allowDirty: "boolean",
  } satisfies Kinds<DeploymentSettings>,
  integration: {
    cache: "boolean",
    githubActionsRoles: "boolean",
    ownerId: "integer",
    oidcProviderArn: "text",
    previews: "text",
    environments: "boolean",
    deployEnvironment: "text",
    deployReviewers: "integers",
    deployInstanceTypes: "texts",
    stateBucketArn: "text",
    stateKeyArn: "text",
  } satisfies Kinds<IntegrationSettings>,
};

export type Group = keyof typeof GROUPS;

/** Keys of no group: the engine encrypts a key as a whole, and setup of keys is not a matter of one part. */
export const SINGLE = {
  keyVersions: "integers",
  separateMachineKey: "boolean",
  adoptedKey: "text",
  adoptedHostKey: "text",
  protect: "boolean",
} satisfies Kinds<ContinuousDeploymentArgs>;

/** Keys that must be encrypted in the stack's configuration. */
export const SECRETS = ["adoptedKey", "adoptedHostKey"] as const;

/** Every key by its path, such as `machine.release`. */
export const CONFIG_KEYS: Record<string, Kind> = {
  ...Object.fromEntries(
    Object.entries(GROUPS).flatMap(([group, keys]) =>
      Object.entries<Kind>(keys).map(([key, kind]) => [`${group}.${key}`, kind]),
    ),
  ),
  ...SINGLE,
};

/**
 * Where the keys of the last version are now. They are understood for one version more, and said. Then they go into
 * `REMOVED`.
 */
export const MOVED: Record<string, string> = {
  ...Object.fromEntries(
    [
      ...["release", "amiId", "instanceType", "rootVolumeGiB", "subnetId", "sshCidrBlocks", "sshIpv6CidrBlocks"],
      ...["httpCidrBlocks", "httpIpv6CidrBlocks", "httpPorts", "extraRules", "allowedRuleIds", "exclusiveRules"],
    ].map((key) => [key, `machine.${key}`]),
  ),
  ...Object.fromEntries(
    ["visibility", "requiredChecks", "requiredReviews", "enforceAdmins", "onDestroy"].map((key) => [
      key,
      `repository.${key}`,
    ]),
  ),
  createRepository: "repository.create",
  protection: "repository.branchProtection",
  ci: "repository.checksFrom",
  plan: "repository.githubPlan",
  ...Object.fromEntries(
    ["flake", "buildOn", "substitute", "evaluate", "confirmSeconds", "allowDirty"].map((key) => [
      key,
      `deployment.${key}`,
    ]),
  ),
  ...Object.fromEntries(
    [
      ...["cache", "oidcProviderArn", "previews", "environments", "deployEnvironment", "deployReviewers"],
      ...["deployInstanceTypes", "stateBucketArn", "stateKeyArn"],
    ].map((key) => [key, `integration.${key}`]),
  ),
  githubActions: "integration.githubActionsRoles",
  githubOwnerId: "integration.ownerId",
  keyGenerations: "keyVersions",
};

/** Keys that nothing has taken the place of, with what to do instead, in a sentence. None so far. */
export const REMOVED: Record<string, string> = {};
