import * as pulumi from "@pulumi/pulumi";
import { closest } from "fastest-levenshtein";
import * as rules from "../components/values/rules";
import { cidrOf } from "../components/values/cidr";
import type { ContinuousDeploymentArgs } from "../components/continuousDeployment";
import { reviewers } from "../components/continuousIntegration";
import { RULES } from "../components/deploy/rules.cjs";
import { type ValueRule, problem, problemList, quote } from "../components/values/errors";
import { extraRules, securityGroupRuleId } from "../components/firewallRules";
import { githubServer } from "../components/values/githubServer";
import { githubToken } from "../components/values/githubToken";
import { x86InstanceType } from "../components/values/instanceType";
import { amiId, nixosRelease } from "../components/values/nixosAmi";
import { keyGenerationNumbers } from "../components/keys/keyGenerations";
import { ed25519PrivateKey } from "../components/keys/openssh";
import { ciSystem, unreportedChecks } from "./requiredChecks";
import { parseJson } from "../components/values/nesting";
import { parseRepositoryFile } from "./repositoryFile";
import { REQUIRED_CHECKS, requiredCheckNames } from "../components/values/repositoryNames";

/** The form in which the engine hands over one value: texts as they are, everything else as JSON. */
type Kind = "string" | "integer" | "boolean" | "array";

interface Key {
  kind: Kind;
  check: ValueRule<never>;
  /** Whether it must be encrypted in the stack's configuration. */
  secret?: true;
}

const anything: ValueRule<unknown> = () => [];
const text = (check: ValueRule<string>): Key => ({ kind: "string", check });
const integer = (check: ValueRule<number>): Key => ({ kind: "integer", check });
const boolean: Key = { kind: "boolean", check: anything };
const each = <T>(check: ValueRule<T>): Key => ({
  kind: "array",
  check: (property, values: T[]) => [
    ...values.flatMap((value, index) => check(`${property}[${index}]`, value)),
    ...rules.unique(property, values),
  ],
});

/** Every key of the project's configuration; Pulumi.yaml describes them and holds their defaults. */
export const CONFIG_KEYS = {
  release: text(nixosRelease),
  amiId: text(amiId),
  instanceType: text(x86InstanceType),
  rootVolumeGiB: integer(rules.rootVolumeGiB),
  sshCidrBlocks: each(cidrOf("ipv4")),
  sshIpv6CidrBlocks: each(cidrOf("ipv6")),
  httpCidrBlocks: each(cidrOf("ipv4")),
  httpIpv6CidrBlocks: each(cidrOf("ipv6")),
  httpPorts: { kind: "array", check: rules.httpPorts } as Key,
  subnetId: text(rules.subnetId),
  extraRules: { kind: "array", check: extraRules } as Key,
  allowedRuleIds: each(securityGroupRuleId),
  exclusiveRules: boolean,
  createRepository: boolean,
  visibility: text(rules.visibility),
  protection: text(rules.protection),
  requiredChecks: { kind: "array", check: requiredCheckNames } as Key,
  requiredReviews: integer(rules.requiredReviews),
  enforceAdmins: boolean,
  onDestroy: text(rules.onDestroy),
  plan: text(rules.ownerPlan),
  flake: text(rules.byRule(RULES.flake)),
  buildOn: text(rules.byRule(RULES.buildOn)),
  substitute: boolean,
  evaluate: boolean,
  confirmSeconds: integer(rules.byRule(RULES.confirmSeconds)),
  allowDirty: boolean,
  keyGenerations: { kind: "array", check: keyGenerationNumbers } as Key,
  separateMachineKey: boolean,
  adoptedKey: { ...text(ed25519PrivateKey), secret: true },
  adoptedHostKey: { ...text(ed25519PrivateKey), secret: true },
  protect: boolean,
  ci: text(ciSystem),
  cache: boolean,
  githubActions: boolean,
  // 0 means none: an integer of the schema can have no empty default.
  githubOwnerId: integer((property, value) => (value === 0 ? [] : rules.githubId(property, value))),
  oidcProviderArn: text(rules.arnOf("iam")),
  previews: text(rules.previewsWord),
  environments: boolean,
  deployEnvironment: text(rules.environmentName),
  deployReviewers: { kind: "array", check: reviewers } as Key,
  deployInstanceTypes: each(x86InstanceType),
  stateBucketArn: text(rules.arnOf("s3")),
  stateKeyArn: text(rules.arnOf("kms")),
} satisfies Record<string, Key>;

