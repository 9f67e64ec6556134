import type { Github } from "../common/github";
import { hiddenMark, type Place } from "../common/marked";

/** Where a comment goes. */
export interface Target {
  /** `owner/name` */
  repository: string;
  pullRequest: number;
}

/** The first line of the comment of a project and stack. */
export function marker(project: string, stack: string): string {
  return hiddenMark("preview-comment", project, stack);
}

/** The comments on a pull request. */
export function commentsOn(github: Github, { repository, pullRequest }: Target): Place {
  const comments = `/repos/${repository}/issues/${pullRequest}/comments`;
  const at = ({ id }: { id: number }) => `/repos/${repository}/issues/comments/${id}`;
  const forbidden =
    "The token may not write comments. A workflow needs `permissions: pull-requests: write`; runs for pull requests from " +
    "forks never get it, and a locked conversation takes no comments.";
  return {
    list: comments,
    create: comments,
    at,
    name: ({ id }) => `the comment ${id} on ${repository}#${pullRequest}`,
    // Somebody else may have removed it first; what stays is removed by the next run.
    remove: (found) => github.ask("DELETE", at(found)),
    needs: {
      forbidden,
      app: forbidden,
      "not-found": `There is no ${repository}#${pullRequest}, or the token cannot see it: check repository, number and token.`,
    },
  };
}
