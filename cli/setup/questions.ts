import { isShortOfMemory } from "../../components/values/instanceType";
import type { GithubOwner } from "../diagnostics/githubOwner";
import { CHOICE_RULES, type SetupChoices, EVERYONE, parseNetworks } from "./choices";
import { CI_CHOICES } from "./ci";
import type { Prompts } from "../common/prompts";

/** Asks for the repository: its owner and name come first, because GitHub is asked about them next. */
export async function askRepository(
  prompts: Prompts,
  flags: Partial<SetupChoices>,
  usual: Partial<SetupChoices>,
): Promise<Pick<SetupChoices, "owner" | "repository">> {
  return {
    owner: flags.owner ?? (await askText(prompts, "GitHub user or organization", "owner", usual.owner)),
    repository: flags.repository ?? (await askText(prompts, "GitHub repository", "repository", usual.repository)),
  };
}

/** Asks for everything else, knowing what GitHub said. */
export async function askRest(
  prompts: Prompts,
  flags: Partial<SetupChoices>,
  usual: Partial<SetupChoices>,
  github: GithubOwner,
): Promise<Omit<SetupChoices, "owner" | "repository" | "branchProtection" | "access">> {
  const create = flags.create ?? usual.create ?? (await askCreate(prompts, github));
  return {
    create,
    visibility: flags.visibility ?? (create ? await askVisibility(prompts, usual.visibility) : adopted(github, usual)),
    region: flags.region ?? (await askText(prompts, "AWS region", "region", usual.region ?? "us-east-1")),
    instanceType: flags.instanceType ?? (await askInstanceType(prompts, usual.instanceType)),
    ssh: flags.ssh ?? (await askNetworks(prompts, usual.ssh)),
    checksFrom: flags.checksFrom ?? (await askCi(prompts, usual.checksFrom)),
  };
}

/** The visibility of an adopted repository is GitHub's to say, and is not managed. */
function adopted(github: GithubOwner, usual: Partial<SetupChoices>): string {
  return github.repository?.visibility || usual.visibility || "private";
}

async function askCreate(prompts: Prompts, github: GithubOwner): Promise<boolean> {
  const exists = github.repository?.exists === true;
  const answer = await prompts.choose(
    exists ? "The repository exists. Use it, or create another?" : "The repository was not found. Create it?",
    [
      { value: "create", name: "create: `pulumi up` makes it" },
      { value: "adopt", name: "adopt: it exists; only its protection and deploy key are managed" },
    ],
    exists ? "adopt" : "create",
  );
  return answer === "create";
}

function askVisibility(prompts: Prompts, usual = "private"): Promise<string> {
  return prompts.choose(
    "Who may see the repository?",
    [
      { value: "private", name: "private: protecting its branch needs a paid GitHub plan" },
      { value: "public", name: "public: everybody; protection is free" },
      { value: "internal", name: "internal: the members of a GitHub Enterprise" },
    ],
    usual,
  );
}

async function askInstanceType(prompts: Prompts, usual: string | undefined): Promise<string> {
  const answer = await askText(prompts, "EC2 instance type", "instanceType", usual ?? "t3.small");
  if (!isShortOfMemory(answer)) return answer;
  const question = `${answer} has 1 GiB of memory or less, and evaluating NixOS takes about 1.1 GB. Take it all the same?`;
  return (await prompts.confirm(question, false)) ? answer : askInstanceType(prompts, usual);
}

async function askNetworks(prompts: Prompts, usual: string[] | undefined): Promise<string[]> {
  const everyone = usual !== undefined && EVERYONE.every((network) => usual.includes(network));
  const answer = await prompts.choose(
    "Who may log in over SSH (with the key, which this stack makes)?",
    [
      { value: "everyone", name: "everyone: any address may try; without the key none gets in" },
      { value: "networks", name: "only given networks; this computer must be in one of them" },
    ],
    usual === undefined || everyone ? "everyone" : "networks",
  );
  if (answer === "everyone") return EVERYONE;
  const text = await prompts.text(
    "Networks, separated by commas (203.0.113.0/24, 2001:db8::/32)",
    everyone ? undefined : usual?.join(", "),
    (typed) => CHOICE_RULES.ssh("networks", parseNetworks(typed)),
  );
  return parseNetworks(text);
}

function askCi(prompts: Prompts, usual = "github-actions"): Promise<string> {
  return prompts.choose("What checks pull requests before they are merged?", CI_CHOICES, usual);
}

function askText(
  prompts: Prompts,
  question: string,
  name: "owner" | "repository" | "region" | "instanceType",
  usual: string | undefined,
): Promise<string> {
  return prompts.text(question, usual, (answer) => CHOICE_RULES[name](question, answer));
}
