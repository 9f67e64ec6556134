import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { isDeepYaml } from "../../components/nesting";
import { type GithubClient, githubTrouble } from "./githubClient";
import { field, textField } from "./http";
import { failed, note, ok, type Result, skipped } from "./result";

const FOLDER = ".github/workflows";
const WAY_OUT = "A required check that nobody reports locks the branch: see docs/trouble/locked-branch.md.";

/** Whether the workflows of this checkout have jobs of the required names. */
export function checkWorkflows(folder: string, required: string[]): Result {
  const jobs = jobNames(folder);
  const missing = required.filter((name) => !jobs.includes(name));
  if (missing.length === 0) return ok("workflows", `${FOLDER} has jobs named ${required.map(quoted).join(" and ")}`);
  // Another CI may report them, so this alone is no failure.
  return note("workflows", `no job in ${FOLDER} is named ${missing.map(quoted).join(" or ")}`, WAY_OUT);
}

/** Whether the required checks were ever reported: on the branch's newest commit. */
export async function checkReports(
  client: GithubClient,
  repository: string,
  branch: string,
  required: string[],
): Promise<Result> {
  const at = `/repos/${repository}/commits/${encodeURIComponent(branch)}`;
  const runs = await client.get(`${at}/check-runs?per_page=100`);
  // 409: the repository is empty; 422 and 404: it has no such branch.
  if ([404, 409, 422].includes(runs.status)) {
    return skipped("required checks", `nothing was pushed to ${branch} yet`);
  }
  if (runs.status !== 200) return skipped("required checks", `not asked: ${githubTrouble(runs).found}`);
  const statuses = await client.get(`${at}/status?per_page=100`);
  const reported = [
    ...list(field(runs.body, "check_runs")).map((run) => textField(run, "name")),
    ...list(field(statuses.body, "statuses")).map((status) => textField(status, "context")),
  ];
  const missing = required.filter((name) => !reported.includes(name));
  return missing.length === 0
    ? ok("required checks", `all ${required.length} were reported on the newest commit of ${branch}`)
    : failed(
        "required checks",
        `${missing.map(quoted).join(" and ")}: not reported on the newest commit of ${branch}`,
        WAY_OUT,
      );
}

function jobNames(folder: string): string[] {
  let files: string[];
  try {
    files = readdirSync(path.join(folder, FOLDER));
  } catch {
    return [];
  }
  return files
    .filter((file) => /\.ya?ml$/.test(file))
    .flatMap((file) => {
      const jobs = field(safeParse(readFileSync(path.join(folder, FOLDER, file), "utf8")), "jobs");
      return Object.entries(jobs ?? {}).map(([id, job]) => textField(job, "name") || id);
    });
}

function safeParse(text: string): unknown {
  if (isDeepYaml(text)) return undefined;
  try {
    return parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function quoted(name: string): string {
  return `"${name}"`;
}
