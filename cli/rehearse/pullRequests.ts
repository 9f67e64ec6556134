import assert from "node:assert/strict";
import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { refuseMerge, requirements } from "./emulators/github/pullRequests";
import type { Github } from "./emulators/github";
import type { Repository } from "./emulators/github/service";
import type { Evaluation } from "./evaluation";
import { output, type Result, run } from "./processes";
import type { Rehearsed } from "./steps";
import type { Taken } from "./loopback";

const BRANCH = "main";
/** The check that is really made here; the other required ones build the system, which is left to the workflow. */
const EVALUATE = "Evaluate flake.nix";

export interface PullRequestOptions {
  folder: string;
  environment: NodeJS.ProcessEnv;
  evaluation: Evaluation;
  /** Why there can be no machine on this computer, if so. */
  noMachine: string | undefined;
  /** What such a machine took; it has been at work since the rehearsal began. */
  taken: Promise<{ byKey: Taken; byToken: Taken }> | undefined;
}

/**
 * The daily life with the machine: a pull request that breaks the flake is refused, a good one is merged, the machine
 * takes it. The repositories and the commits are real; GitHub's part is played by a bare repository and the emulated
 * protection.
 *
 * @returns what came of it, in a few words
 */
export async function passPullRequests(rehearsed: Rehearsed, options: PullRequestOptions): Promise<string> {
  const merged = await mergeTwo(rehearsed, options);
  const taken = await take(rehearsed, options);
  return [merged, taken].filter((words) => words !== undefined).join(", ") || "not run";
}

async function mergeTwo(
  { project, verdicts, fakes }: Rehearsed,
  options: PullRequestOptions,
): Promise<string | undefined> {
  const statements = ["a pull request that breaks the flake is refused", "a good one is merged"] as const;
  const missing = await whatIsMissing(options);
  if (missing !== undefined) {
    statements.forEach((statement) => verdicts.notRun("pullRequests", statement, missing));
    return undefined;
  }
  const repository = [...fakes.github.repositories.values()][0]!;
  const git = await Repositories.create(project, options);

  const broken = await git.propose("break-the-flake", (folder) =>
    appendFileSync(path.join(folder, "nix/machine.nix"), "\n}\n"),
  );
  const verdict = await check(git.secretsCommands, options);
  verdicts.real("pullRequests", statements[0], () => {
    assert.notEqual(verdict.code, 0, "the check passed");
    assert.match(verdict.stderr, /machine\.nix/);
    const attempt = () =>
      refuseMerge(fakes.github, repository, { base: BRANCH, upToDate: true, checks: reported(repository, verdict) });
    assert.throws(attempt, /Required status check "Evaluate flake\.nix" is failing\./);
  });
  await git.abandon(broken);

  const good = await git.propose("greet", (folder) =>
    appendFileSync(path.join(folder, "nix/www/index.html"), "<!-- hello -->\n"),
  );
  const passed = await check(git.secretsCommands, options);
  const revision =
    passed.code === 0 ? await git.merge(fakes.github, repository, good, reported(repository, passed)) : undefined;
  verdicts.real("pullRequests", statements[1], () => {
    assert.equal(passed.code, 0, passed.stderr);
    assert.equal(readFileSync(path.join(git.hub, "refs/heads", BRANCH), "utf8").trim(), revision);
  });
  return "one refused, one merged";
}

/** The machine's own part, on a machine with the real upgrade programs and a stub flake. */
async function take({ verdicts }: Rehearsed, { noMachine, taken }: PullRequestOptions): Promise<string | undefined> {
  const byKey = "a machine on this computer takes what is merged to its branch, by its deploy key";
  const byToken = "told to read it with a token, it takes the next one without the key";
  if (taken === undefined) {
    for (const statement of [byKey, byToken]) verdicts.notRun("machine", statement, noMachine ?? "");
    return undefined;
  }
  const found = await taken;
  verdicts.real("machine", byKey, () => assert.equal(found.byKey.running, found.byKey.pushed));
  verdicts.real("machine", byToken, () => assert.equal(found.byToken.running, found.byToken.pushed));
  return "two taken";
}

async function whatIsMissing({ folder, environment, evaluation }: PullRequestOptions): Promise<string | undefined> {
  const options = { cwd: folder, env: environment };
  const git = await run("git", ["--version"], options).catch(() => undefined);
  if (git?.code !== 0) return "there is no git on PATH";
  return evaluation.nix ? undefined : "there is no nix on PATH to check the flake with";
}

