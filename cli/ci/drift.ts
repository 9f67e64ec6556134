import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
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
  --help                this text

Keeps one issue in GITHUB_REPOSITORY with GITHUB_TOKEN; without them only prints. GITHUB_API_URL names another server.
Exit code: 0 when everything was compared and said, 1 when not, 2 for wrong options.
`;

/** A push that is minutes old may still be on its way to the machine. */
const LOOKS = { times: 4, seconds: 60 };

async function main(argv: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const options = readOptions(argv);
  if (typeof options === "string") {
    const help = options === HELP;
    (help ? process.stdout : process.stderr).write(options);
    return help ? 0 : 2;
  }
  const preview = readPreview(readFileSync(options.preview, "utf8"), {
    exitCode: options.exitCode,
    log: options.log === undefined ? undefined : readFileSync(options.log, "utf8"),
  });
  const machine = await machineProblem(options.url, options.revision, askMachine, LOOKS);
  const report = driftReport(preview, machine);
  process.stdout.write(toTerminal(report.report, { colours: process.stdout.isTTY === true }));

  const { GITHUB_TOKEN: token, GITHUB_REPOSITORY: repository } = env;
  if (!token || !repository) return preview.failed ? 1 : 0;
  const github = new Github(githubApi(env), token, IN_A_JOB);
  const mark = hiddenMark("drift", options.stack);
  const body = toMarkdown(report.report, GITHUB_LIMIT - mark.length - 1);
  const text = report.clean ? undefined : { title: `Drift in ${options.stack}`, body };
  const { done, message } = await keepMarked(github, issuesOf(github, repository), mark, text);
  console.error(done ? message : `The issue could not be kept: ${message}`);
  return done && !preview.failed ? 0 : 1;
}

function readOptions(argv: string[]) {
  const text = { type: "string" } as const;
  const options = { preview: text, log: text, "exit-code": text, stack: text, url: text, revision: text };
  let values;
  try {
    values = parseArgs({ args: argv, options: { ...options, help: { type: "boolean" } } }).values;
  } catch (error) {
    return `${(error as Error).message}\nSee --help.\n`;
  }
  if (values.help === true) return HELP;
  const { preview, stack, url = "", revision } = values;
  const missing = Object.entries({ preview, stack, revision }).filter(([, value]) => !value);
  if (!preview || !stack || !revision)
    return `Missing: ${missing.map(([key]) => `--${key}`).join(", ")}. See --help.\n`;
  const exitCode = values["exit-code"] === undefined ? undefined : Number(values["exit-code"]);
  if (exitCode !== undefined && !Number.isInteger(exitCode)) {
    return `--exit-code must be a number, but is ${JSON.stringify(values["exit-code"])}.\n`;
  }
  return { preview, stack, url, revision, exitCode, log: values.log };
}

main(process.argv.slice(2), process.env).then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  },
);
