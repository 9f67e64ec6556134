import type { GithubOwner } from "../diagnostics/githubOwner";
import { failed, type Result } from "../common/result";
import type { SetupChoices } from "./choices";
import type { Project } from "../common/project";
import type { Prompts } from "../common/prompts";
import { askRest } from "./questions";
import { askWayOut, chooseAccess, protectionRefused, REFUSED_PROTECTION } from "./rules";
import { DEFAULT_ACCESS } from "../../components/deploy/access/index.cjs";
import type { Ui } from "../common/command";
import { UserError } from "../common/userError";

/** All answers: given ones first, then asked ones or what the files and GitHub say, within GitHub's rules. */
export async function decide(
  prompts: Prompts | undefined,
  given: Partial<SetupChoices>,
  known: Partial<SetupChoices> & Pick<SetupChoices, "owner" | "repository">,
  github: GithubOwner,
  ui: Ui,
): Promise<SetupChoices> {
  const protection = given.protection ?? known.protection ?? "branch";
  const { access, reason, problem } = chooseAccess(github, known.access ?? DEFAULT_ACCESS, given.access);
  if (problem !== "") throw new UserError(problem);
  if (reason !== "") ui.say(reason);
  const { owner, repository } = known;
  if (prompts) {
    const answers = { owner, repository, protection, access, ...(await askRest(prompts, given, known, github)) };
    return protectionRefused(answers, github.plan) ? { ...answers, ...(await askWayOut(prompts, answers)) } : answers;
  }
  const all = { ...known, ...given };
  const create = all.create ?? github.repository?.exists !== true;
  const visibility = all.visibility ?? (github.repository?.visibility || "private");
  const ci = all.ci ?? "github-actions";
  const answers = { ...all, create, visibility, protection, access, ci } as SetupChoices;
  if (protectionRefused(answers, github.plan)) throw new UserError(REFUSED_PROTECTION);
  return answers;
}

/**
 * Whether the repository is there when it is to be adopted, and not there when the first update is to create it.
 *
 * @param project what the files say, where the stack itself could not be asked what it has
 */
export function existenceProblems(answers: SetupChoices, github: GithubOwner, project: Project | undefined): Result[] {
  const name = `${answers.owner}/${answers.repository}`;
  // Of a stack that was set up before, the repository is there because the stack created it.
  const fresh =
    project !== undefined &&
    (project.repository.owner !== answers.owner || project.repository.name !== answers.repository);
  if (github.repository === undefined) return [];
  if (!answers.create && !github.repository.exists) {
    return [
      failed(
        "repository",
        `${name} is to be adopted, but is not there`,
        "Create it on GitHub, or run setup with --create.",
      ),
    ];
  }
  if (answers.create && github.repository.exists && fresh) {
    return [
      failed(
        "repository",
        `${name} is to be created, but is there`,
        "Run setup with --adopt, or with another --repository.",
      ),
    ];
  }
  return [];
}
