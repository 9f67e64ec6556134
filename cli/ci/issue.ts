import type { Github } from "../common/github";
import type { Place } from "../common/marked";

/** The open issues of a repository, `owner/name`; what is taken away from there is closed. */
export function issuesOf(github: Github, repository: string): Place {
  const issues = `/repos/${repository}/issues`;
  const at = ({ number }: { number: number }) => `${issues}/${number}`;
  const forbidden = "The job needs permissions: issues: write, and the repository its issues.";
  const needs = { forbidden, app: forbidden };
  return {
    list: `${issues}?state=open&sort=created&direction=asc`,
    create: issues,
    at,
    name: ({ number }) => `issue ${number}`,
    remove: (found) => github.send("closing it", "PATCH", at(found), { state: "closed" }, needs),
    needs,
  };
}
