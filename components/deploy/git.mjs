// @ts-check
import { DeploymentError } from "./errors.mjs";
import { githubRepository, revisionIn } from "./revision.mjs";
import { gitTrouble } from "./trouble.mjs";

/** @typedef {import("./process.mjs").Processes} Processes */

/**
 * Runs git in a folder, without questions.
 * @param {string} folder
 * @param {string[]} args
 * @param {Processes} processes
 * @param {number} [timeoutSeconds]
 */
export async function git(folder, args, processes, timeoutSeconds) {
  const env = { ...processes.env, GIT_TERMINAL_PROMPT: "0", GIT_OPTIONAL_LOCKS: "0", LC_ALL: "C" };
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
 * The files that Nix sees of a Git repository: those that Git tracks, in its whole work tree.
 * @param {string} folder in the work tree
 * @param {Processes} processes
 */
export async function trackedFiles(folder, processes) {
  const top = await git(folder, ["rev-parse", "--show-toplevel"], processes);
  if (top.code !== 0) {
    throw new DeploymentError(`${JSON.stringify(folder)} is not in a Git repository.`, {
      advice: ['Write the flake as "path:…", or run git init.'],
    });
  }
  const root = top.stdout.replace(/\n$/, "");
  const list = await git(root, ["ls-files", "-z", "--cached"], processes);
  return { root, files: [...new Set(list.stdout.split("\0").filter((file) => file !== ""))] };
}

/**
 * What a folder has that its last commit has not: one line each, such as "changed: nix/machine.nix". Undefined when
 * that cannot be told.
 * @param {string} folder
 * @param {boolean} ignoredToo whether files that Git ignores count
 * @param {Processes} processes
 */
export async function differences(folder, ignoredToo, processes) {
  const args = ["status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all"];
  const result = await git(folder, [...args, `--ignored=${ignoredToo ? "matching" : "no"}`, "--", "."], processes);
  if (result.code !== 0) return undefined;
  return result.stdout
    .split("\0")
    .filter((entry) => entry !== "")
    .map((entry) => {
      const [status, file] = [entry.slice(0, 2), entry.slice(3)];
      return `${status === "??" ? "untracked" : status === "!!" ? "ignored by Git" : "changed"}: ${file}`;
    });
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
  const result = await git(folder, ["diff", "--quiet", one, other, "--", "."], processes);
  return result.code === 0;
}
