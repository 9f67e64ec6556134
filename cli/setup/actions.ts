import { spawnSync } from "node:child_process";
import { githubRepository } from "../../components/deploy/revision.mjs";
import { withoutPassword } from "../diagnostics/git";
import { findPulumi, NO_PULUMI, pulumiFailure } from "../common/pulumi";
import { failureOf, type Ran, type Context } from "../common/context";
import type { SetupChoices } from "./choices";

/** Something that setup offers to do after the files are written. */
export interface Action {
  question: string;
  /** Undefined: done. Otherwise why not, in a sentence. */
  run(): Promise<string | undefined>;
}

/** What cannot be offered, and why; undefined: there is nothing to do. */
export type Offer = Action | { impossible: string } | undefined;

const git = (context: Context, ...args: string[]) => context.run("git", ["-C", context.folder, ...args]);

/** Creates and selects the stack, unless it is selected already. */
export async function stackAction(context: Context, stack: string): Promise<Offer> {
  const pulumi = findPulumi(context);
  if (pulumi === undefined) return { impossible: NO_PULUMI };
  const login = await pulumi.run(["whoami"]);
  if (login.code !== 0) return { impossible: `Pulumi is not logged in: ${pulumiFailure(login)}` };
  const selected = await pulumi.run(["stack", "--show-name"]);
  if (selected.code === 0 && selected.stdout.trim().split("/").at(-1) === stack.split("/").at(-1)) return undefined;
  return {
    question: `Select the Pulumi stack ${stack}, and create it if it is not there?`,
    run: () => {
      // With the terminal: a state of one's own asks for the passphrase of its secrets.
      const args = ["stack", "select", "--create", stack, "--cwd", context.folder];
      const { status, error } = spawnSync(pulumi.program, args, { stdio: "inherit", env: context.env });
      const why = error?.message ?? `pulumi stack select ended with exit code ${status}`;
      return Promise.resolve(status === 0 ? undefined : why);
    },
  };
}

/** Makes the repository git's remote `origin`, and keeps another one as `upstream`. */
export async function remoteAction(context: Context, answers: SetupChoices): Promise<Offer> {
  const repository = `${answers.owner}/${answers.repository}`;
  const url = `git@github.com:${repository}.git`;
  const origin = await git(context, "remote", "get-url", "origin");
  const add = async () => outcome("git remote add", await git(context, "remote", "add", "origin", url));
  const inside = await git(context, "rev-parse", "--git-dir");
  if (inside.code !== 0) return { impossible: failureOf("git", inside) };
  if (origin.code !== 0) return { question: `Add ${url} as git's remote origin?`, run: add };
  const current = githubRepository(origin.stdout.trim());
  if (current === undefined) {
    const other = withoutPassword(origin.stdout.trim());
    return { impossible: `git's remote origin is ${other}, which is not on github.com: rename or remove it first` };
  }
  if (current.toLowerCase() === repository.toLowerCase()) return undefined;
  return {
    question: `git's remote origin is ${current}. Keep that as upstream, and make ${url} origin?`,
    run: async () =>
      outcome("git remote rename", await git(context, "remote", "rename", "origin", "upstream")) ?? add(),
  };
}

/** Commits the given files and nothing else. */
export async function commitAction(context: Context, files: string[]): Promise<Offer> {
  const status = await git(context, "status", "--porcelain", "--", ...files);
  if (status.code !== 0) return { impossible: failureOf("git", status) };
  if (status.stdout.trim() === "") return undefined;
  return {
    question: `Commit ${files.join(", ")}?`,
    run: async () =>
      outcome("git add", await git(context, "add", "--", ...files)) ??
      outcome("git commit", await git(context, "commit", "--quiet", "--message", "Set up the stack", "--", ...files)),
  };
}

function outcome(command: string, ran: Ran): string | undefined {
  return ran.code === 0 ? undefined : `${command}: ${failureOf("git", ran)}`;
}
