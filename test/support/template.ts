import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, symlinkSync } from "node:fs";
import * as path from "node:path";
import { run, type Result } from "../../cli/rehearse/processes";
import { ROOT } from "../../cli/rehearse/project";

/** The files that are, or will be, committed: what `pulumi new` gets when it clones the repository. */
export function repositoryFiles(): string[] {
  const args = ["-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"];
  const { status, stdout, stderr } = spawnSync("git", args, { encoding: "utf8", maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(`git ls-files: ${stderr}`);
  // What was deleted and not committed yet is listed too.
  return stdout.split("\0").filter((file) => file !== "" && existsSync(path.join(ROOT, file)));
}

/** A copy of the repository as a clone would be, in a folder that does not exist yet. */
export function exportRepository(folder: string): void {
  for (const file of repositoryFiles()) {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    cpSync(path.join(ROOT, file), path.join(folder, file));
  }
}

/** Runs `npm run rehearse` of a project that was made from the template, with the packages of this one. */
export function rehearse(project: string, temporary: string): Promise<Result> {
  symlinkSync(path.join(ROOT, "node_modules"), path.join(project, "node_modules"), "junction");
  const args = ["--import", "tsx", "cli/rehearse.ts", "--no-engine", "--no-machine"];
  const environment = { ...process.env, TMPDIR: temporary };
  return run(process.execPath, args, { cwd: project, env: environment });
}
