import { spawnSync } from "node:child_process";
import { githubRepository } from "../../components/deploy/revision.mjs";
import { findPulumi, PULUMI_SECONDS } from "../common/pulumi";
import { failureOf, type Ran, type Surroundings } from "../common/context";
import type { Answers } from "./answers";

/** Something that setup offers to do after the files are written. */
export interface Action {
  question: string;
  /** Undefined: done. Otherwise why not, in a sentence. */
  run(): Promise<string | undefined>;
}

const git = (around: Surroundings, ...args: string[]) => around.run("git", ["-C", around.folder, ...args]);

/** Creates and selects the stack; undefined when it is selected already or nobody is logged in. */
export async function stackAction(around: Surroundings, stack: string): Promise<Action | undefined> {
  const program = findPulumi(around);
  if (program === undefined) return undefined;
  const options = { timeoutSeconds: PULUMI_SECONDS };
  const pulumi = (...args: string[]) =>
    around.run(program, [...args, "--non-interactive", "--cwd", around.folder], options);
  if ((await pulumi("whoami")).code !== 0) return undefined;
  const selected = await pulumi("stack", "--show-name");
  if (selected.code === 0 && selected.stdout.trim().split("/").at(-1) === stack.split("/").at(-1)) return undefined;
  return {
    question: `Select the Pulumi stack ${stack}, and create it if it is not there?`,
    run: () => {
      // With the terminal: a state of one's own asks for the passphrase of its secrets.
      const { status, error } = spawnSync(program, ["stack", "select", "--create", stack, "--cwd", around.folder], {
        stdio: "inherit",
        env: around.env,
      });
      const why = error?.message ?? `pulumi stack select ended with exit code ${status}`;
      return Promise.resolve(status === 0 ? undefined : why);
    },
  };
}

/** Makes the repository git's remote `origin`, and keeps another one as `upstream`. */
export async function remoteAction(around: Surroundings, answers: Answers): Promise<Action | undefined> {
  const repository = `${answers.owner}/${answers.repository}`;
  const url = `git@github.com:${repository}.git`;
  const origin = await git(around, "remote", "get-url", "origin");
  const add = async () => outcome("git remote add", await git(around, "remote", "add", "origin", url));
  if (!origin.found || (await git(around, "rev-parse", "--git-dir")).code !== 0) return undefined;
  if (origin.code !== 0) return { question: `Add ${url} as git's remote origin?`, run: add };
  const current = githubRepository(origin.stdout.trim());
  if (current === undefined || current.toLowerCase() === repository.toLowerCase()) return undefined;
  return {
    question: `git's remote origin is ${current}. Keep that as upstream, and make ${url} origin?`,
    run: async () => outcome("git remote rename", await git(around, "remote", "rename", "origin", "upstream")) ?? add(),
  };
}

/** Commits the given files and nothing else. */
export async function commitAction(around: Surroundings, files: string[]): Promise<Action | undefined> {
  const status = await git(around, "status", "--porcelain", "--", ...files);
  if (status.code !== 0 || status.stdout.trim() === "") return undefined;
  return {
    question: `Commit ${files.join(", ")}?`,
    run: async () =>
      outcome("git add", await git(around, "add", "--", ...files)) ??
      outcome("git commit", await git(around, "commit", "--quiet", "--message", "Set up the stack", "--", ...files)),
  };
}

function outcome(command: string, ran: Ran): string | undefined {
  return ran.code === 0 ? undefined : `${command}: ${failureOf("git", ran)}`;
}
