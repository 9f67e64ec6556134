/**
 * The script of the workflow "Comment on a fork", as it stands in the file, against an emulated GitHub over HTTP.
 * Cannot prove: that GitHub starts the workflow, or finds a fork's pull request by owner and branch.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { GithubServer, REPOSITORY, TOKEN } from "../preview/githubServer";
import { requireCommands } from "../require";
import { WAIT_MILLISECONDS } from "../../cli/rehearse/limits.cjs";

interface Workflow {
  jobs: { comment: { steps: { run: string; env: Record<string, string> }[] } };
}

const file = path.resolve(__dirname, "../../.github/workflows/fork-comment.yml");
const step = (parse(readFileSync(file, "utf8")) as Workflow).jobs.comment.steps[0]!;

describe("the comment on a fork", () => {
  before(function () {
    requireCommands(this, "curl", "curl", "jq");
  });

  let github: GithubServer;

  beforeEach(async () => {
    github = await GithubServer.start();
  });
  afterEach(() => github.stop());

  function run(head: string): Promise<{ code: number; stdout: string; stderr: string }> {
    const { MARK, TEXT } = step.env as { MARK: string; TEXT: string };
    const env = {
      ...{ PATH: process.env["PATH"], GITHUB_API_URL: github.url, GITHUB_REPOSITORY: REPOSITORY },
      ...{ GITHUB_TOKEN: TOKEN, HEAD: head, MARK, TEXT },
    };
    return new Promise((resolve) => {
      // As GitHub runs a step.
      const args = ["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step.run];
      const child = execFile("bash", args, { env, timeout: WAIT_MILLISECONDS }, (_, stdout, stderr) =>
        resolve({ code: child.exitCode ?? -1, stdout, stderr }),
      );
    });
  }
  const found = (number: number) => github.fail(/\/pulls\?/, { status: 200, body: JSON.stringify([{ number }]) });

  it("is written once, however often the checks run", async () => {
    found(1);
    const { code, stdout, stderr } = await run("stranger:change");
    assert.equal(code, 0, stderr);
    assert.equal(stdout, "Commented on pull request 1.\n");
    found(1);
    assert.equal((await run("stranger:change")).stdout, "Pull request 1 has the comment.\n");
    const comments = await github.comments();
    assert.equal(comments.length, 1);
    assert.match(
      comments[0]!.body,
      /^<!-- preview-comment fork -->\n\*\*No preview\.\*\* This pull request comes from a fork/,
    );
  });

  it("asks for the one branch, whatever a stranger calls it, and runs nothing of its name", async () => {
    found(1);
    await run('stranger:$(touch /tmp/x)&state=all"`id`');
    const { path: asked } = github.asked.find(({ path }) => path.includes("/pulls"))!;
    assert.equal(new URL(asked, "http://x").searchParams.get("head"), 'stranger:$(touch /tmp/x)&state=all"`id`');
    assert.equal(new URL(asked, "http://x").searchParams.get("state"), "open");
  });

  it("is not written where there is no open pull request", async () => {
    github.fail(/\/pulls\?/, { status: 200, body: "[]" });
    const { code, stdout } = await run("stranger:gone");
    assert.equal(code, 0);
    assert.equal(stdout, "No open pull request of stranger:gone.\n");
    assert.deepEqual(await github.comments(), []);
  });

  it("fails when GitHub refuses, and shows no token", async () => {
    github.fail(/\/pulls\?/, { status: 403 });
    const { code, stdout, stderr } = await run("stranger:change");
    assert.notEqual(code, 0);
    assert.equal(`${stdout}${stderr}`.includes(TOKEN), false);
  });
});
