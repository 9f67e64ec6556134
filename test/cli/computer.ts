import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import type http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { realContext, type Context } from "../../cli/common/context";
import type { Ui } from "../../cli/common/command";
import type { Prompts } from "../../cli/common/prompts";
import { type LocalServer, serve } from "../support/server";

/** A token in GitHub's form that nothing may print. */
export const TOKEN = "ghp_" + "testTokenThatNobodyMayPrint0000000000";

/** What the server answers at a path: a body with status 200, or status, body and headers; "hang" never answers. */
export type Reply = { status?: number; body?: unknown; headers?: Record<string, string> } | "hang";

/**
 * A computer of its own for setup and doctor: a project folder, a PATH with nothing but what a test puts there (and the
 * real git), and a local server in place of GitHub and AWS. The rest is real.
 */
export class Computer {
  readonly folder = mkdtempSync(path.join(tmpdir(), "setup-"));
  readonly bin = path.join(this.folder, "bin");
  readonly project = path.join(this.folder, "project");
  /** By path without the query. */
  readonly replies = new Map<string, Reply>();
  readonly requests: { path: string; headers: http.IncomingHttpHeaders; body: string }[] = [];
  /** Everything that was said. */
  said = "";
  private server!: LocalServer;

  static async start(): Promise<Computer> {
    const computer = new Computer();
    computer.server = await serve((request, response) => computer.answer(request, response));
    computer.makeProject();
    return computer;
  }

  async stop(): Promise<void> {
    await this.server.stop();
    rmSync(this.folder, { recursive: true });
  }

  get url(): string {
    return this.server.url;
  }

  surroundings(env: NodeJS.ProcessEnv = {}, overrides: Partial<Context> = {}): Context {
    return realContext({
      folder: this.project,
      platform: "linux",
      arch: "x64",
      nodeVersion: "22.12.0",
      env: {
        PATH: this.bin,
        HOME: this.folder,
        GITHUB_TOKEN: TOKEN,
        GITHUB_BASE_URL: this.url,
        AWS_ACCESS_KEY_ID: "AKIATEST",
        AWS_SECRET_ACCESS_KEY: "secretOfTheTest",
        AWS_ENDPOINT_URL_STS: `${this.url}/sts`,
        AWS_ENDPOINT_URL_EC2: `${this.url}/ec2`,
        GIT_AUTHOR_NAME: "t",
        GIT_AUTHOR_EMAIL: "t@example.com",
        GIT_COMMITTER_NAME: "t",
        GIT_COMMITTER_EMAIL: "t@example.com",
        ...env,
      },
      ...overrides,
    });
  }

  /** Takes what a command says, and what it complains of. */
  ui(prompts?: Prompts): Ui {
    const say = (text: string) => void (this.said += `${text}\n`);
    return { say, complain: say, prompts };
  }

  /** The same, but a program's calls with this argument hang, and are ended. */
  withHanging(argument: string): Context {
    const context = this.surroundings();
    const ended = { found: true, code: null, stdout: "", stderr: "", timedOut: true };
    const run: Context["run"] = (program, args, options) =>
      args.includes(argument) ? Promise.resolve(ended) : context.run(program, args, options);
    return { ...context, run };
  }

  /** Puts a program on PATH. */
  program(name: string, script: string): void {
    const file = path.join(this.bin, name);
    rmSync(file, { force: true });
    writeFileSync(file, `#!/bin/bash\nexport PATH=/usr/bin:/bin\n${script}\n`);
    chmodSync(file, 0o755);
  }

  without(name: string): void {
    rmSync(path.join(this.bin, name), { force: true });
  }

  read(file: string): string {
    return readFileSync(path.join(this.project, file), "utf8");
  }

  write(file: string, text: string): void {
    mkdirSync(path.dirname(path.join(this.project, file)), { recursive: true });
    writeFileSync(path.join(this.project, file), text);
  }

  git(...args: string[]): string {
    const identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
    return execFileSync("git", ["-C", this.project, ...identity, ...args], { encoding: "utf8", stdio: "pipe" }).trim();
  }