/**
 * Turns a stack's configuration and nix/repository.json into the arguments of ContinuousDeployment.
 *
 * Pure: reads no file and no engine. Throws one error that lists every problem of both.
 *
 * @param config all of the stack's configuration, keys with their namespace, as `pulumi.runtime.allConfig()` gives it
 * @param project name of the project, which is the namespace of its keys
 * @param repositoryJson the text of nix/repository.json
 * @param workflows the texts of .github/workflows, which report the required checks
 * @param encrypted the keys that the stack's configuration has encrypted, with their namespace
 * @param environment which the providers read too
 */
export function stackConfig(
  config: Record<string, string>,
  project: string,
  repositoryJson: string,
  workflows: string[],
  encrypted: string[],
  environment: NodeJS.ProcessEnv = process.env,
): ContinuousDeploymentArgs {
  const repositoryFile = parseRepositoryFile(repositoryJson);
  const own = readOwnKeys(config, `${project}:`, encrypted);
  const problems = [
    ...unknownKeys(config, `${project}:`),
    ...own.problems,
    ...(own.problems.length === 0
      ? checksProblems(own.values, `${project}:`, workflows, repositoryFile.value?.branch)
      : []),
    ...ownerIdProblems(own.values, `${project}:`),
    ...providerProblems(config, repositoryFile.value?.owner, environment),
    ...repositoryFile.problems,
  ];
  if (problems.length > 0 || repositoryFile.value === undefined) {
    throw new pulumi.RunError(problemList("The configuration of this stack", problems));
  }

  const { owner, name, branch, access } = repositoryFile.value;
  const value = <T>(key: keyof typeof CONFIG_KEYS) => own.values[key] as T | undefined;
  const secret = (key: keyof typeof CONFIG_KEYS) => {
    const text = value<string>(key);
    return text === undefined ? undefined : pulumi.secret(text);
  };
  return {
    owner,
    repositoryName: name,
    branch,
    access,
    keyGenerations: value("keyGenerations"),
    separateMachineKey: value("separateMachineKey"),
    adoptedKey: secret("adoptedKey"),
    adoptedHostKey: secret("adoptedHostKey"),
    protect: value("protect"),
    machine: {
      release: value("release"),
      amiId: value("amiId"),
      instanceType: value("instanceType"),
      rootVolumeGiB: value("rootVolumeGiB"),
      sshCidrBlocks: value("sshCidrBlocks"),
      sshIpv6CidrBlocks: value("sshIpv6CidrBlocks"),
      httpCidrBlocks: value("httpCidrBlocks"),
      httpIpv6CidrBlocks: value("httpIpv6CidrBlocks"),
      httpPorts: value("httpPorts"),
      subnetId: value("subnetId"),
      extraRules: value("extraRules"),
      allowedRuleIds: value("allowedRuleIds"),
      exclusiveRules: value("exclusiveRules"),
    },
    repository: {
      create: value("createRepository"),
      visibility: value("visibility"),
      protection: value("protection"),
      requiredChecks: value("requiredChecks"),
      requiredReviews: value("requiredReviews"),
      enforceAdmins: value("enforceAdmins"),
      onDestroy: value("onDestroy"),
      plan: value("plan"),
    },
    deployment: {
      flake: value("flake"),
      buildOn: value("buildOn"),
      substitute: value("substitute"),
      evaluate: value("evaluate"),
      confirmSeconds: value("confirmSeconds"),
      allowDirty: value("allowDirty"),
    },
    integration: {
      cache: value("cache"),
      githubActions: value("githubActions"),
      ownerId: value<number>("githubOwnerId") || undefined,
      oidcProviderArn: value("oidcProviderArn"),
      previews: value("previews"),
      environments: value("environments"),
      deployEnvironment: value("deployEnvironment"),
      deployReviewers: value("deployReviewers"),
      deployInstanceTypes: value("deployInstanceTypes"),
      stateBucketArn: value("stateBucketArn"),
      stateKeyArn: value("stateKeyArn"),
    },
  };
}

