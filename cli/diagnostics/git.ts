import { realpathSync } from "node:fs";
import { githubRepository } from "../../components/deploy/revision.mjs";
import { gitTrouble } from "../../components/deploy/trouble.mjs";
import { pushCommand } from "../../program/nextStep";
import { failed, note, ok, type Result, skipped } from "../common/result";
import { failureOf, firstLine, type Ran, type Context } from "../common/context";

/** The folder is a git repository of its own, on the branch that the machine follows, with everything committed. */
export async function checkGit(context: Context, branch: string): Promise<Result[]> {
  const git = (...args: string[]) => context.run("git", ["-C", context.folder, ...args]);
  const version = await git("--version");
  if (version.code !== 0) {
    return [failed("git", failureOf("git", version), "Install git from https://git-scm.com.")];
  }
  const top = await git("rev-parse", "--show-toplevel");
  if (top.timedOut) return [unanswered("git", top)];
  const trouble = gitTrouble(top);
  if (top.code !== 0 || realpathSync(top.stdout.trim()) !== realpathSync(context.folder)) {
    return [
      failed(
        "git",
        top.code === 0
          ? `this folder is inside another repository, ${top.stdout.trim()}`
          : trouble.kind === "error"
            ? firstLine(top.stderr)
            : trouble.found,
        top.code !== 0 && trouble.kind !== "error"
          ? trouble.remedy
          : "This folder must be a repository of its own: git init -b main && git add -A && git commit -m 'Start'",
      ),
    ];
  }
  return [
    ok("git", firstLine(version.stdout)),
    ...currentBranch(
      await git("symbolic-ref", "--quiet", "--short", "HEAD"),
      branch,
      (await git("for-each-ref", `refs/heads/${branch}`, `refs/remotes/*/${branch}`)).stdout !== "",
    ),
    committed(await git("status", "--porcelain")),
  ];
}

/** An answer that never came says nothing, least of all that all is well. */
function unanswered(subject: string, ran: Ran): Result {
  return failed(subject, failureOf("git", ran), "Run this again.");
}

function currentBranch(ran: Ran, branch: string, known: boolean): Result[] {
  if (ran.timedOut) return [unanswered("branch", ran)];
  const current = firstLine(ran.stdout);
  if (current === branch) return [];
  if (current !== "" && !known) {
    return [
      note(
        "branch",
        `${current} is checked out; the machine follows ${branch}, which git knows nowhere`,
        `Rename it: git branch -m ${current} ${branch}. Or push it there: ${pushCommand(branch)}. Or let the machine follow ${current}: "branch" in nix/repository.json.`,
      ),
    ];
  }
  return [
    note(
      "branch",
      current === "" ? "no branch is checked out" : `${current} is checked out; the machine follows ${branch}`,
      `What is deployed from here is taken back by the machine's next upgrade until it is merged into ${branch}.`,
    ),
  ];
}

function committed(ran: Ran): Result {
  if (ran.code !== 0) return unanswered("commits", ran);
  const files = ran.stdout.split("\n").filter((line) => line !== "");
  return files.length === 0
    ? ok("commits", "everything is committed")
    : note(
        "commits",
        `${files.length} ${files.length === 1 ? "file is" : "files are"} not committed`,
        "A deployment installs only what is committed: git status shows them.",
      );
}

/** Where `git push` goes. */
export async function checkOrigin(context: Context, owner: string, name: string): Promise<Result> {
  const ran = await context.run("git", ["-C", context.folder, "remote", "get-url", "origin"]);
  const url = withoutPassword(ran.stdout.trim());
  const wanted = `git@github.com:${owner}/${name}.git`;
  if (owner === "") return skipped("origin", "nix/repository.json names no owner yet");
  if (ran.timedOut) return unanswered("origin", ran);
  if (ran.code !== 0) return failed("origin", "git has no remote of that name", `git remote add origin ${wanted}`);
  const repository = githubRepository(url);
  if (repository === undefined)
    return note("origin", `${url}: whether that is ${owner}/${name} cannot be told from here`);
  return repository.toLowerCase() === `${owner}/${name}`.toLowerCase()
    ? ok("origin", url)
    : failed(
        "origin",
        `${url} is not ${owner}/${name}, which the machine follows`,
        `Keep it under another name: git remote rename origin upstream && git remote add origin ${wanted}`,
      );
}

/** An https address may hold a token. */
export function withoutPassword(url: string): string {
  return url.replace(/^(https?:\/\/)[^@/]*@/, "$1");
}
