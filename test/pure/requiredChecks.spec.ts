/**
 * requiredChecks.ts: which required checks the chosen continuous integration will report.
 * Cannot prove: that GitHub, garnix or Hydra name their checks so.
 */
import assert from "node:assert/strict";
import { ciSystem, reportedNames, unreportedChecks } from "../../program/requiredChecks";
import { REQUIRED_CHECKS } from "../../components/values/repositoryNames";
import { readWorkflows } from "../../program/workflows";

const workflow = (on: string, jobs: string) => `name: CI\n${on}\njobs:\n${jobs}`;
const PULL_REQUESTS = "on:\n  pull_request:\n  push:\n    branches: [main]\n";

const problems = (required: string[], checksFrom: string, workflows: string[] = [], branchProtection = "branch") =>
  unreportedChecks("requiredChecks", required, { checksFrom, branchProtection, workflows });
const reported = (name: string, text: string) => problems([name], "github-actions", [text]).length === 0;

describe("unreportedChecks", () => {
  it("finds the two default checks in the project's own workflows", () => {
    assert.deepEqual(problems(REQUIRED_CHECKS, "github-actions", readWorkflows(".")), []);
  });

  it("names what nobody reports, and what is reported instead", () => {
    const text = workflow(PULL_REQUESTS, "  a:\n    name: build\n  b:\n    runs-on: x\n");
    assert.deepEqual(problems(["build", "lint"], "github-actions", [text]), [
      'requiredChecks: got "lint"; allowed: jobs that .github/workflows runs on every pull request ("build", "b"). ' +
        "A check that nobody reports locks the branch.",
    ]);
    assert.match(problems(["build"], "github-actions", [])[0]!, /\(there are none\)/);
  });

  // Whatever way it is written; the second column says whether a job "build" reports to a pull request.
  const triggers: [string, boolean][] = [
    ["on: pull_request", true],
    ["on: [push, pull_request]", true],
    [PULL_REQUESTS, true],
    ["on: {pull_request: {branches: [main]}}", true],
    ["on: push", false],
    ["on:\n  push:\n    branches: [main]\n", false],
    ["on: {pull_request: {paths: [nix/**]}}", false],
    ["on:\n  pull_request:\n    paths-ignore: [docs/**]\n", false],
    ["on: {workflow_dispatch: }", false],
  ];
  // Each of these is the rule of a page of GitHub's: "Workflow syntax", "Events that trigger workflows".
  triggers.push(
    ["on: {pull_request: {branches: [develop]}}", false],
    ["on: {pull_request: {branches: main}}", true],
    ["on: {pull_request: {branches: []}}", false],
    ["on: {pull_request: {branches: ['**', '!main']}}", false],
    ["on: {pull_request: {branches: ['!main', '**']}}", true],
    ["on: {pull_request: {branches: ['!main']}}", false],
    ["on: {pull_request: {branches: ['m*', '!ma*', 'main']}}", true],
    ["on: {pull_request: {branches-ignore: [main]}}", false],
    ["on: {pull_request: {branches-ignore: ['release/**']}}", true],
    ["on: {pull_request: {branches: [main], branches-ignore: [x]}}", false],
    ["on: {pull_request: {paths: ['**']}}", true],
    ["on: {pull_request: {paths: ['**', '!docs/**']}}", false],
    ["on: {pull_request: {paths: ['!docs/**', '**']}}", true],
    ["on: {pull_request: {paths: ['**/*']}}", true],
    ["on: {pull_request: {paths: ['**/*', '!docs/**']}}", false],
    ["on: {pull_request: {paths: ['**/*.nix']}}", false],
    ["on: {pull_request: {types: [opened, synchronize, reopened]}}", true],
    ["on: {pull_request: {types: [labeled]}}", false],
    ["on: {pull_request: {types: [opened]}}", false],
    ["on: {pull_request: {types: synchronize}}", false],
    ["on: pull_request_target", true],
    ["on: {pull_request_target: {branches: [develop]}}", false],
    ["on: {pull_request: {branches: [develop]}, pull_request_target: }", true],
    ["on:\n  pull_request:\n    branches:\n      - develop\n", false],
    ["on: merge_group", false],
    ["on: {pull_request_review: {types: [submitted]}}", false],
  );
  for (const [on, expected] of triggers) {
    it(`${expected ? "counts" : "does not count"} a job after ${JSON.stringify(on)}`, () => {
      assert.equal(reported("build", workflow(on, "  x:\n    name: build\n")), expected);
    });
  }

  it("does not take the name of a step or of the workflow for a job's", () => {
    const text = workflow(PULL_REQUESTS, "  x:\n    steps:\n      - name: build\n");
    assert.equal(reported("build", text), false);
    assert.equal(reported("CI", text), false);
  });

  it("leaves open what an expression, a matrix or a called workflow adds", () => {
    const expression = workflow(PULL_REQUESTS, "  x:\n    name: build on ${{ matrix.os }}\n");
    assert.equal(reported("build on linux", expression), true);
    assert.equal(reported("build", expression), false);
    const matrix = workflow(PULL_REQUESTS, "  x:\n    strategy: {matrix: {os: [linux]}}\n");
    assert.equal(reported("x (linux)", matrix), true);
    assert.equal(reported("x", matrix), false);
    const called = workflow(PULL_REQUESTS, "  x:\n    uses: ./.github/workflows/y.yml\n");
    assert.equal(reported("x / build", called), true);
  });

  it("tells the names of a plain matrix, and of the workflow of this repository that is called", () => {
    const matrix = "    strategy: {matrix: {os: [linux, mac], node: [20]}}\n";
    const appended = workflow(PULL_REQUESTS, `  x:\n${matrix}`);
    assert.equal(reported("x (linux, 20)", appended), true);
    assert.equal(reported("x (windows, 20)", appended), false);
    const named = workflow(PULL_REQUESTS, `  x:\n    name: build\n${matrix}`);
    assert.equal(reported("build (linux, 20)", named), true);
    assert.equal(reported("build", named), false);
    const included = workflow(PULL_REQUESTS, "  x:\n    name: build\n    strategy: {matrix: {include: [{os: mac}]}}\n");
    assert.equal(reported("build (mac)", included), true);
    assert.equal(reported("build", included), false);
    const placed = workflow(PULL_REQUESTS, `  x:\n    name: on ${"${{ matrix.os }}"} for all\n${matrix}`);
    assert.equal(reported("on mac for all", placed), true);
    assert.equal(reported("on windows for all", placed), false);
    const caller = workflow(PULL_REQUESTS, "  x:\n    uses: ./.github/workflows/y.yml\n");
    const called = workflow("on: workflow_call", "  inner:\n    name: build\n");
    assert.deepEqual(problems(["x / build"], "github-actions", [caller, called]), []);
    assert.equal(problems(["x / lint"], "github-actions", [caller, called]).length, 1);
    assert.equal(problems(["build"], "github-actions", [caller, called]).length, 1);
    const foreign = workflow(PULL_REQUESTS, "  x:\n    uses: acme/ci/.github/workflows/y.yml@v1\n");
    assert.deepEqual(problems(["x / lint"], "github-actions", [foreign, called]), []);
  });

  it("takes an expression with braces in it for one", () => {
    const name = "${{ format('{0} on {1}', matrix.what, matrix.os) }} (${{ github.event_name }})";
    assert.equal(reported("build on linux (pull_request)", workflow(PULL_REQUESTS, `  x:\n    name: ${name}\n`)), true);
    const open = "${{ ".repeat(15_000);
    assert.equal(reported("build", workflow(PULL_REQUESTS, `  x:\n    name: "x${open}"\n`)), false);
  });

  it("soon has the names of workflows that call each other", () => {
    const calls = Array.from({ length: 8 }, (_, job) => `  j${job}:\n    uses: ./.github/workflows/x.yml\n`).join("");
    const called = Array.from({ length: 8 }, () => workflow("on: workflow_call", calls));
    const caller = workflow(PULL_REQUESTS, "  x:\n    uses: ./.github/workflows/y.yml\n");
    assert.deepEqual(problems(["x / j1 / build"], "github-actions", [caller, ...called]), []);
    assert.equal(problems(["x / k / build"], "github-actions", [caller, ...called]).length, 1);
  });

  // GitHub counts a skipped job as passed: a required check of its name would guard nothing.
  const conditions: [string, boolean][] = [
    ["false", false],
    ["${{ false }}", false],
    ["github.event_name == 'push'", false],
    ["${{ github.event_name != 'pull_request' }}", false],
    ["github.ref == 'refs/heads/develop'", false],
    ["github.base_ref == 'develop'", false],
    ["vars.ON == 'yes' && github.event_name == 'push'", false],
    ["github.base_ref == 'main'", true],
    ["github.event_name == 'pull_request'", true],
    ["github.event_name == 'push' || github.event_name == 'pull_request'", true],
    ["vars.CACHE != ''", true],
    ["true", true],
    // As public workflows write them.
    [
      "success() && github.event_name == 'push' && (github.ref == 'refs/heads/auto' || github.ref == 'refs/heads/try')",
      false,
    ],
    ["!success() && (github.event_name == 'push')", false],
    ["startsWith(github.ref, 'refs/tags/')", false],
    ["${{ startsWith(github.ref, 'refs/tags/v') && !contains(github.ref, 'rc') }}", false],
    ["github.event_name == 'PULL_REQUEST'", true],
    ["github['event_name'] == 'push'", false],
    ["github.event_name == 'workflow_dispatch' || inputs.force", true],
    [
      "(github.event_name != 'pull_request' || github.event.pull_request.head.repo.full_name == github.repository) && true",
      true,
    ],
    // A draft without the label is skipped, and nothing runs when it is made ready.
    ["contains(github.event.pull_request.labels.*.name, 'early') || !github.event.pull_request.draft", false],
    ["contains(github.event.pull_request.labels.*.name, 'safe to test')", false],
    ["${{ ! contains( github.event.pull_request.labels.*.name, 'skip' ) }}", true],
    ["github.event.label.name == 'ready'", false],
    ["github.event.label.name != 'skip'", true],
    ["github.actor == 'dependabot[bot]'", false],
    ["github.actor != 'dependabot[bot]'", true],
    ["github.event.pull_request.user.login == 'renovate[bot]'", false],
    ["github.event.pull_request.user.login == github.repository_owner", true],
    ["startsWith(github.head_ref, 'release/')", false],
    ["!startsWith(github.head_ref, 'release/')", true],
    ["github.event.pull_request.head.ref == 'next' || github.event_name == 'push'", false],
    ["contains(github.event.pull_request.title, '[deploy]')", false],
    ["!contains(github.event.pull_request.title, '[skip ci]')", true],
    ["contains(github.event.head_commit.message, '[deploy]')", true],
    ["github.event.pull_request.draft", false],
    ["github.event.pull_request.merged == true", false],
    ["github.event.action == 'opened'", false],
    ["github.event.action != 'closed'", true],
    ["contains(fromJSON('[1]'), github.event_name)", true],
    ["always() && github.event_name == 'push'", false],
    ["failure()", false],
    ["cancelled()", false],
    ["!cancelled() && !failure()", true],
    ["success() || failure()", true],
    ["${{ github.event_name == 'push' }} && vars.ON", true],
    ["0 > 1", false],
    ["'' || null", false],
    ["github.event_name = 'push'", true],
    ["(((", true],
    ["(".repeat(100_000), true],
    ["!".repeat(100_000), true],
    [`${"(".repeat(40)}false${")".repeat(40)}`, false],
  ];
  for (const [condition, expected] of conditions) {
    it(`${expected ? "counts" : "does not count"} a job if ${condition.slice(0, 120)}`, () => {
      const job = `  x:\n    name: build\n    if: "${condition}"\n`;
      assert.equal(reported("build", workflow(PULL_REQUESTS, job)), expected);
      assert.equal(
        reported("build", workflow(PULL_REQUESTS, `  x:\n    if: "${condition}"\n    name: build\n`)),
        expected,
      );
    });
  }

  it("does not count a job that needs one which never runs, but one that asks how it ended", () => {
    const first = "  first:\n    if: github.event_name == 'push'\n";
    const last = (more: string) =>
      `  middle:\n    needs: first\n  last:\n    name: build\n    needs: [other, middle]\n${more}`;
    const other = "  other: {}\n";
    for (const more of ["", "    if: success()\n", "    if: vars.ON\n"]) {
      assert.equal(reported("build", workflow(PULL_REQUESTS, first + last(more) + other)), false, more);
    }
    for (const more of ["    if: always()\n", "    if: ${{ !cancelled() }}\n", "    if: success() || failure()\n"]) {
      assert.equal(reported("build", workflow(PULL_REQUESTS, first + last(more) + other)), true, more);
    }
    assert.equal(reported("build", workflow(PULL_REQUESTS, last("") + other)), true, "needs what is not there");
    const circle = "  a:\n    needs: build\n  build:\n    needs: [a, a]\n";
    assert.equal(reported("build", workflow(PULL_REQUESTS, circle)), true);
  });

  // A draft's skipped check counts as passed, and making it ready starts no run by itself.
  for (const condition of [
    "${{ !github.event.pull_request.draft }}",
    "github.event.pull_request.draft == false && ! contains(github.event.sender.login, 'bot')",
  ]) {
    it(`counts a job if ${condition} only where it runs when a draft is made ready`, () => {
      const job = `  x:\n    name: build\n    if: "${condition}"\n`;
      const types = (more: string) => `on: {pull_request: {types: [opened, synchronize, reopened${more}]}}`;
      assert.equal(reported("build", workflow(PULL_REQUESTS, job)), false);
      assert.equal(reported("build", workflow(types(""), job)), false);
      assert.equal(reported("build", workflow(types(", ready_for_review"), job)), true);
    });
  }

  it("counts a job by the event that starts it: of two, one is enough", () => {
    const job = "  x:\n    name: build\n    if: github.event_name == 'pull_request_target'\n";
    assert.equal(reported("build", workflow("on: [pull_request, pull_request_target]", job)), true);
    assert.equal(reported("build", workflow("on: {pull_request: , pull_request_target: {branches: [x]}}", job)), false);
  });

  it("reads filters below an empty line and a comment", () => {
    const job = "  x:\n    name: build\n";
    for (const between of ["\n", "\n\n", "  # only there\n", "# only there\n", "    # only there\n", "   \n"]) {
      const on = `on:\n  pull_request:\n${between}    branches: [develop]\n`;
      assert.equal(reported("build", workflow(on, job)), false, JSON.stringify(between));
    }
  });

  // Fault 101
  it("refuses a required check whose workflow leaves out the protected branch, and says why", () => {
    const develop = workflow("on: {pull_request: {branches: [develop]}}", "  x:\n    name: build\n");
    assert.match(
      problems(["build"], "github-actions", [develop])[0]!,
      /got "build"; .*"build": there is a job of that name, but it does not run on every pull request to main/,
    );
    const options = { checksFrom: "github-actions", branchProtection: "branch", workflows: [develop] };
    assert.deepEqual(unreportedChecks("requiredChecks", ["build"], { ...options, branch: "develop" }), []);
    const usual = {
      ...options,
      workflows: [workflow("on: {pull_request: {branches: [main]}}", "  x:\n    name: build\n")],
    };
    assert.equal(unreportedChecks("requiredChecks", ["build"], { ...usual, branch: "master" }).length, 1);
  });

  it("counts no job of a file that is not YAML, or has none", () => {
    assert.deepEqual(reportedNames(["on: [", "", "on: pull_request", "on: pull_request\njobs:\n"]), []);
  });

  it("takes a job without any property by its id", () => {
    assert.equal(reported("build", "on: pull_request\njobs:\n  build:\n"), true);
  });

  it("refuses any check where there is no CI, and says the ways out", () => {
    assert.deepEqual(problems(["build"], "none"), [
      'requiredChecks: got ["build"]; allowed: nothing while checksFrom is "none", for nobody would report them. ' +
        'Set branchProtection to "off", or checksFrom to the system that reports them.',
    ]);
  });

  it("asks for nothing where nothing is protected", () => {
    for (const ci of ["github-actions", "none", "hydra"]) assert.deepEqual(problems(["x"], ci, [], "off"), []);
  });

  it("knows the form of the names of garnix and Hydra, and nothing of another system's", () => {
    assert.deepEqual(problems(REQUIRED_CHECKS, "garnix"), []);
    assert.equal(problems(["build"], "garnix").length, 1);
    assert.deepEqual(problems(["ci/hydra:site:main:system"], "hydra"), []);
    assert.match(
      problems(REQUIRED_CHECKS, "hydra")[0]!,
      /got "Evaluate flake\.nix", "nixosConfig default"; .*ci\/hydra:/,
    );
    assert.deepEqual(problems(["anything"], "other"), []);
  });
});

describe("ciSystem", () => {
  it("takes the systems that it knows and names them for any other", () => {
    for (const name of ["github-actions", "garnix", "hydra", "other", "none"])
      assert.deepEqual(ciSystem("checksFrom", name), []);
    assert.match(
      ciSystem("checksFrom", "jenkins")[0]!,
      /^checksFrom: got "jenkins"; allowed: "github-actions", "garnix"/,
    );
  });
});
