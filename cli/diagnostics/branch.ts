import { pushCommand } from "../../program/nextStep";
import { branchName } from "../../components/values/repositoryNames";
import { parsed, type Workflow } from "../../program/requiredChecks";
import { readWorkflows } from "../../program/workflows";
import { runsOnPush } from "../../program/workflowTriggers";
import type { Github } from "../common/github";
import { textField } from "../common/http";
import { failed, note, ok, type Result, skipped } from "../common/result";
import type { Context } from "../common/context";

const SHOWN = 10;

/** The branch that is checked out; empty when none is. */
export async function checkedOutBranch(context: Context): Promise<string> {
  const { stdout, code } = await context.run("git", [
    "-C",
    context.folder,
    "symbolic-ref",
    "--quiet",
    "--short",
    "HEAD",
  ]);
  return code === 0 ? stdout.trim() : "";
}

/** The push that the machine sees, from whatever is checked out. */
export async function pushTo(context: Context, branch: string): Promise<string> {
  const current = await checkedOutBranch(context);
  return pushCommand(current === branch || current === "" ? undefined : branch);
}

/** Whether the machine's branch is in its repository; another name there is what git's default made of it. */
export async function checkBranch(client: Github, repository: string, branch: string): Promise<Result> {
  const at = `/repos/${repository}`;
  const own = await client.get(`${at}/branches/${encodeURIComponent(branch)}`);
  // GitHub answers with a branch's new name where it was renamed.
  if (own.status === 200 && textField(own.body, "name") === branch) return ok("branch", `${repository} has ${branch}`);
  const all = await client.get(`${at}/branches?per_page=100`);
  if (all.status !== 200 || !Array.isArray(all.body)) return skipped("branch", `not asked: status ${all.status}`);
  const names = all.body.map((one) => textField(one, "name")).filter((name) => name !== "");
  if (names.length === 0) return skipped("branch", `nothing was pushed to ${repository} yet`);
  const rest = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : "";
  return failed(
    "branch",
    `${repository} has no ${branch}, which the machine follows; it has ${names.slice(0, SHOWN).join(", ")}${rest}`,
    // Whoever may push chooses such a name; one that a shell would obey is for nobody to paste.
    `git push origin ${names.find((name) => branchName("", name).length === 0) ?? "HEAD"}:${branch}. Or let the machine follow another: "branch" in nix/repository.json, then npx pulumi up.`,
  );
}

/** Workflows that are written for another branch than the machine's, and so never run for it. */
export function checkWorkflowBranches(folder: string, branch: string): Result[] {
  const others = parsed(readWorkflows(folder)).filter((workflow) => leavesOut(workflow, branch));
  if (others.length === 0) return [];
  const names = others.map(({ name }) => JSON.stringify(name ?? "without a name")).join(", ");
  return [
    note(
      "workflow branch",
      `the machine follows ${branch}, and these workflows run for another branch only: ${names}`,
      `In .github/workflows write ${branch} in their "branches" and in their conditions ("refs/heads/…"), or let the machine follow their branch: "branch" in nix/repository.json.`,
    ),
  ];
}

function leavesOut({ on, jobs }: Workflow, branch: string): boolean {
  if (runsOnPush(on, branch) === false) return true;
  return Object.values(jobs ?? {}).some((job) => {
    const wanted = [...String(job?.if ?? "").matchAll(/github\.ref(?:_name)? *== *'(?:refs\/heads\/)?([^']*)'/g)];
    return wanted.length > 0 && wanted.every(([, name]) => name !== branch);
  });
}
