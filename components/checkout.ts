import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { environmentFor } from "./deploy/process.mjs";
import type { CheckoutFacts } from "./nextStep";

/**
 * Looks how far a checkout has come, in its files and in what git remembers of the remote: nobody is asked, so that a
 * preview stays fast and works offline.
 *
 * @param folder the project's root
 * @param repositoryJson the text of its nix/repository.json, checked
 */
export function readCheckout(folder: string, repositoryJson: string): CheckoutFacts {
  const { owner, name, access } = JSON.parse(repositoryJson) as { owner: string; name: string; access: string };
  return {
    access,
    secretsFile: existsSync(path.join(folder, "nix", "secrets.yaml")),
    pushed: isOrigin(folder, `${owner}/${name}`) && hasRemoteBranch(folder),
  };
}

/** Git's addresses of a repository end with its owner and name, after a slash or a colon. */
function isOrigin(folder: string, repository: string): boolean {
  const url = git(folder, "remote", "get-url", "origin").replace(/(\.git)?\/?$/, "");
  return new RegExp(`[:/]${repository.replaceAll(".", "\\.")}$`, "i").test(url);
}

/** CI checks out a pull request under another name than a branch. */
function hasRemoteBranch(folder: string): boolean {
  return git(folder, "for-each-ref", "--count=1", "refs/remotes/origin", "refs/remotes/pull") !== "";
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
