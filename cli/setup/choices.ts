import * as rules from "../../components/values/rules";
import { cidrOf } from "../../components/values/cidr";
import type { ValueRule } from "../../components/values/errors";
import { x86InstanceType } from "../../components/values/instanceType";
import type { RepositoryFile } from "../../program/repositoryFile";
import { ownerName, repositoryName } from "../../components/values/repositoryNames";
import { ciSystem } from "../../program/requiredChecks";
import type { Plan } from "../diagnostics/githubUser";
import { type Project, setting, usual } from "../common/project";
import type { StackSettings } from "../common/stackFile";

/** What setup must know of a stack. */
export interface SetupChoices {
  owner: string;
  repository: string;
  /** Whether `pulumi up` creates the repository; false adopts one that exists. */
  create: boolean;
  visibility: string;
  branchProtection: string;
  access: string;
  region: string;
  instanceType: string;
  /** Networks that may log in, of both families. */
  ssh: string[];
  /** What reports the required checks. */
  checksFrom: string;
}

export const EVERYONE = ["0.0.0.0/0", "::/0"];

/** A network of either family, in the form of the one that it looks like. */
export const network: ValueRule<string> = (property, value) =>
  cidrOf(value.includes(":") ? "ipv6" : "ipv4")(property, value);

/** One check for each answer; the program itself makes the same ones. */
export const CHOICE_RULES: { [Name in keyof SetupChoices]: ValueRule<SetupChoices[Name]> } = {
  owner: ownerName,
  repository: repositoryName,
  create: () => [],
  visibility: rules.visibility,
  branchProtection: rules.branchProtection,
  access: rules.accessKind,
  region: rules.awsRegion,
  instanceType: x86InstanceType,
  ssh: (property, networks) =>
    networks.length === 0
      ? [`${property}: no network at all, and not even this computer could log in. Write "everyone" or a network.`]
      : networks.flatMap((value) => network(property, value)),
  checksFrom: ciSystem,
};

/** "everyone", or networks separated by commas or spaces. */
export function parseNetworks(text: string): string[] {
  return text.trim() === "everyone" ? EVERYONE : text.split(/[\s,]+/).filter((part) => part !== "");
}

/**
 * What the files say already. Of a fresh checkout only what is harmless to take over: who may log in and who may see
 * the repository are decisions that nobody has made yet.
 */
export function knownAnswers(project: Project, env: NodeJS.ProcessEnv): Partial<SetupChoices> {
  const { repository } = project;
  const fresh = repository.owner === "";
  const text = (key: string) => setting(project, key) as string | undefined;
  const harmless = {
    region: (project.settings["aws:region"] as string | undefined) ?? env["AWS_REGION"],
    instanceType: text("machine.instanceType"),
    branchProtection: text("repository.branchProtection"),
    access: repository.access,
    checksFrom: text("repository.checksFrom"),
  };
  if (fresh) return harmless;
  return {
    ...harmless,
    owner: repository.owner,
    repository: repository.name,
    create: setting(project, "repository.create") as boolean | undefined,
    visibility: text("repository.visibility"),
    ssh: [
      ...(setting(project, "machine.sshCidrBlocks") as string[]),
      ...(setting(project, "machine.sshIpv6CidrBlocks") as string[]),
    ],
  };
}

/** nix/repository.json with the answers; the branch is not asked for. */
export function repositoryFields(answers: SetupChoices, current: RepositoryFile): RepositoryFile {
  return { owner: answers.owner, name: answers.repository, branch: current.branch, access: answers.access };
}

/** The keys of the stack's file that the answers change. A value that is the default is written only over another. */
export function stackChanges(answers: SetupChoices, plan: Plan, project: Project): StackSettings {
  const own: StackSettings = {
    "machine.instanceType": answers.instanceType,
    "repository.create": answers.create,
    "repository.visibility": answers.visibility,
    "repository.branchProtection": answers.branchProtection,
    "machine.sshCidrBlocks": answers.ssh.filter((value) => !value.includes(":")),
    "machine.sshIpv6CidrBlocks": answers.ssh.filter((value) => value.includes(":")),
    "repository.checksFrom": answers.checksFrom,
    // What GitHub does not tell, a person may have written.
    ...(plan === "unknown" ? {} : { "repository.githubPlan": plan }),
  };
  const differing = Object.entries(own)
    .filter(([path, value]) => path in project.own || JSON.stringify(usual(path)) !== JSON.stringify(value))
    .map(([path, value]) => [`${project.name}:${path}`, value]);
  return {
    "aws:region": answers.region,
    "github:owner": answers.owner,
    ...(Object.fromEntries(differing) as StackSettings),
  };
}

/**
 * What a stack begins with that has nothing yet, unless somebody has decided it: a running one would lose rules that
 * somebody added by hand, so there it is a choice.
 */
export function newStackSettings(project: Project): StackSettings {
  const path = "machine.exclusiveRules";
  return path in project.own ? {} : { [`${project.name}:${path}`]: true };
}
