import { readFileSync } from "node:fs";
import { command, refuse, start, wrong } from "../common/command";
import { EXIT_CODE } from "../preview/options";
import { Github, githubApi, IN_A_JOB } from "../common/github";
import { hiddenMark, keepMarked } from "../common/marked";
import { readPreview } from "../preview/read";
import { GITHUB_LIMIT, toMarkdown } from "../render/markdown";
import { toTerminal } from "../render/terminal";
import { driftReport } from "./driftReport";
import { issuesOf } from "./issue";
import { askMachine, machineProblem } from "./machineStatus";

const HELP = `Says whether the infrastructure is still what the program says, and the machine runs main.

  pulumi preview --refresh --json > preview.json; status=$?
  npx tsx cli/ci/drift.ts --preview preview.json --exit-code $status --stack PROJECT/STACK --url URL --revision SHA

Options:
  --preview FILE        output of "pulumi preview --refresh --json"
  --log FILE            what the preview wrote on standard error
  --exit-code N         exit code of the preview
  --stack PROJECT/STACK which stack it is: there is one issue for each
  --url URL             address of the machine, the stack's output "url"; empty: it is not asked
  --revision SHA        newest revision of main

Keeps one issue in GITHUB_REPOSITORY with GITHUB_TOKEN; without them only prints. GITHUB_API_URL names another server.
Exit code: 0 when everything was compared and said, 1 when not, 2 for wrong options.
`;

/** A push that is minutes old may still be on its way to the machine. */
const LOOKS = { times: 4, seconds: 60 };

const text = { type: "string" } as const;
const ABOUT = {
  call: "npx tsx cli/ci/drift.ts",
  help: HELP,
  options: { preview: text, log: text, "exit-code": text, stack: text, url: text, revision: text },
  mayBeEmpty: ["url"],
} as const;

const drift = command(ABOUT, async ({ values }, { env }, ui) => {
  const { preview: file = "", stack = "", url = "", revision = "", log } = values;
  refuse([
    ...Object.entries({ preview: file, stack, revision }).flatMap(([name, value]) =>
      value ? [] : [`--${name} is missing.`],
    ),
    ...wrong("--exit-code", values["exit-code"], ...EXIT_CODE),
  ]);
  const preview = readPreview(readFileSync(file, "utf8"), {
    exitCode: values["exit-code"] === undefined ? undefined : Number(values["exit-code"]),
    log: log === undefined ? undefined : readFileSync(log, "utf8"),
  });
  const machine = await machineProblem(url, revision, askMachine, LOOKS);
  const report = driftReport(preview, machine);
  ui.say(toTerminal(report.report, { colours: process.stdout.isTTY === true }).trimEnd());

  const { GITHUB_TOKEN: token, GITHUB_REPOSITORY: repository } = env;
  if (!token || !repository) return preview.failed ? 1 : 0;
  const github = new Github(githubApi(env), token, IN_A_JOB);
  const mark = hiddenMark("drift", stack);
  const body = toMarkdown(report.report, GITHUB_LIMIT - mark.length - 1);
  const said = report.clean ? undefined : { title: `Drift in ${stack}`, body };
  const { done, message } = await keepMarked(github, issuesOf(github, repository), mark, said);
  ui.complain(done ? message : `The issue could not be kept: ${message}`);
  return done && !preview.failed ? 0 : 1;
});

void start(drift);
