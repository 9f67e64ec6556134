import { readFileSync } from "node:fs";
import { type Line, refuse, wrong } from "../common/command";
import { object, string } from "./json";
import type { Target } from "./comment";
import type { RunInfo } from "./report";

export const HELP = `Shows a preview as one comment on a pull request, edited from run to run.

  PULUMI_ENABLE_STREAMING_JSON_PREVIEW=true pulumi preview --json | npm run --silent preview-comment -- --preview -

Options:
  --preview FILE        output of "pulumi preview --json"; - reads standard input. The engine's events (as above) also
                        tell what policies found; they hold secrets, so take them from a pipe, never from a file
  --exit-code N         exit code of the preview; this command ends with the same one
  --log FILE            what the preview wrote on standard error, for previews that fail before they begin
  --summary FILE        also append the comment's Markdown to a file, such as $GITHUB_STEP_SUMMARY
  --print               print the comment's Markdown instead of posting it
  --terminal            print the preview for a terminal instead of posting it
  --stack PROJECT/STACK whose comment it is, when the preview failed before it could say
  --repository O/N      repository of the pull request       (default: GITHUB_REPOSITORY)
  --pull-request N      its number                           (default: from GITHUB_EVENT_PATH)
  --run-url URL         page of this run, to link to         (default: from GITHUB_RUN_ID)
  --commit SHA          commit that was previewed            (default: from GITHUB_EVENT_PATH)

The token comes from the environment: GITHUB_TOKEN. GITHUB_API_URL names another server than github.com.
The exit code is the preview's, or 1 when it failed and --exit-code is not given; a comment that could not be written
is a warning. Wrong options end with 2.
`;

export interface Options {
  preview: string;
  exitCode: number | undefined;
  log: string | undefined;
  summary: string | undefined;
  output: "post" | "markdown" | "terminal";
  /** Used when the preview does not tell. */
  project: string;
  stack: string;
  run: RunInfo;
  /** What is missing for posting, instead of a target. */
  target: Target | { missing: string[] };
}

const text = { type: "string" } as const;
const flag = { type: "boolean" } as const;

export const OPTIONS = {
  preview: text,
  "exit-code": text,
  log: text,
  summary: text,
  print: flag,
  terminal: flag,
  stack: text,
  repository: text,
  "pull-request": text,
  "run-url": text,
  commit: text,
} as const;

export const EXIT_CODE = [/^\d{1,3}$/, "a number from 0 to 255"] as const;

/** What the command line and what a CI system says about itself in the environment mean together. */
export function readOptions({ values }: Line<typeof OPTIONS>, env: NodeJS.ProcessEnv): Options {
  const event = readEvent(env["GITHUB_EVENT_PATH"]);
  const pull = object(event["pull_request"]);
  const number = values["pull-request"] ?? (typeof pull["number"] === "number" ? String(pull["number"]) : undefined);
  const repository = values.repository ?? env["GITHUB_REPOSITORY"];
  const commit = values.commit ?? (string(object(pull["head"])["sha"]) || env["GITHUB_SHA"]);
  const url = values["run-url"] ?? runUrl(env);
  const [project = "", stack = ""] = values.stack?.split(/\/(.*)/) ?? [];

  refuse([
    ...(values.preview === undefined
      ? ["--preview is missing: name the file that the preview was written to, or -"]
      : []),
    ...wrong("--exit-code", values["exit-code"], ...EXIT_CODE),
    ...wrong("--pull-request", number, /^[1-9]\d*$/, "a number from 1 on"),
    ...wrong("--repository", repository, /^[\w.-]+\/[\w.-]+$/, "owner/name"),
    ...wrong("--run-url", url, /^https?:\/\/\S+$/, "a web address"),
    ...wrong("--commit", commit, /^[0-9a-f]{7,64}$/, "a commit's hash"),
    ...wrong("--stack", values.stack, /^[^/\s]+\/\S+$/, "PROJECT/STACK"),
    ...(values.print === true && values.terminal === true ? ["--print and --terminal exclude each other"] : []),
  ]);

  return {
    preview: values.preview!,
    exitCode: values["exit-code"] === undefined ? undefined : Number(values["exit-code"]),
    log: values.log,
    summary: values.summary,
    output: values.print === true ? "markdown" : values.terminal === true ? "terminal" : "post",
    project,
    stack,
    run: { url, commit },
    target: targetOf(env, repository, number),
  };
}

function targetOf(
  env: NodeJS.ProcessEnv,
  repository: string | undefined,
  number: string | undefined,
): Options["target"] {
  const token = env["GITHUB_TOKEN"] ?? "";
  const missing = [
    ...(token === "" ? ["a token in GITHUB_TOKEN"] : []),
    ...(repository === undefined ? ["the repository (--repository)"] : []),
    ...(number === undefined ? ["the number of the pull request (--pull-request)"] : []),
  ];
  if (missing.length > 0) return { missing };
  return { repository: repository!, pullRequest: Number(number) };
}

/** The event that started a workflow; no event when there is none. */
function readEvent(path: string | undefined): Record<string, unknown> {
  if (path === undefined) return {};
  try {
    return object(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return {};
  }
}

function runUrl(env: NodeJS.ProcessEnv): string | undefined {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository, GITHUB_RUN_ID: run } = env;
  return server && repository && run ? `${server}/${repository}/actions/runs/${run}` : undefined;
}