/** What the workflow's first job does: evaluates the flake, or at least parses it where its inputs cannot be had. */
async function check(folder: string, { environment, evaluation }: PullRequestOptions): Promise<Result> {
  const options = { cwd: folder, env: environment };
  if (evaluation.mode === "nix") {
    const features = ["--extra-experimental-features", "nix-command flakes"];
    return run("nix", [...features, "flake", "check", "path:./nix", "--no-build"], options);
  }
  const files = readdirSync(path.join(folder, "nix"), { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".nix"),
  );
  return run(
    "nix-instantiate",
    ["--option", "store", "dummy://", "--parse", ...files.map((file) => path.join("nix", file))],
    options,
  );
}

/** The verdicts that reach GitHub: what follows the evaluation passes exactly when it does. */
function reported(repository: Repository, { code }: Result): Map<string, "success" | "failure"> {
  const names = requirements(repository, BRANCH).flatMap(({ contexts }) => contexts);
  assert.ok(names.includes(EVALUATE), `${EVALUATE} is not required`);
  return new Map(names.map((name) => [name, code === 0 ? "success" : "failure"]));
}

/** A bare repository that plays GitHub, and the clone at someone's desk. */
class Repositories {
  private constructor(
    readonly hub: string,
    readonly secretsCommands: string,
    private readonly environment: NodeJS.ProcessEnv,
  ) {}

  static async create(project: string, { folder, environment }: PullRequestOptions): Promise<Repositories> {
    const [hub, secretsCommands] = [path.join(folder, "hub.git"), path.join(folder, "desk")];
    mkdirSync(secretsCommands);
    // What the first push brings: the project without its installed packages and this rehearsal's settings.
    cpSync(project, secretsCommands, {
      recursive: true,
      filter: (file) => !/(^|[\\/])(node_modules|Pulumi\.rehearsal\.yaml)$/.test(file),
    });
    const repositories = new Repositories(hub, secretsCommands, environment);
    await repositories.git("init", "--quiet", "--bare", `--initial-branch=${BRANCH}`, hub);
    await repositories.git("init", "--quiet", `--initial-branch=${BRANCH}`, secretsCommands);
    await repositories.atDesk("remote", "add", "origin", hub);
    await repositories.commit("The first system");
    await repositories.atDesk("push", "--quiet", "--set-upstream", "origin", BRANCH);
    return repositories;
  }

  /** A branch with one change, pushed; the desk then stands on it. */
  async propose(branch: string, change: (folder: string) => void): Promise<string> {
    await this.atDesk("switch", "--quiet", "--create", branch, BRANCH);
    change(this.secretsCommands);
    await this.commit(branch);
    await this.atDesk("push", "--quiet", "origin", branch);
    return branch;
  }

  async abandon(branch: string): Promise<void> {
    await this.atDesk("push", "--quiet", "origin", "--delete", branch);
    await this.atDesk("switch", "--quiet", BRANCH);
  }

  /** Presses the button: GitHub asks its rules, merges, and deletes the branch. Returns the new revision. */
  async merge(
    github: Github,
    repository: Repository,
    branch: string,
    checks: Map<string, "success" | "failure">,
  ): Promise<string> {
    await this.atDesk("fetch", "--quiet", "origin");
    const { code } = await this.tryAtDesk("merge-base", "--is-ancestor", `origin/${BRANCH}`, branch);
    refuseMerge(github, repository, { base: BRANCH, checks, upToDate: code === 0 });
    await this.atDesk("switch", "--quiet", BRANCH);
    await this.atDesk("merge", "--quiet", "--no-ff", "--message", `Merge ${branch}`, branch);
    await this.atDesk("push", "--quiet", "origin", BRANCH, `:${branch}`);
    return this.atDesk("rev-parse", BRANCH);
  }

  private async commit(message: string): Promise<void> {
    await this.atDesk("add", "--all");
    await this.atDesk("commit", "--quiet", "--message", message);
  }

  private atDesk(...args: string[]): Promise<string> {
    return this.git("-C", this.secretsCommands, ...args);
  }

  private tryAtDesk(...args: string[]): Promise<Result> {
    return run("git", ["-C", this.secretsCommands, ...args], this.options);
  }

  private git(...args: string[]): Promise<string> {
    return output("git", args, this.options);
  }

  private get options() {
    return { cwd: path.dirname(this.hub), env: this.environment };
  }
}
