import { isObject } from "../values";
import { type Github, GithubError, type Repository } from "./service";

/** What GitHub knows of a pull request when someone presses the button. */
export interface PullRequest {
  base: string;
  /** Verdicts that were reported for its newest commit, by the check's name. */
  checks: Map<string, "success" | "failure">;
  /** Whether it contains everything that its base has. */
  upToDate: boolean;
}

/** Refuses, like GitHub, a merge that the protection of the base branch does not allow to someone without bypass. */
export function refuseMerge(github: Github, repository: Repository, pullRequest: PullRequest): void {
  const call = `PUT ${github.api(`/${repository.name}/pulls/1/merge`)}`;
  github.refuseArchived(repository, call);
  for (const { contexts, strict } of requirements(repository, pullRequest.base)) {
    for (const context of contexts) {
      const state = pullRequest.checks.get(context);
      if (state === "success") continue;
      throw new GithubError(
        405,
        `Required status check "${context}" is ${state === undefined ? "expected" : "failing"}.`,
        call,
      );
    }
    if (strict && !pullRequest.upToDate)
      throw new GithubError(405, "Head branch is out of date with the base branch.", call);
  }
}

/** The required checks of a branch, from its protection rules and its rulesets. */
export function requirements(repository: Repository, branch: string): { contexts: string[]; strict: boolean }[] {
  const rules = [...repository.protections.values()].filter(({ pattern }) => pattern === branch);
  const fromRules = rules.flatMap(({ inputs }) =>
    ((inputs["requiredStatusChecks"] as { contexts?: string[]; strict?: boolean }[] | undefined) ?? []).map(
      ({ contexts = [], strict = false }) => ({ contexts, strict }),
    ),
  );
  const fromRulesets = [...repository.rulesets.values()].flatMap(({ inputs }) => {
    const refName = isObject(inputs["conditions"])
      ? (inputs["conditions"]["refName"] as { includes: string[] })
      : { includes: [] };
    if (inputs["enforcement"] !== "active" || !refName.includes.includes(`refs/heads/${branch}`)) return [];
    const checks = (inputs["rules"] as { requiredStatusChecks?: StatusChecks }).requiredStatusChecks;
    if (checks === undefined) return [];
    return [
      {
        contexts: checks.requiredChecks.map(({ context }) => context),
        strict: checks.strictRequiredStatusChecksPolicy ?? false,
      },
    ];
  });
  return [...fromRules, ...fromRulesets];
}

interface StatusChecks {
  requiredChecks: { context: string }[];
  strictRequiredStatusChecksPolicy?: boolean;
}
