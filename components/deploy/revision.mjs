// @ts-check
/**
 * Which revision a branch is at: the one place for the deployment program and the commands. The machine has the same rules
 * in nix/upgrade/repository.sh; the table test/revisions.json is run through both.
 */
import { escapeInvisible } from "./text.mjs";

/** @typedef {{ revision: string } | { missing: true } | { problem: string }} BranchAnswer */

/**
 * A whole hash, of either kind that Git has.
 * @param {unknown} text
 */
export function isRevision(text) {
  return typeof text === "string" && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
}

/**
 * From the list of a repository's branches, as `git ls-remote --heads` prints it. Asked for refs/heads/main, Git would
 * also name refs/heads/a/refs/heads/main: it matches by the tail of a name, and whoever may push any branch may push that.
 * @param {string} list one "hash<TAB>name" a line
 * @param {string} branch
 * @returns {BranchAnswer}
 */
export function revisionIn(list, branch) {
  const ref = `refs/heads/${branch}`;
  const found = list
    .split("\n")
    .map((line) => /^([^\t]*)\t(.*)$/.exec(line))
    .filter((match) => match?.[2] === ref)
    .map((match) => match?.[1] ?? "");
  if (found.length === 0) return { missing: true };
  if (found.length > 1)
    return { problem: `the server names ${found.length} revisions for ${ref}; exactly one is expected` };
  return checked(found[0], ref);
}

/**
 * From GitHub's answer to git/ref/heads/BRANCH. It may be a list of what begins alike, and a tag may be named like a branch.
 * @param {unknown} body
 * @param {string} branch
 * @returns {BranchAnswer}
 */
export function revisionFrom(body, branch) {
  const ref = `refs/heads/${branch}`;
  if (Array.isArray(body)) return { problem: `GitHub answers with a list of ${body.length} in place of one reference` };
  if (typeof body !== "object" || body === null) return { problem: "GitHub's answer is not a revision" };
  const { ref: named, object } = /** @type {{ ref?: unknown, object?: { type?: unknown, sha?: unknown } }} */ (body);
  if (named !== ref) return { problem: `GitHub answers with ${quoted(named)} in place of ${ref}` };
  if (object?.type !== "commit") return { problem: `${ref} is at a ${quoted(object?.type)} and not at a commit` };
  return checked(object.sha, ref);
}

/**
 * @param {unknown} hash
 * @param {string} ref
 * @returns {BranchAnswer}
 */
function checked(hash, ref) {
  if (isRevision(hash)) return { revision: /** @type {string} */ (hash) };
  return { problem: `${ref} is said to be at ${quoted(hash)}, which is no revision` };
}

/** @param {unknown} value */
function quoted(value) {
  return escapeInvisible(JSON.stringify(value) ?? "nothing").slice(0, 100);
}

/**
 * `owner/name` of an address of a repository on GitHub, in any of Git's forms; undefined: it is elsewhere.
 * @param {string} url
 */
export function githubRepository(url) {
  return /^(?:ssh:\/\/|https:\/\/)?(?:[^@/]+@)?(?:www\.|ssh\.)?github\.com(?::\d+)?[:/]\/?([A-Za-z0-9_-]+\/[A-Za-z0-9._-]+?)(?:\.git)?\/?$/i.exec(
    url,
  )?.[1];
}
