import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { environmentFor } from "../components/deploy/process.mjs";
import type { CheckoutFacts } from "./nextStep";

/**
 * Looks how far a checkout has come, in its files and in what git remembers of the remote: nobody is asked, so that a
 * preview stays fast and works offline.
 *
 * @param folder the project's root
 * @param repositoryJson the text of its nix/repository.json, checked
 */
export function readCheckout(folder: string, repositoryJson: string): CheckoutFacts {
  const { owner, name, branch, access } = JSON.parse(repositoryJson) as Record<string, string>;
  const remote = isOrigin(folder, `${owner}/${name}`) ? remoteBranches(folder) : [];
  const pushed = remote.some((ref) => ref === `origin/${branch}` || ref.startsWith("pull/"));
  const others = remote.filter((ref) => ref !== "origin/HEAD").map((ref) => ref.replace("origin/", ""));
  const current = git(folder, "symbolic-ref", "--quiet", "--short", "HEAD");
  const elsewhere = current !== "" && current !== branch;
  return {
    access: access ?? "",
    secretsFile: existsSync(path.join(folder, "nix", "secrets.yaml")),
    pushed,
    ...(!pushed && (elsewhere || others.length > 0) ? { follows: branch } : {}),
    ...(!pushed && others.length > 0 ? { others } : {}),
  };
}

/** Git's addresses of a repository end with its owner and name, after a slash or a colon. */
function isOrigin(folder: string, repository: string): boolean {
  const url = git(folder, "remote", "get-url", "origin").replace(/(\.git)?\/?$/, "");
  return new RegExp(`[:/]${repository.replaceAll(".", "\\.")}$`, "i").test(url);
}

/** A few of the branches that git remembers; CI checks out a pull request under another name than a branch. */
function remoteBranches(folder: string): string[] {
  const list = git(folder, "for-each-ref", "--format=%(refname)", "refs/remotes/origin", "refs/remotes/pull");
  const names = list.split("\n").filter((ref) => ref !== "");
  return names.map((ref) => ref.replace("refs/remotes/", ""));
}

/** Empty when there is no git, no repository or no such thing. */
function git(folder: string, ...args: string[]): string {
  try {
    return execFileSync("git", ["-C", folder, ...args], {
      encoding: "utf8",
      env: environmentFor("git", process.env),
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return "";
  }
}
