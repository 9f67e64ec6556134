import { ACCESSES, accessBy } from "../../components/deploy/access/index.cjs";
import type { GithubOwner } from "../diagnostics/githubOwner";
import type { Plan } from "../diagnostics/githubUser";
import type { SetupChoices } from "./choices";
import type { Prompts } from "../common/prompts";

/** Whether GitHub would refuse the protection: of a private repository on a free plan. */
export function protectionRefused(answers: Pick<SetupChoices, "visibility" | "protection">, plan: Plan): boolean {
  return plan === "free" && answers.visibility === "private" && answers.protection !== "off";
}

/** The ways out of that, with `create` the one that changes the repository. */
export async function askWayOut(
  prompts: Prompts,
  answers: Pick<SetupChoices, "create" | "visibility" | "protection">,
): Promise<Pick<SetupChoices, "visibility" | "protection">> {
  const answer = await prompts.choose(
    "On a free plan GitHub cannot protect the branch of a private repository. What is it to be?",
    [
      ...(answers.create ? [{ value: "public", name: "make the repository public" }] : []),
      { value: "off", name: "leave the branch without protection: every push to it reaches the machine" },
    ],
    "off",
  );
  return answer === "public"
    ? { visibility: "public", protection: answers.protection }
    : { visibility: answers.visibility, protection: "off" };
}

export const REFUSED_PROTECTION =
  "--visibility private, --protection: on a free plan GitHub cannot protect the branch of a private repository. " +
  "Use --visibility public, or --protection off, or a paid plan.";

/** How the machine is to read the repository, and why it is not what the files say; empty if it is. */
export function chooseAccess(
  github: GithubOwner,
  known: string,
  flag: string | undefined,
): { access: string; reason: string; problem: string } {
  if (github.deployKeys !== "forbidden") return { access: flag ?? known, reason: "", problem: "" };
  const works = (name: string) => !accessBy(name).needsDeployKey;
  const other = Object.keys(ACCESSES).find(works)!;
  if (flag !== undefined && !works(flag)) {
    const problem = `--access ${flag}: the organization forbids deploy keys. Allow them in its settings, or use --access ${other}.`;
    return { access: flag, reason: "", problem };
  }
  const chosen = flag ?? (works(known) ? known : undefined);
  return chosen === undefined
    ? { access: other, reason: accessBy(other).secret?.inPlaceOfDeployKeys ?? "", problem: "" }
    : { access: chosen, reason: "", problem: "" };
}
