import { unreportedChecks } from "../../program/requiredChecks";
import { readWorkflows } from "../../program/workflows";
import { failed, type Result } from "../common/result";
import type { SetupChoices } from "./choices";
import { type Project, setting } from "../common/project";
import type { Choice } from "../common/prompts";

/** The systems that can report the required checks, the default first. */
export const CI_CHOICES: Choice[] = [
  { value: "github-actions", name: "github-actions: the workflows in .github/workflows, which are there already" },
  { value: "garnix", name: "garnix: a garnix server of your own; setup writes garnix.yaml" },
  { value: "hydra", name: "hydra: a Hydra with its GithubStatus plugin; requiredChecks must name its jobs" },
  { value: "other", name: "other: any system that runs cli/ci/checks.sh, such as Jenkins, GitLab or Buildkite" },
  { value: "none", name: "none: nothing is checked; protection must be off" },
];

/**
 * Required checks that the chosen system will not report. The update refuses them; setup writes the rest all the same,
 * because the names of a Hydra's jobs are not among its questions.
 */
export function unreported(project: Project, { checksFrom, branchProtection }: SetupChoices): Result[] {
  const path = "repository.requiredChecks";
  const required = setting(project, path) as string[];
  const workflows = readWorkflows(project.folder);
  return unreportedChecks(`${project.name}:${path}`, required, {
    checksFrom,
    branchProtection,
    workflows,
    branch: project.repository.branch,
  }).map((problem) =>
    failed("required checks", problem, remedy(checksFrom, `In ${project.stackFile} set ${project.name}:${path} to`)),
  );
}

function remedy(checksFrom: string, set: string): string {
  const off = "npm run setup -- --branch-protection off";
  if (checksFrom === "none")
    return `Leave the branch unprotected: ${off}. Or choose a system: npm run setup -- --checks-from <word>.`;
  const names = checksFrom === "hydra" ? `, such as ["ci/hydra:<project>:<jobset>:<job>"]` : "";
  return `${set} the names that ${checksFrom} reports${names}. Or leave the branch unprotected: ${off}.`;
}
