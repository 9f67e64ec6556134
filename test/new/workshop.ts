import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { devNull, tmpdir } from "node:os";
import * as path from "node:path";
import { run, type Result } from "../../cli/rehearse/processes";
import { ROOT } from "../../cli/rehearse/project";
import { exportRepository } from "../support/template";

/** A clone of this repository in a folder of its own, and beside it the repositories that are made of it. */
export class Workshop {
  readonly root = realpathSync(mkdtempSync(path.join(tmpdir(), "own-")));
  readonly clone = path.join(this.root, "pulumi-nixos");
  private readonly environment = {
    ...process.env,
    GIT_CONFIG_GLOBAL: devNull,
    GIT_CONFIG_NOSYSTEM: "1",
    NODE_OPTIONS: "",
  };

  constructor() {
    exportRepository(this.clone);
    this.begin("pulumi-nixos");
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true, maxRetries: 3 });
  }

  /** Makes a folder a git repository, with this checkout's packages. */
  begin(name: string): string {
    const folder = path.join(this.root, name);
    this.git(folder, "init", "--quiet", "--initial-branch=main");
    this.link(folder);
    this.commit(folder, "Begin");
    return folder;
  }

  /** Gives a repository this checkout's packages. */
  link(folder: string): void {
    appendFileSync(path.join(folder, ".git/info/exclude"), "node_modules\n");
    symlinkSync(path.join(ROOT, "node_modules"), path.join(folder, "node_modules"), "junction");
  }

  git(folder: string, ...args: string[]): string {
    const own = ["-c", "user.name=Tests", "-c", "user.email=tests@example.com", "-c", "commit.gpgsign=false"];
    return execFileSync("git", ["-C", folder, ...own, ...args], {
      encoding: "utf8",
      env: this.environment,
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  commit(folder: string, message: string, ...options: string[]): void {
    this.git(folder, "add", "--all");
    this.git(folder, "commit", "--quiet", "--message", message, ...options);
  }

  files(folder: string): string[] {
    return this.git(folder, "ls-files").trimEnd().split("\n");
  }

  run(directory: string, program: string, args: string[]): Promise<Result> {
    return run(program, args, { cwd: directory, env: this.environment });
  }

  /** `npm run new` in the clone. */
  new(...args: string[]): Promise<Result> {
    return this.script(this.clone, "new", ...args);
  }

  /** A server's repository that is made so, committed, with this checkout's packages. */
  async server(): Promise<string> {
    const { code, stdout, stderr } = await this.new("../my-server");
    assert.equal(code, 0, stdout + stderr);
    return this.begin("my-server");
  }

  /** A script of package.json, as npm runs it. */
  script(folder: string, name: string, ...args: string[]): Promise<Result> {
    const { scripts } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    const [program, file] = scripts[name]!.split(" ");
    if (program !== "tsx") throw new Error(`${name} is not run by tsx.`);
    return this.run(folder, process.execPath, ["--import", "tsx", file!, ...args]);
  }
}
