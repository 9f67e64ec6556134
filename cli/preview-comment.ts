import { appendFileSync, readFileSync } from "node:fs";
import { text as wholeText } from "node:stream/consumers";
import { command, start, UsageError } from "./common/command";
import { Github, githubApi, IN_A_JOB } from "./common/github";
import { keepMarked } from "./common/marked";
import { commentsOn, marker } from "./preview/comment";
import { HELP, type Options, OPTIONS, readOptions } from "./preview/options";
import { comparePackages } from "./preview/packages";
import type { Preview } from "./preview/preview";
import { readPreview } from "./preview/read";
import { type Comparisons, previewReport } from "./preview/report";
import { escapeInvisible } from "./render/text";
import { GITHUB_LIMIT, toMarkdown } from "./render/markdown";
import { toTerminal } from "./render/terminal";

const ABOUT = { call: "npm run preview-comment --", help: HELP, options: OPTIONS, refused: 2 } as const;

const previewComment = command(ABOUT, async (line, { env }, { say }) => {
  const options = readOptions(line, env);
  const told = await readInput(options.preview);
  // Read last: the preview writes it until its end.
  const read = readPreview(told, { exitCode: options.exitCode, log: readLog(options.log) });
  const preview = { ...read, project: read.project || options.project, stack: read.stack || options.stack };
  await show(preview, options, env, (text) => say(text.replace(/\n$/, "")));
  // The verdict is the preview's, whatever became of the comment.
  return options.exitCode ?? (preview.failed ? 1 : 0);
});

async function show(
  preview: Preview,
  { output, target, run, summary }: Options,
  env: NodeJS.ProcessEnv,
  say: (text: string) => void,
): Promise<void> {
  const report = previewReport(preview, await compareSystems(preview), run);
  if (summary !== undefined) appendFileSync(summary, toMarkdown(report));
  if (output === "terminal") {
    say(toTerminal(report, { colours: process.stdout.isTTY === true }));
    return;
  }
  const mark = marker(preview.project, preview.stack);
  const text = toMarkdown(report, GITHUB_LIMIT - mark.length - 1);
  if (output === "markdown") {
    say(text);
    return;
  }
  if ("missing" in target) {
    warn(`No comment was written: it needs ${target.missing.join(", ")}. --print shows it here instead.`);
    return;
  }
  const github = new Github(githubApi(env), env["GITHUB_TOKEN"] ?? "", IN_A_JOB);
  const { done, message } = await keepMarked(github, commentsOn(github, target), mark, { body: text });
  if (done) console.error(message);
  else warn(`No comment was written: ${message}`);
}

async function compareSystems({ systems }: Preview): Promise<Comparisons> {
  const comparisons: Comparisons = new Map();
  for (const { name, before, after } of systems) {
    if (before === undefined || after === undefined || before === after) continue;
    comparisons.set(name, await comparePackages(before, after));
  }
  return comparisons;
}

async function readInput(file: string): Promise<string> {
  try {
    return file === "-" ? await wholeText(process.stdin) : readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`--preview ${file} cannot be read: ${(error as Error).message}`);
  }
}

function readLog(file: string | undefined): string | undefined {
  try {
    return file === undefined ? undefined : readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** GitHub shows such lines on the run's page. */
function warn(message: string): void {
  console.error(process.env["GITHUB_ACTIONS"] === "true" ? `::warning::${escapeInvisible(message)}` : message);
}

void start(previewComment);