/** The keys that the stack's configuration has encrypted, as the engine tells the SDK, which keeps it to itself. */
export function encryptedKeys(environment: NodeJS.ProcessEnv): string[] {
  return JSON.parse(environment["PULUMI_CONFIG_SECRET_KEYS"] || "[]") as string[];
}

/** A branch that waits for a check which nobody reports is locked for ever; here it costs nothing to find out. */
function checksProblems(
  values: Record<string, unknown>,
  namespace: string,
  workflows: string[],
  branch?: string,
): string[] {
  const { ci = "github-actions", protection = "branch", requiredChecks = REQUIRED_CHECKS } = values;
  return unreportedChecks(`${namespace}requiredChecks`, requiredChecks as string[], {
    ci: ci as string,
    protection: protection as string,
    workflows,
    branch,
  });
}

/** A repository that is made today has tokens with numbers in their subject; roles that trust names would never fit. */
function ownerIdProblems(
  { githubActions, githubOwnerId, createRepository }: Record<string, unknown>,
  namespace: string,
) {
  if (githubActions !== true || createRepository === false || githubOwnerId) return [];
  return [
    problem(
      `${namespace}githubOwnerId`,
      quote(githubOwnerId ?? 0),
      "GitHub's number of the owner, as githubActions is on and the repository is created here",
      "`gh api users/<owner> --jq .id` prints it. For a repository made before 15 July 2026, opt in to immutable subject " +
        "claims too.",
    ),
  ];
}

/** The engine ignores a key that its schema does not know, so a typo would silently mean the default. */
function unknownKeys(config: Record<string, string>, namespace: string): string[] {
  const known = Object.keys(CONFIG_KEYS);
  return Object.keys(config)
    .filter((key) => key.startsWith(namespace) && !known.includes(key.slice(namespace.length)))
    .map((key) => `${key}: no such key. Did you mean ${namespace}${closest(key.slice(namespace.length), known)}?`);
}

function readOwnKeys(config: Record<string, string>, namespace: string, encrypted: string[]) {
  const values: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [name, { kind, check, secret }] of Object.entries<Key>(CONFIG_KEYS)) {
    const raw = config[namespace + name];
    // A key of the schema needs a default, and the empty text is the only one that says "none".
    if (raw === undefined || raw === "") continue;
    if (secret && !encrypted.includes(namespace + name)) {
      problems.push(plainSecret(namespace + name));
      continue;
    }
    const value = decode(raw, kind);
    if (value === undefined) problems.push(problem(namespace + name, quote(raw), `a value of type ${kind}`));
    else problems.push(...check(namespace + name, value as never));
    values[name] = value;
  }
  return { values, problems };
}

function plainSecret(key: string): string {
  const remedy =
    `Set it again: pulumi config set --secret ${key} < FILE. ` +
    `If the plain one was ever committed or pushed, it is no secret any more.`;
  return problem(key, "a value in plain text", "an encrypted one", remedy);
}

/** The value in its type, or undefined if it has another. */
function decode(raw: string, kind: Kind): unknown {
  if (kind === "string") return raw;
  let value: unknown;
  try {
    value = parseJson(raw);
  } catch {
    return undefined;
  }
  const fits = { integer: Number.isInteger(value), boolean: typeof value === "boolean", array: Array.isArray(value) };
  return fits[kind] ? value : undefined;
}

/** What the providers would find out only after the first resources exist. */
function providerProblems(
  config: Record<string, string>,
  owner: string | undefined,
  environment: NodeJS.ProcessEnv,
): string[] {
  const region = config["aws:region"];
  const token = config["github:token"];
  const providerOwner = config["github:owner"];
  return [
    ...(region === undefined ? [] : rules.awsRegion("aws:region", region)),
    ...githubServer("github:baseUrl", config["github:baseUrl"]),
    ...githubServer("GITHUB_BASE_URL", environment["GITHUB_BASE_URL"]),
    ...(token === undefined ? [] : githubToken("github:token", token)),
    ...(providerOwner === undefined || owner === undefined || owner === "" || providerOwner === owner
      ? []
      : [problem("github:owner", quote(providerOwner), `${quote(owner)}, the owner in nix/repository.json`)]),
  ];
}
