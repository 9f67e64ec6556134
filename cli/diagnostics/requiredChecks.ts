import { isJob, notRun, reportedNames } from "../../program/requiredChecks";
import { readWorkflows } from "../../program/workflows";
import { branchRevision, type Github, githubTrouble } from "../common/github";
import { field, textField } from "../common/http";
import { failed, note, ok, type Result, skipped } from "../common/result";

const FOLDER = ".github/workflows";
const WAY_OUT = "A required check that nobody reports locks the branch: see docs/trouble/locked-branch.md.";

/** Whether the workflows of this checkout have jobs of the required names, on every pull request to the branch. */
export function checkWorkflows(folder: string, required: string[], branch = "main"): Result {
  const workflows = readWorkflows(folder);
  const names = reportedNames(workflows, branch);
  const missing = required.filter((name) => !names.some((one) => one.fits(name)));
  if (missing.length === 0) return ok("workflows", `${FOLDER} has jobs named ${required.map(quoted).join(" and ")}`);
  const idle = missing.filter((name) => isJob(workflows, name));
  const absent = missing.filter((name) => !idle.includes(name));
  const found = [
    ...(absent.length === 0 ? [] : [`no job in ${FOLDER} is named ${absent.map(quoted).join(" or ")}`]),
    ...(idle.length === 0 ? [] : [`${idle.map(quoted).join(", ")}: ${notRun(branch)}`]),
  ];
  // Another CI may report them, so this alone is no failure.
  return note("workflows", found.join("; "), WAY_OUT);
}

/** Whether the required checks were ever reported: on the branch's newest commit. */
export async function checkReports(
  client: Github,
  repository: string,
  branch: string,
  required: string[],
): Promise<Result> {
  const tip = await branchRevision(client, repository, branch);
  if ("missing" in tip) return skipped("required checks", `nothing was pushed to ${branch} yet`);
  if ("trouble" in tip) return skipped("required checks", `not asked: ${tip.trouble.found}`);
  if ("problem" in tip) return failed("required checks", tip.problem, "Nothing is installed from it either.");
  const at = `/repos/${repository}/commits/${tip.revision}`;
  const runs = await client.get(`${at}/check-runs?per_page=100`);
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

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function quoted(name: string): string {
  return `"${name}"`;
}
