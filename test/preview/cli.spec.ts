/** Runs the command as a CI job does, against an emulated GitHub. */
import * as assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { WAIT_MILLISECONDS } from "../../cli/rehearse/limits.cjs";
import { GithubServer, REPOSITORY, TOKEN } from "./githubServer";

const ROOT = path.resolve(__dirname, "../..");
const recorded = (name: string) => path.join(__dirname, "recorded", `${name}.json`);

interface Result {
  code: number | null;
  stdout: string;
  stderr: string;
}

function run(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Result> {
  const { PATH, HOME } = process.env;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--import", "tsx", "cli/preview-comment.ts", ...args], {
      cwd: ROOT,
      env: { PATH, HOME, ...env },
      timeout: WAIT_MILLISECONDS,
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
    child.stdin.end();
  });
}

describe("npm run preview-comment", () => {
  let github: GithubServer;
  let folder: string;

  before(async () => {
    github = await GithubServer.start();
    folder = mkdtempSync(path.join(tmpdir(), "preview-comment-"));
  });
  after(async () => {
    await github.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** What GitHub Actions tells a job of a pull request. */
  const actions = () => {
    const event = path.join(folder, "event.json");
    writeFileSync(event, JSON.stringify({ pull_request: { number: 1, head: { sha: "abcdef0123456789" } } }));
    return {
      GITHUB_ACTIONS: "true",
      GITHUB_API_URL: github.url,
      GITHUB_SERVER_URL: "https://github.com",
      GITHUB_REPOSITORY: REPOSITORY,
      GITHUB_RUN_ID: "7",
      GITHUB_EVENT_PATH: event,
      GITHUB_TOKEN: TOKEN,
    };
  };

  it("posts in GitHub Actions without further options", async () => {
    const { code, stdout, stderr } = await run(["--preview", recorded("replace"), "--exit-code", "0"], actions());
    assert.deepEqual([code, stdout], [0, ""]);
    assert.match(stderr, /^Created the comment \d+ on example\/server#1\.\n$/);
    const [comment] = await github.comments();
    assert.match(comment!.body, /^<!-- preview-comment pulumi-nixos\/dev -->\n### ⚠️ `pulumi-nixos\/dev`: 1 replaced/);
    assert.match(comment!.body, /actions\/runs\/7>\) · commit `abcdef0`\n$/);
  });

  it("posts a failed preview and ends with its exit code", async () => {
    const { code } = await run(["--preview", recorded("broken-flake"), "--exit-code", "255"], actions());
    assert.equal(code, 255);
    const [comment, ...others] = await github.comments();
    assert.match(comment!.body, /The flake does not evaluate/);
    assert.deepEqual(others, []);
  });

  it("ends as the preview did when the comment cannot be written", async () => {
    const { code, stderr } = await run(["--preview", recorded("page"), "--pull-request", "99"], actions());
    assert.equal(code, 0);
    assert.match(stderr, /^::warning::No comment was written: .*404/);
    assert.doesNotMatch(stderr, new RegExp(TOKEN));
  });

  it("says what is missing for posting, and ends as the preview did", async () => {
    const { code, stderr } = await run(["--preview", recorded("broken-flake")]);
    assert.equal(code, 1);
    assert.match(stderr, /it needs a token in GITHUB_TOKEN, the repository .*, the number of the pull request/);
  });

  it("prints without a network, a token or Nix", async () => {
    const { code, stdout, stderr } = await run(["--preview", recorded("page"), "--print"], { PATH: "" });
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /^### 🔷 `pulumi-nixos\/dev`: system deployed\n[^]*Nix is not installed here/);
  });

  it("names the stack of a preview that failed before it could", async () => {
    const { code, stdout } = await run(["--preview", "-", "--stack", "site/prod", "--exit-code", "3", "--print"]);
    assert.equal(code, 3);
    assert.match(stdout, /^### ❌ `site\/prod`: the preview failed$/m);
  });

  it("lists all wrong options at once", async () => {
    const { code, stdout, stderr } = await run(["--exit-code", "x", "--repository", "a b", "--pull-request", "0"]);
    assert.deepEqual([code, stdout], [2, ""]);
    for (const word of ["--preview is missing", '"x"', "owner/name", '"0"']) assert.ok(stderr.includes(word), stderr);
  });
});
