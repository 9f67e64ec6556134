import { accessBy } from "../../components/deploy/access/index.cjs";
import { checkWorkflowBranches, pushTo } from "../diagnostics/branch";
import { checkExisting, type Planned } from "../diagnostics/existing";
import { checkGithubOwner, type GithubOwner } from "../diagnostics/githubOwner";
import { checkGithubUser } from "../diagnostics/githubUser";
import { githubClient } from "../common/github";
import { command, refuse, type Ui, UsageError } from "../common/command";
import { checkLocal } from "../diagnostics/local";
import { counted, failed, printed, type Result } from "../common/result";
import { selectedStack, shortStackName, stackResources } from "../common/stack";
import type { Context } from "../common/context";
import { offerOwnRepository } from "../new/offer";
import { commitAction, type Offer, remoteAction, stackAction } from "./actions";
import { type SetupChoices, knownAnswers } from "./choices";
import { unreported } from "./ci";
import { decide, existenceProblems } from "./decide";
import { changeFiles, moveKeysOf } from "./files";
import { type Flags, flagFor, HELP, OPTIONS, readFlags } from "./flags";
import { type Project, readProjectFiles } from "../common/project";
import { askRepository } from "./questions";
import { UserError } from "../common/userError";

const WRITTEN = 0;
const CHECK_FAILED = 1;
const NOTHING_WRITTEN = 2;

const ABOUT = {
  call: "npm run setup --",
  help: HELP,
  options: OPTIONS,
  refused: NOTHING_WRITTEN,
  undone: "Nothing was written.",
};

export const setup = command(ABOUT, async (line, context, ui) => {
  const flags = readFlags(line);
  if (!flags.yes) refuse(flags.problems);
  if (!flags.yes && ui.prompts === undefined) {
    throw new UsageError("There is no terminal to ask at. Give the answers by flags, with --yes.");
  }
  const prompts = flags.yes ? undefined : ui.prompts;
  const stripped = await offerOwnRepository(context, { ...ui, prompts });
  if (stripped !== undefined) return stripped;
  const stack = flags.stack ?? (await chosenStack(context));
  const project = read(context.folder, stack);
  if (flags.moveKeys) {
    await moveKeysOf(project, prompts, ui);
    return WRITTEN;
  }
  const usual = knownAnswers(project, context.env);
  if (prompts === undefined) refuseMissing(flags, usual);

  const results: Result[] = [];
  const show = (found: Result[]) => {
    results.push(...found);
    if (found.length > 0) ui.say(printed(found));
  };
  show(await firstChecks(context, project, flags, ui));
  show(checkWorkflowBranches(context.folder, project.repository.branch));
  const client = await githubClient(context);
  const user = await checkGithubUser(client);
  show(user.results);

  const names = prompts
    ? await askRepository(prompts, flags.answers, {
        owner: user.login || undefined,
        repository: project.repository.name,
        ...usual,
      })
    : ({ ...usual, ...flags.answers } as SetupChoices);
  const github = await checkGithubOwner(client, user, names.owner, names.repository);
  show(github.results);

  const answers = await decide(prompts, flags.answers, { ...usual, ...names }, github, ui);
  const has = await stackResources(context, stack);
  show(existenceProblems(answers, github, has === undefined ? project : undefined));
  const isNew = has === undefined ? project.repository.owner === "" : has.length === 0;
  show(await checkExisting(client, planned(answers, github, project, stack, has)));

  const files = await changeFiles(project, answers, github.plan, isNew, prompts, ui);
  const asked = { ...ui, prompts };
  results.push(...(await offer("--init-stack", await stackAction(context, stack), flags.initStack, asked)));
  results.push(...(await offer("--add-remote", await remoteAction(context, answers), flags.addRemote, asked)));
  results.push(...(await offer("--commit", await commitAction(context, files), flags.commit, asked)));

  // With the closing lines and not here: they say what the first update needs.
  results.push(...unreported(project, answers));
  return farewell(results, answers, await pushTo(context, project.repository.branch), ui);
});

/** The files of another stack than the one that is selected must not be written because the CLI could not tell. */
async function chosenStack(context: Context): Promise<string> {
  const { name, doubt } = await selectedStack(context);
  if (doubt === "") return name;
  throw new UserError(
    `Which stack is selected cannot be told: ${doubt}\nRun this again, or name the stack: npm run setup -- --stack ${name}`,
  );
}

function planned(
  { owner, repository: name, create, protection }: SetupChoices,
  github: GithubOwner,
  project: Project,
  stack: string,
  has: string[] | undefined,
): Planned {
  const { branch } = project.repository;
  return { owner, name, branch, create, protection, exists: github.repository?.exists === true, stack, has };
}

function read(folder: string, stack: string): Project {
  return readProjectFiles(folder, shortStackName(stack));
}

/** Without prompts: every wrong and every missing flag in one message. */
function refuseMissing(flags: Flags, usual: Partial<SetupChoices>): void {
  const given = { ...usual, ...flags.answers };
  const needed = ["owner", "repository", "visibility", "region", "instanceType", "ssh"] as const;
  // The visibility of an adopted repository is not asked for.
  const missing = needed.filter(
    (name) => given[name] === undefined && !(name === "visibility" && given.create === false),
  );
  const problems = [
    ...flags.problems,
    ...missing.map((name) => `${flagFor(name)} is missing, and the files do not say it either.`),
  ];
  refuse(problems);
}

async function firstChecks(context: Context, project: Project, flags: Flags, ui: Ui): Promise<Result[]> {
  ui.say(`Checking what stack ${project.stack} needs …`);
  const text = (key: string) => project.settings[key] as string | undefined;
  return checkLocal(context, {
    branch: project.repository.branch,
    region: flags.answers.region ?? text("aws:region") ?? context.env["AWS_REGION"] ?? "us-east-1",
    profile: text("aws:profile") ?? "",
  });
}

/** Asks at a terminal; without one the flag decides. Returns what was wanted and could not be done. */
async function offer(flag: string, action: Offer, isGiven: boolean, { say, prompts }: Ui): Promise<Result[]> {
  if (action === undefined) return [];
  const notDone = (why: string) => [failed(flag, `not done: ${why}`, "Put that right, and run setup again.")];
  if ("impossible" in action) return isGiven ? notDone(action.impossible) : [];
  if (!(isGiven || (prompts !== undefined && (await prompts.confirm(action.question, true))))) return [];
  const why = await action.run();
  if (why !== undefined) return notDone(why);
  say(`Done: ${action.question.replace(/\?$/, "")}`);
  return [];
}

function farewell(results: Result[], answers: SetupChoices, push: string, ui: Ui): number {
  const bad = results.filter(({ outcome }) => outcome === "failed");
  ui.say(`\n${counted(results)}`);
  if (bad.length > 0) {
    ui.say(`Before \`npx pulumi up\`:\n${printed(bad)}\nThen \`npm run doctor\` checks again.`);
    return CHECK_FAILED;
  }
  ui.say(["Next:", "npx pulumi up", ...(accessBy(answers.access).secret?.afterUpdate ?? []), push].join("\n  "));
  return WRITTEN;
}
