import * as rules from "../../components/values/rules";
import { cidrOf } from "../../components/values/cidr";
import type { ValueRule } from "../../components/values/errors";
import { x86InstanceType } from "../../components/values/instanceType";
import type { RepositoryFile } from "../../program/repositoryFile";
import { ownerName, repositoryName } from "../../components/values/repositoryNames";
import { ciSystem } from "../../program/requiredChecks";
import type { Plan } from "../diagnostics/githubUser";
import { type Project, setting } from "../common/project";
import type { StackSettings } from "../common/stackFile";

/** What setup must know of a stack. */
export interface SetupChoices {
  owner: string;
  repository: string;
  /** Whether `pulumi up` creates the repository; false adopts one that exists. */
  create: boolean;
  visibility: string;
  protection: string;
  access: string;
  region: string;
  instanceType: string;
  /** Networks that may log in, of both families. */
  ssh: string[];
  /** What reports the required checks. */
  ci: string;
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
  protection: rules.protection,
  access: rules.accessKind,
  region: rules.awsRegion,
  instanceType: x86InstanceType,
  ssh: (property, networks) =>
    networks.length === 0
      ? [`${property}: no network at all, and not even this computer could log in. Write "everyone" or a network.`]
      : networks.flatMap((value) => network(property, value)),
  ci: ciSystem,
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
    instanceType: text("instanceType"),
    protection: text("protection"),
    access: repository.access,
    ci: text("ci"),
  };
  if (fresh) return harmless;
  return {
    ...harmless,
    owner: repository.owner,
    repository: repository.name,
    create: setting(project, "createRepository") as boolean | undefined,
    visibility: text("visibility"),
    ssh: [
      ...((setting(project, "sshCidrBlocks") as string[] | undefined) ?? []),
      ...((setting(project, "sshIpv6CidrBlocks") as string[] | undefined) ?? []),
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
    instanceType: answers.instanceType,
    createRepository: answers.create,
    visibility: answers.visibility,
    protection: answers.protection,
    sshCidrBlocks: answers.ssh.filter((value) => !value.includes(":")),
    sshIpv6CidrBlocks: answers.ssh.filter((value) => value.includes(":")),
    ci: answers.ci,
    // What GitHub does not tell, a person may have written.
    ...(plan === "unknown" ? {} : { plan }),
  };
  const named = Object.entries(own).map(([key, value]) => [`${project.name}:${key}`, value] as const);
  const differing = named.filter(
    ([key, value]) => key in project.settings || JSON.stringify(project.defaults[key]) !== JSON.stringify(value),
  );
  return { "aws:region": answers.region, "github:owner": answers.owner, ...Object.fromEntries(differing) };
}

/**
 * What a stack begins with that has nothing yet, unless somebody has decided it: a running one would lose rules that
 * somebody added by hand, so there it is a choice.
 */
export function newStackSettings(project: Project): StackSettings {
  const key = `${project.name}:exclusiveRules`;
  return key in project.settings ? {} : { [key]: true };
}
