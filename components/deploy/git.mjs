// @ts-check
import { DeploymentError } from "./errors.mjs";
import { githubRepository, revisionIn } from "./revision.mjs";
import { gitTrouble } from "./trouble.mjs";
import { withoutRepository } from "./process.mjs";

/** @typedef {import("./process.mjs").Processes} Processes */

/**
 * The environment in which git asks nothing, changes nothing, and takes the folder's own repository as it was fetched.
 * @param {NodeJS.ProcessEnv} env
 */
export function gitEnvironment(env) {
  return {
    ...withoutRepository(env),
    GIT_TERMINAL_PROMPT: "0",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_NO_REPLACE_OBJECTS: "1",
    LC_ALL: "C",
  };
}

/**
 * Runs git in a folder, without questions.
 * @param {string} folder
 * @param {string[]} args
 * @param {Processes} processes
 * @param {number} [timeoutSeconds]
 */
export async function git(folder, args, processes, timeoutSeconds) {
  const env = gitEnvironment(processes.env);
  const result = await processes.run("git", ["-C", folder, ...args], { env, timeoutSeconds });
  if (result.code === 0) return result;
  // Whatever was asked: the answer would be taken for "no repository" or "no commit".
  const trouble = gitTrouble(result);
  if (["ownership", "killed"].includes(trouble.kind)) {
    throw new DeploymentError(`${trouble.found}.`.replace("git does", "Git does"), { advice: [trouble.remedy] });
  }
  return result;
}

/**
 * What git prints as a list that ends each item with a zero byte. Names are bytes: one character for each.
 * @param {string} folder
 * @param {string[]} args
 * @param {Processes} processes
 * @param {string} [input]
 */
export async function gitList(folder, args, processes, input) {
  const env = gitEnvironment(processes.env);
  const result = await processes.run("git", ["-C", folder, ...args], { env, input, bytes: true });
  if (result.code === 0) return result.stdout.split("\0").slice(0, -1);
  throw new DeploymentError(`git ${args[0]} failed in ${folder}: ${result.stderr.trim()}`);
}

/**
 * The files that Nix sees of a Git repository: those that Git tracks, in its whole work tree, and with `submodules`
 * those of its submodules; and the tree of the last commit, which Nix takes instead while nothing is changed.
 * @param {string} folder in the work tree
 * @param {Processes} processes
 * @param {{ submodules?: boolean }} [options]
 */
export async function trackedFiles(folder, processes, { submodules = false } = {}) {
  const top = await git(folder, ["rev-parse", "--show-toplevel"], processes);
  if (top.code !== 0) {
    throw new DeploymentError(`${JSON.stringify(folder)} is not in a Git repository.`, {
      details: top.stderr.trim(),
      advice: ['Write the flake as "path:…", or run git init.'],
    });
  }
  const root = top.stdout.replace(/\n$/, "");
  const args = ["ls-files", "-z", "--cached", ...(submodules ? ["--recurse-submodules"] : [])];
  const [files, tree] = await Promise.all([
    gitList(root, args, processes),
    git(root, ["rev-parse", "--verify", "--quiet", "HEAD^{tree}"], processes),
  ]);
  return { root, files: [...new Set(files)], tree: tree.stdout.trim() };
}

/**
 * @param {string} folder
 * @param {string} revision
 * @param {Processes} processes
 */
export async function revisionOf(folder, revision, processes) {
  const result = await git(folder, ["rev-parse", "--verify", "--quiet", `${revision}^{commit}`], processes);
  return result.code === 0 ? result.stdout.trim() : undefined;
}

/**
 * Where the machine's branch is, asked of the repository itself: a fetched copy of the branch may be days old. Rejects with
 * the reason when it cannot be told; undefined when there is no such branch yet, or no remote at all.
 * @param {string} folder
 * @param {{ repository: string, branch: string }} source
 * @param {Processes} processes
 */
export async function branchTip(folder, { repository, branch }, processes) {
  const remote = await remoteOf(folder, repository, processes);
  if (remote === undefined) {
    if ((await git(folder, ["remote"], processes)).stdout === "") return undefined;
    throw new DeploymentError(`no remote of this folder is github.com/${repository}`);
  }
  // All branches, because Git can only be asked for names that end alike.
  const answer = await git(folder, ["ls-remote", "--heads", "--", remote], processes, ASKING_SECONDS);
  if (answer.code !== 0) throw new DeploymentError(gitTrouble(answer, "git ls-remote").found);
  const found = revisionIn(answer.stdout, branch);
  if ("problem" in found) throw new DeploymentError(found.problem);
  return "revision" in found ? found.revision : undefined;
}

/** A deployment does not wait long for something that it can do without. */
const ASKING_SECONDS = 5;

/**
 * The remote that is exactly this repository on GitHub. Not one that ends alike, such as evil-acme/server for acme/server.
 * @param {string} folder
 * @param {string} repository
 * @param {Processes} processes
 */
async function remoteOf(folder, repository, processes) {
  // With the user's insteadOf applied, as for the question itself.
  const list = await git(folder, ["remote", "--verbose"], processes);
  return list.stdout
    .split("\n")
    .map((line) => /^(\S+)\t(.*) \(fetch\)/.exec(line))
    .find((match) => githubRepository(match?.[2] ?? "")?.toLowerCase() === repository.toLowerCase())?.[1];
}

/**
 * Whether the folder is the same in two revisions; false when one of them is not here.
 * @param {string} folder
 * @param {string} one
 * @param {string} other
 * @param {Processes} processes
 */
export async function sameFolder(folder, one, other, processes) {
  // The trees' ids: a comparison by git diff leaves out what attributes and settings tell it to.
  const trees = await Promise.all(
    [one, other].map((revision) => git(folder, ["rev-parse", "--verify", "--quiet", `${revision}:./`], processes)),
  );
  return trees.every(({ code, stdout }) => code === 0 && stdout === trees[0]?.stdout);
}
