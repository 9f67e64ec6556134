import { problemList } from "../../components/values/errors";
import { checkWorkflowBranches, pushTo } from "../checks/branch";
import { checkExisting, type Planned } from "../checks/existing";
import { checkGithubOwner, type GithubOwner } from "../checks/githubOwner";
import { checkGithubUser } from "../checks/githubUser";
import { githubClient } from "../common/github";
import { checkLocal } from "../checks/local";
import { counted, printed, type Result } from "../common/result";
import { selectedStack, shortStackName, stackResources } from "../common/stack";
import type { Surroundings } from "../common/context";
import { offerOwnRepository } from "../new/offer";
import { type Action, commitAction, remoteAction, stackAction } from "./actions";
import { type Answers, knownAnswers } from "./answers";
import { unreported } from "./ci";
import { decide, existenceProblems } from "./decide";
import { changeFiles } from "./files";
import { type Flags, flagFor, HELP, readFlags } from "./flags";
import { type Project, readProjectFiles } from "../common/project";
import { isFarewell, type Prompts } from "../common/prompts";
import { askRepository } from "./questions";
import { Refusal } from "../common/refusal";
import type { Ui } from "./ui";

const WRITTEN = 0;
const CHECK_FAILED = 1;
const NOTHING_WRITTEN = 2;

/** Runs setup and returns the exit code. */
export async function setup(argv: string[], around: Surroundings, ui: Ui): Promise<number> {
  try {
    return await run(argv, around, ui);
  } catch (error) {
    if (isFarewell(error)) ui.say("Stopped. What was written before stays; setup can be run again.");
    else if (error instanceof Refusal) ui.say(`${error.message}\nNothing was written.`);
    else throw error;
    return NOTHING_WRITTEN;
  }
}

async function run(argv: string[], around: Surroundings, ui: Ui): Promise<number> {
  const flags = understood(argv);
  if (flags.help) {
    ui.say(HELP);
    return WRITTEN;
  }
  if (!flags.yes && ui.prompts === undefined) {
    throw new Refusal("There is no terminal to ask at. Give the answers by flags, with --yes: npm run setup -- --help");
  }
  const prompts = flags.yes ? undefined : ui.prompts;
  const stripped = await offerOwnRepository(around.folder, prompts, (text) => ui.say(text));
  if (stripped !== undefined) return stripped;
  const stack = flags.stack ?? (await chosenStack(around));
  const project = read(around.folder, stack);
  const usual = knownAnswers(project, around.env);
  if (prompts === undefined) refuseMissing(flags, usual);

  const results: Result[] = [];
  const show = (found: Result[]) => {
    results.push(...found);
    if (found.length > 0) ui.say(printed(found));
  };
  show(await firstChecks(around, project, flags, ui));
  show(checkWorkflowBranches(around.folder, project.repository.branch));
  const client = await githubClient(around);
  const user = await checkGithubUser(client);
  show(user.results);

  const names = prompts
    ? await askRepository(prompts, flags.answers, {
        owner: user.login || undefined,
        repository: project.repository.name,
        ...usual,
      })
    : ({ ...usual, ...flags.answers } as Answers);
  const github = await checkGithubOwner(client, user, names.owner, names.repository);
  show(github.results);

  const answers = await decide(prompts, flags.answers, { ...usual, ...names }, github, ui);
  const has = await stackResources(around, stack);
  show(existenceProblems(answers, github, has === undefined ? project : undefined));
  const isNew = has === undefined ? project.repository.owner === "" : has.length === 0;
  show(await checkExisting(client, planned(answers, github, project, stack, has)));

  const files = await changeFiles(project, answers, github.plan, isNew, prompts, ui);
  await offer(await stackAction(around, stack), flags.initStack, prompts, ui);
  await offer(await remoteAction(around, answers), flags.addRemote, prompts, ui);
  await offer(await commitAction(around, files), flags.commit, prompts, ui);

  // With the closing lines and not here: they say what the first update needs.
  results.push(...unreported(project, answers));
  return farewell(results, answers, await pushTo(around, project.repository.branch), ui);
}

/** The files of another stack than the one that is selected must not be written because the CLI could not tell. */
async function chosenStack(around: Surroundings): Promise<string> {
  const { name, doubt } = await selectedStack(around);
  if (doubt === "") return name;
  throw new Refusal(
    `Which stack is selected cannot be told: ${doubt}\nRun this again, or name the stack: npm run setup -- --stack ${name}`,
  );
}

function planned(
  { owner, repository: name, create, protection }: Answers,
  github: GithubOwner,
  project: Project,
  stack: string,
  has: string[] | undefined,
): Planned {
  const { branch } = project.repository;
  return { owner, name, branch, create, protection, exists: github.repository?.exists === true, stack, has };
}

function understood(argv: string[]): Flags {
  let flags: Flags;
  try {
    flags = readFlags(argv);
  } catch (error) {
    throw new Refusal(`${(error as Error).message}\nAll flags: npm run setup -- --help`);
  }
  if (flags.problems.length > 0 && !flags.yes) throw new Refusal(problemList("The command line", flags.problems));
  return flags;
}

function read(folder: string, stack: string): Project {
  try {
    return readProjectFiles(folder, shortStackName(stack));
  } catch (error) {
    throw new Refusal((error as Error).message);
  }
}

/** Without prompts: every wrong and every missing flag in one message. */
function refuseMissing(flags: Flags, usual: Partial<Answers>): void {
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
  if (problems.length > 0)
    throw new Refusal(`${problemList("The command line", problems)}\nAll flags: npm run setup -- --help`);
}

async function firstChecks(around: Surroundings, project: Project, flags: Flags, ui: Ui): Promise<Result[]> {
  ui.say(`Checking what stack ${project.stack} needs …`);
  const text = (key: string) => project.settings[key] as string | undefined;
  return checkLocal(around, {
    branch: project.repository.branch,
    region: flags.answers.region ?? text("aws:region") ?? around.env["AWS_REGION"] ?? "us-east-1",
    profile: text("aws:profile") ?? "",
  });
}

/** Asks at a terminal; without one the flag decides. */
async function offer(action: Action | undefined, flag: boolean, prompts: Prompts | undefined, ui: Ui): Promise<void> {
  if (action === undefined) return;
  if (!(flag || (prompts !== undefined && (await prompts.confirm(action.question, true))))) return;
  const why = await action.run();
  ui.say(why === undefined ? `Done: ${action.question.replace(/\?$/, "")}` : `Not done: ${why}`);
}

const TOKEN_STEPS = [
  "npm run secrets -- init && npm run secrets -- token",
  "git add .sops.yaml nix/secrets.yaml && git commit -m 'Add the token'",
  "npx pulumi up",
];

function farewell(results: Result[], answers: Answers, push: string, ui: Ui): number {
  const bad = results.filter(({ outcome }) => outcome === "failed");
  ui.say(`\n${counted(results)}`);
  if (bad.length > 0) {
    ui.say(`Before \`npx pulumi up\`:\n${printed(bad)}\nThen \`npm run doctor\` checks again.`);
    return CHECK_FAILED;
  }
  // The token reaches the machine by a second update: without it the machine cannot see a push.
  const token = answers.access === "token" ? TOKEN_STEPS : [];
  ui.say(["Next:", "npx pulumi up", ...token, push].join("\n  "));
  return WRITTEN;
}
