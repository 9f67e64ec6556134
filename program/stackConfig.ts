import * as pulumi from "@pulumi/pulumi";
import { checkChoices, type ContinuousDeploymentArgs } from "../components/continuousDeployment";
import * as rules from "../components/values/rules";
import { DEFAULTS } from "../components/values/defaults";
import { ArgumentRules, problem, problemList, quote } from "../components/values/errors";
import { githubServer } from "../components/values/githubServer";
import { githubToken } from "../components/values/githubToken";
import { type Group, SECRETS, type SINGLE } from "./configKeys";
import { ENCRYPTED, formerKeysWarning, type ReadConfig, readConfig } from "./readConfig";
import { parseRepositoryFile } from "./repositoryFile";
import { CHECKS_FROM, ciSystem, unreportedChecks } from "./requiredChecks";

/**
 * Turns a stack's configuration and nix/repository.json into the arguments of ContinuousDeployment.
 *
 * Reads no file and no engine. Throws one error that lists every problem of both.
 *
 * @param config all of the stack's configuration, keys with their namespace, as `pulumi.runtime.allConfig()` gives it
 * @param project name of the project, which is the namespace of its keys
 * @param repositoryJson the text of nix/repository.json
 * @param workflows the texts of .github/workflows, which report the required checks
 * @param encrypted the keys that the stack's configuration has encrypted, with their namespace
 * @param environment which the providers read too
 * @param warn is told of keys that have other names now
 */
export function stackConfig(
  config: Record<string, string>,
  project: string,
  repositoryJson: string,
  workflows: string[],
  encrypted: string[],
  environment: NodeJS.ProcessEnv = process.env,
  warn: (text: string) => void = (text) => void pulumi.log.warn(text),
): ContinuousDeploymentArgs {
  const namespace = `${project}:`;
  const repositoryFile = parseRepositoryFile(repositoryJson);
  const read = readConfig(config, namespace, encrypted);
  const choices = choicesOf(read);
  const refused = choiceProblems(choices, namespace, read.encrypted);
  const problems = [
    ...read.problems,
    ...refused,
    ...ownProblems(read.values, namespace),
    // Of a configuration that is refused anyway they would say things twice.
    ...(read.problems.length + refused.length > 0
      ? []
      : checksProblems(read.values, namespace, workflows, repositoryFile.value?.branch)),
    ...providerProblems(config, repositoryFile.value?.owner, environment),
    ...repositoryFile.problems,
  ];
  const warning = formerKeysWarning(read.former, namespace);
  if (warning !== undefined) warn(warning);
  if (problems.length > 0 || repositoryFile.value === undefined) {
    throw new pulumi.RunError(problemList("The configuration of this stack", problems));
  }
  const { owner, name, branch, access } = repositoryFile.value;
  const args = { owner, repositoryName: name, branch, access, ...choices };
  for (const key of SECRETS) if (args[key] !== undefined) args[key] = pulumi.secret(args[key]);
  return args;
}

/** The keys that the stack's configuration has encrypted, as the engine tells the SDK, which keeps it to itself. */
export function encryptedKeys(environment: NodeJS.ProcessEnv): string[] {
  return JSON.parse(environment["PULUMI_CONFIG_SECRET_KEYS"] || "[]") as string[];
}

type Choices = Pick<ContinuousDeploymentArgs, Group | keyof typeof SINGLE>;

/** The groups are the parts of the component's arguments, under the same names. */
function choicesOf({ values }: ReadConfig): Choices {
  const choices: Record<string, Record<string, unknown>> = {
    machine: {},
    repository: {},
    deployment: {},
    integration: {},
  };
  const single: Record<string, unknown> = {};
  for (const [path, value] of Object.entries(values)) {
    const [group, name] = path.split(".") as [string, string?];
    if (name === undefined) single[group] = value;
    // No component knows where the checks come from.
    else if (name !== "checksFrom") choices[group]![name] = value;
  }
  return { ...choices, ...single };
}

/** What the component would refuse, under the names of the configuration. */
function choiceProblems(choices: Choices, namespace: string, encrypted: Set<string>): string[] {
  const checked = new ArgumentRules(undefined, "");
  checkChoices(checked, choices);
  return checked.found.map((text) => {
    const [name] = /^\w+/.exec(text)!;
    const shownText = encrypted.has(name)
      ? text.replace(/: got .*; allowed: /s, `: got ${ENCRYPTED}; allowed: `)
      : text;
    return namespace + shownText;
  });
}

/** What only this program knows the rules of. */
function ownProblems(values: Record<string, unknown>, namespace: string): string[] {
  const from = values["repository.checksFrom"] as string | undefined;
  const refused = from === undefined ? [] : ciSystem(`${namespace}repository.checksFrom`, from);
  // A repository that is made today has tokens with numbers in their subject; roles that trust names would never fit.
  const named = values["integration.ownerId"] !== undefined || values["repository.create"] === false;
  if (values["integration.githubActionsRoles"] !== true || named) return refused;
  const allowed = "GitHub's number of the owner, as githubActionsRoles is on and the repository is created here";
  const remedy =
    "`gh api users/<owner> --jq .id` prints it. For a repository made before 15 July 2026, opt in to immutable subject " +
    "claims too.";
  return [...refused, problem(`${namespace}integration.ownerId`, "none", allowed, remedy)];
}

/** A branch that waits for a check which nobody reports is locked for ever; here it costs nothing to find out. */
function checksProblems(
  values: Record<string, unknown>,
  namespace: string,
  workflows: string[],
  branch?: string,
): string[] {
  const value = <T>(name: string, usual: T) => (values[`repository.${name}`] as T | undefined) ?? usual;
  const { branchProtection, requiredChecks } = DEFAULTS.repository;
  return unreportedChecks(`${namespace}repository.requiredChecks`, value("requiredChecks", requiredChecks), {
    checksFrom: value("checksFrom", CHECKS_FROM),
    branchProtection: value("branchProtection", branchProtection),
    workflows,
    branch,
  });
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
