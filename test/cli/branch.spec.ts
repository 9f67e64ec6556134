/**
 * What setup and doctor say of a branch that is not the machine's: a real git, the project's real workflows, a local
 * server in GitHub's place. Cannot prove: that GitHub lists branches so.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { checkBranch, checkWorkflowBranches, pushTo } from "../../cli/diagnostics/branch";
import { checkGit } from "../../cli/diagnostics/git";
import { githubClient } from "../../cli/common/github";
import { checkWorkflows } from "../../cli/diagnostics/requiredChecks";
import { printed } from "../../cli/common/result";
import { Computer } from "./computer";

describe("a branch that is not the machine's", () => {
  let computer: Computer;
  beforeEach(async () => (computer = await Computer.start()));
  afterEach(() => computer.stop());

  const git = (...args: string[]) => execFileSync("git", ["-C", computer.project, ...args], { stdio: "pipe" });

  it("is noticed where it is checked out and the machine's is nowhere, with the ways out", async () => {
    git("branch", "--move", "master");
    const said = printed(await checkGit(computer.surroundings(), "main"));
    assert.match(said, /note {2}branch +master is checked out; the machine follows main, which git knows nowhere/);
    assert.match(said, /git branch -m master main\. Or push it there: git push -u origin HEAD:main\./);
    git("branch", "main");
    assert.match(printed(await checkGit(computer.surroundings(), "main")), /taken back by the machine's next upgrade/);
  });

  it("is where the push that setup advises goes", async () => {
    assert.equal(await pushTo(computer.surroundings(), "main"), "git push -u origin HEAD");
    git("branch", "--move", "master");
    assert.equal(await pushTo(computer.surroundings(), "main"), "git push -u origin HEAD:main");
  });

  it("is named where GitHub has others only", async () => {
    const at = "/repos/octo/server/branches";
    const check = async () =>
      printed([await checkBranch(await githubClient(computer.surroundings()), "octo/server", "main")]);
    computer.replies.set(`${at}/main`, { status: 404, body: { message: "Branch not found" } });
    computer.replies.set(at, { body: [] });
    assert.match(await check(), /skip {2}branch +nothing was pushed to octo\/server yet/);
    computer.replies.set(at, { body: [{ name: "master" }, { name: "x\u001b[31m" }] });
    const said = await check();
    assert.match(said, /FAIL {2}branch +octo\/server has no main, which the machine follows; it has master, x/);
    assert.match(said, /git push origin master:main/);
    assert.ok(!said.includes("\u001b"));
    // Whoever may push chooses the names: no command is advised that a shell would take for more than one.
    computer.replies.set(at, { body: [{ name: "$(touch${IFS}evil)" }, { name: "master" }] });
    assert.match(await check(), /git push origin master:main/);
    computer.replies.set(at, { body: [{ name: "`touch${IFS}evil`" }] });
    assert.match(await check(), /git push origin HEAD:main/);
    computer.replies.set(`${at}/main`, { body: { name: "main" } });
    assert.match(await check(), /ok {4}branch/);
    // Where a branch was renamed, GitHub answers with its new name.
    computer.replies.set(`${at}/main`, { body: { name: "trunk" } });
    assert.match(await check(), /FAIL/);
  });

  it("is what the workflows are written for", () => {
    assert.deepEqual(checkWorkflowBranches(".", "main"), []);
    const said = printed(checkWorkflowBranches(".", "master"));
    for (const name of ["CI", "Cache", "Deploy", "Drift"]) assert.ok(said.includes(`"${name}"`), said);
    assert.doesNotMatch(said, /Preview/);
  });

  it("is what a required check's workflow runs for", () => {
    const required = ["Evaluate flake.nix"];
    assert.equal(checkWorkflows(computer.project, required, "master").outcome, "ok");
    const file = path.join(computer.project, ".github/workflows/ci.yml");
    const text = fs.readFileSync(file, "utf8");
    fs.writeFileSync(file, text.replace("pull_request:\n", "pull_request:\n    branches: [main]\n"));
    assert.equal(checkWorkflows(computer.project, required, "main").outcome, "ok");
    assert.match(
      printed([checkWorkflows(computer.project, required, "master")]),
      /does not run on every pull request to master/,
    );
  });

  it("is warned of in the checks of a pull request", () => {
    const copy = (from: string) =>
      fs.cpSync(path.resolve(from), path.join(computer.project, from), { recursive: true });
    copy(".github");
    const file = path.join(computer.project, "nix/repository.json");
    const warnings = (branch: string) => {
      fs.writeFileSync(file, JSON.stringify({ branch }));
      return execFileSync(path.join(computer.project, ".github/scripts/branch.sh"), { encoding: "utf8" });
    };
    assert.equal(warnings("main"), "");
    for (const name of ["ci", "cache", "deploy", "drift"]) {
      assert.match(
        warnings("master"),
        new RegExp(`^::warning file=\\.github/workflows/${name}\\.yml::It runs for main, but .* follows master`, "m"),
      );
    }
    const own = path.join(computer.project, ".github/workflows/own.yml");
    const lines = "    branches: # ours\n      - develop # new\n      - 'next'\n    paths:\n      - nix/**\n";
    fs.writeFileSync(own, `on:\n  push:\n${lines}  pull_request:\n    branches:\n      - other\njobs:\n  x: {}\n`);
    assert.equal(warnings("next"), warnings("next").replace(/^.*own\.yml.*$/m, ""));
    assert.match(warnings("main"), /^::warning file=[^:]*own\.yml::It runs for develop next, but .* follows main/m);
  });
});
