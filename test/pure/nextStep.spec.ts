import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { readCheckout } from "../../program/checkout";
import { nextStep } from "../../program/nextStep";
import { requireCommands } from "../require";

describe("nextStep", () => {
  it("asks for the push until something was pushed", () => {
    const step = nextStep({ access: "deploy-key", secretsFile: false, pushed: false });
    assert.equal(step, "git push -u origin HEAD: the machine takes it within a minute, and follows from then on.");
  });

  // Fault 100
  it("names the machine's branch where another one is checked out, and those that are there instead", () => {
    const facts = { access: "deploy-key", secretsFile: false, pushed: false, follows: "main" };
    assert.match(nextStep(facts) ?? "", /^git push -u origin HEAD:main: the machine follows main\. It takes/);
    assert.match(
      nextStep({ ...facts, others: ["master", "x"] }) ?? "",
      /^git push -u origin HEAD:main: the machine follows main, .* \(only "master", "x"\)\./,
    );
    assert.match(nextStep({ ...facts, others: Array(9).fill("x") as string[] }) ?? "", / and 4 more\)/);
  });

  it("asks for the token first where the machine reads with one", () => {
    const step = nextStep({ access: "token", secretsFile: false, pushed: false });
    assert.equal(
      step,
      "Give the machine its token: npm run secrets -- init, npm run secrets -- token, commit, npx pulumi up.",
    );
  });

  it("asks for the push once the token is there", () => {
    assert.match(nextStep({ access: "token", secretsFile: true, pushed: false }) ?? "", /^git push/);
  });

  it("has nothing to say once the machine goes on by itself", () => {
    assert.equal(nextStep({ access: "deploy-key", secretsFile: false, pushed: true }), undefined);
    assert.equal(nextStep({ access: "token", secretsFile: true, pushed: true }), undefined);
  });
});

describe("readCheckout", () => {
  before(function () {
    requireCommands(this, "git", "git");
  });

  const json = JSON.stringify({ owner: "Octo", name: "server", branch: "main", access: "deploy-key" });
  let folder: string;
  const git = (...args: string[]) =>
    execFileSync("git", ["-C", folder, "-c", "user.name=t", "-c", "user.email=t@example.com", ...args], {
      stdio: "ignore",
    });

  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "checkout-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function repository(url: string): void {
    git("init", "--initial-branch=main");
    git("commit", "--allow-empty", "--message", "start");
    git("remote", "add", "origin", url);
  }

  it("is not pushed outside of a repository", () => {
    assert.deepEqual(readCheckout(folder, json), { access: "deploy-key", secretsFile: false, pushed: false });
  });

  it("is not pushed where the remote has no branch that git remembers", () => {
    repository("git@github.com:octo/server.git");
    assert.equal(readCheckout(folder, json).pushed, false);
  });

  it("is pushed where git remembers a branch of the remote", () => {
    repository("git@github.com:octo/server.git");
    git("update-ref", "refs/remotes/origin/main", "HEAD");
    assert.equal(readCheckout(folder, json).pushed, true);
  });

  it("is not pushed where git remembers other branches of the remote only, and names them", () => {
    repository("git@github.com:octo/server.git");
    git("branch", "--move", "master");
    assert.equal(readCheckout(folder, json).follows, "main");
    git("update-ref", "refs/remotes/origin/master", "HEAD");
    git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/master");
    const facts = readCheckout(folder, json);
    assert.deepEqual([facts.pushed, facts.follows, facts.others], [false, "main", ["master"]]);
    const master = JSON.stringify({ ...(JSON.parse(json) as object), branch: "master" });
    assert.equal(readCheckout(folder, master).pushed, true);
  });

  it("names the branch before the first commit, too", () => {
    git("init", "--initial-branch=master");
    assert.match(nextStep(readCheckout(folder, json)) ?? "", /HEAD:main/);
  });

  it("is pushed where CI has checked out a pull request", () => {
    repository("https://github.com/octo/server");
    git("update-ref", "refs/remotes/pull/5/merge", "HEAD");
    assert.equal(readCheckout(folder, json).pushed, true);
  });

  it("is not pushed where the remote is another repository, such as the one it was cloned from", () => {
    repository("git@github.com:octo/template.git");
    git("update-ref", "refs/remotes/origin/main", "HEAD");
    assert.equal(readCheckout(folder, json).pushed, false);
  });

  it("sees the secrets", () => {
    mkdirSync(path.join(folder, "nix"));
    writeFileSync(path.join(folder, "nix", "secrets.yaml"), "");
    assert.equal(readCheckout(folder, json).secretsFile, true);
  });
});