  /** A user on the free plan without repositories, AWS that knows the keys, and all programs in order. */
  everythingWorks(): this {
    const scopes = { "x-oauth-scopes": "repo, read:org" };
    this.replies.set("/user", { body: { login: "octo", plan: { name: "free" } }, headers: scopes });
    this.replies.set("/users/octo", { body: { login: "octo", type: "User" } });
    this.replies.set("/sts/", {
      body: { GetCallerIdentityResponse: { GetCallerIdentityResult: { Arn: "arn:aws:iam::123456789012:user/t" } } },
    });
    this.program("nix", 'case $1 in --version) echo "nix (Nix) 2.28.3" ;; *) echo true ;; esac');
    this.program("ssh", "echo OpenSSH_9.9p1 >&2");
    this.program("sops", "echo sops 3.11.0");
    this.program("pulumi", this.pulumiScript('{"user":"t","url":"file://~"}'));
    return this;
  }

  /** An organization beside the user. */
  organization(name: string, body: object): this {
    this.replies.set(`/users/${name}`, { body: { login: name, type: "Organization" } });
    this.replies.set(`/orgs/${name}`, { body: { login: name, ...body } });
    return this;
  }

  /** A CLI that is logged in, whose selected stack is dev, or which answers another way when it is asked for that. */
  pulumiScript(whoami: string, outputs = "", selected = "echo dev", state = ""): string {
    return `
      case "$1 $2" in
      version*) echo v3.200.0 ;;
      whoami*) echo '${whoami}' ;;
      "stack output") ${outputs || "echo 'error: no stack named dev found' >&2; exit 255"} ;;
      "stack export") ${state || "echo \"error: no stack named 'dev' found\" >&2; exit 255"} ;;
      "stack --show-name") ${selected} ;;
      *) echo "$@" >>${this.folder}/pulumi.log ;;
      esac`;
  }

  private makeProject(): void {
    mkdirSync(this.bin);
    mkdirSync(this.project);
    symlinkSync("/usr/bin/git", path.join(this.bin, "git"));
    const root = path.join(__dirname, "..", "..");
    for (const file of ["package.json", "Pulumi.yaml", "nix/upgrade/github-known-hosts", ".github/workflows/ci.yml"]) {
      cpSync(path.join(root, file), path.join(this.project, file));
    }
    this.write(
      "nix/repository.json",
      '{\n  "owner": "",\n  "name": "pulumi-nixos",\n  "branch": "main",\n  "access": "deploy-key"\n}\n',
    );
    this.write(
      "Pulumi.dev.yaml",
      "config:\n  aws:region: us-east-1\n  pulumi-nixos:machine:\n    instanceType: t3.small\n",
    );
    this.git("init", "--quiet", "--initial-branch=main");
    this.git("add", "--all");
    this.git("commit", "--quiet", "--message", "start");
  }

  private answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      const url = new URL(request.url ?? "", "http://local");
      this.requests.push({ path: url.pathname, headers: request.headers, body });
      const reply = this.replies.get(url.pathname) ?? { status: 404, body: { message: "Not Found" } };
      if (reply === "hang") return;
      response.writeHead(reply.status ?? 200, { "content-type": "application/json", ...reply.headers });
      response.end(typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body ?? {}));
    });
  }
}

/** Answers questions by a part of their text; a question that is not foreseen fails the test, and so does a wrong answer. */
export function answering(answers: Record<string, string | boolean>): Prompts & { asked: string[] } {
  const asked: string[] = [];
  const answerTo = (question: string): string | boolean => {
    asked.push(question);
    const found = Object.entries(answers).find(([part]) => question.includes(part));
    if (found === undefined) throw new Error(`the test has no answer to: ${question}`);
    return found[1];
  };
  return {
    asked,
    text: (question, usual, check) => {
      const answer = answerTo(question);
      const text = answer === "" ? (usual ?? "") : String(answer);
      const problems = check(text);
      return problems.length === 0 ? Promise.resolve(text) : Promise.reject(new Error(problems.join("\n")));
    },
    choose: (question, choices, usual) => {
      const answer = answerTo(question) || usual;
      const choice = choices.find(({ value }) => value === answer);
      return choice ? Promise.resolve(choice.value) : Promise.reject(new Error(`${question}: no choice ${answer}`));
    },
    confirm: (question) => Promise.resolve(answerTo(question) === true),
  };
}
