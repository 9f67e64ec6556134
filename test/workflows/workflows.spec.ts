/**
 * .github/workflows as data: who may do what, and when.
 * Cannot prove: that GitHub runs them so. Syntax and expressions are actionlint's, injections zizmor's (`.ci/run`).
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { reportedNames } from "../../program/requiredChecks";
import { REQUIRED_CHECKS } from "../../components/values/repositoryNames";
import { readWorkflows } from "../../program/workflows";

type Permissions = Record<string, string>;

interface Step {
  uses?: string;
  run?: string;
  with?: Record<string, unknown>;
  env?: Record<string, string>;
}

interface Job {
  name: string;
  if?: string;
  environment?: string;
  permissions?: Permissions;
  "timeout-minutes"?: number;
  steps: Step[];
}

interface Workflow {
  name: string;
  on: Record<string, { branches?: string[]; paths?: string[]; workflows?: string[] } | null>;
  permissions: Permissions;
  concurrency: { group: string; "cancel-in-progress": boolean | string };
  jobs: Record<string, Job>;
}

const folder = path.resolve(__dirname, "../../.github/workflows");
const texts = Object.fromEntries(
  fs.readdirSync(folder).map((file) => [file.replace(/\.yml$/, ""), fs.readFileSync(path.join(folder, file), "utf8")]),
);
const workflows = Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, parse(text) as Workflow]));
const workflow = (name: string) => workflows[name]!;
const job = (name: string, id: string) => workflow(name).jobs[id]!;
const jobs = Object.entries(workflows).flatMap(([name, { jobs, permissions }]) =>
  Object.entries(jobs).map(([id, job]) => ({ id: `${name}.${id}`, job, permissions: job.permissions ?? permissions })),
);

const read = (...parts: string[]) => fs.readFileSync(path.join(...parts), "utf8");

describe("the workflows", () => {
  it("are these", () => {
    assert.deepEqual(Object.keys(workflows).sort(), [
      ...["auto-merge", "cache", "ci", "deploy", "drift", "fork-comment", "preview", "test"],
    ]);
  });

  it("report the required checks on every pull request, once each", () => {
    const names = reportedNames(readWorkflows(".")).map(({ name }) => name);
    for (const check of REQUIRED_CHECKS) assert.equal(names.filter((name) => name === check).length, 1, check);
    assert.equal(new Set(names).size, names.length, "two jobs of one name hide each other's failure");
  });

  it("give each job what it needs, and no other a right", () => {
    assert.deepEqual(Object.fromEntries(jobs.map(({ id, permissions }) => [id, permissions])), {
      "auto-merge.merge": {},
      "cache.fill": { contents: "read", "id-token": "write" },
      "cache.release": { contents: "read", "id-token": "write" },
      "cache.failed": { contents: "read", "id-token": "write" },
      "ci.evaluate": { contents: "read" },
      "ci.build": { contents: "read" },
      "ci.list": { contents: "read" },
      "ci.others": { contents: "read" },
      "ci.machines": { contents: "read" },
      "deploy.deploy": { contents: "read", "id-token": "write" },
      "drift.drift": { contents: "read", "id-token": "write", issues: "write" },
      "fork-comment.comment": { "pull-requests": "write" },
      "preview.preview": { contents: "read", "id-token": "write", "pull-requests": "write" },
      "preview.packages": { contents: "read" },
      "preview.stranger": {},
      "test.test": { contents: "read" },
      "test.machine": { contents: "read" },
    });
  });

  it("ask the policies in the preview of an update, before it changes anything", () => {
    const { run = "" } = job("deploy", "deploy").steps.find(({ run }) => run?.includes("pulumi up"))!;
    assert.match(run, / --policy-pack policy /);
    assert.doesNotMatch(run, /--skip-preview/);
  });

  it("never run code of a pull request with the rights of main", () => {
    for (const [name, { on }] of Object.entries(workflows)) {
      assert.equal("pull_request_target" in on, false, name);
      if ("workflow_run" in on) assert.equal(name, "fork-comment");
    }
  });

  it("pin every action by commit, with its version beside it", () => {
    const uses = Object.values(texts).flatMap((text) => text.split("\n").filter((line) => /^\s*-?\s*uses:/.test(line)));
    assert.ok(uses.length >= 15);
    for (const line of uses) assert.match(line, /uses: [\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    const pins = new Map<string, Set<string>>();
    for (const line of uses) {
      const [, action, pin] = /uses: ([^@]+)@(.*)/.exec(line)!;
      pins.set(action!, (pins.get(action!) ?? new Set()).add(pin!));
    }
    for (const [action, found] of pins) assert.equal(found.size, 1, `${action} in two versions`);
  });

  it("leave no token of the checkout behind for later steps", () => {
    const checkouts = jobs.flatMap(({ job }) => job.steps).filter(({ uses }) => uses?.startsWith("actions/checkout@"));
    assert.ok(checkouts.length >= 6);
    for (const step of checkouts) assert.equal(step.with?.["persist-credentials"], false);
  });

  it("end after a time", () => {
    for (const { id, job } of jobs) assert.ok((job["timeout-minutes"] ?? 999) <= 75, id);
  });

  it("cancel no update, cache or drift run that has begun", () => {
    for (const name of ["cache", "deploy", "drift"]) {
      assert.deepEqual(workflow(name).concurrency, { group: name, "cancel-in-progress": false });
    }
    assert.match(workflow("ci").concurrency.group, /github\.ref/);
  });

  it("take every value from outside as an environment variable, not as a part of a script", () => {
    for (const { id, job } of jobs)
      for (const { run } of job.steps) assert.equal(run?.includes("${{") ?? false, false, id);
  });

  it("meet a secret of main in an environment alone, where the repository has one for it", () => {
    // Dependabot's own secrets are in no environment.
    const others = jobs.filter(({ id }) => id !== "auto-merge.merge");
    const secret = others.filter(({ job }) => /secrets\.(?!GITHUB_TOKEN)/.test(JSON.stringify(job)));
    assert.deepEqual(
      secret.map(({ id }) => id),
      ["cache.fill", "cache.release", "deploy.deploy", "drift.drift"],
    );
    for (const { id, job } of secret) assert.match(job.environment!, /vars\.BRANCH_ENVIRONMENT \}\}$/, id);
  });

  it("take the engine by its hash wherever it runs, of the version that npm brings to people", () => {
    const withEngine = jobs.filter(({ job }) => job.steps.some(({ run }) => /install-pulumi\.sh/.test(run ?? "")));
    assert.deepEqual(
      withEngine.map(({ id }) => id),
      ["deploy.deploy", "drift.drift", "preview.preview", "test.test"],
    );
    const scripts = path.resolve(folder, "../scripts");
    const all = [...Object.values(texts), ...fs.readdirSync(scripts).map((file) => read(scripts, file))].join("\n");
    // The package of npm would run a script that it downloads, without a hash.
    assert.doesNotMatch(all, /npx pulumi/);
    const [, version] = /^version=(\S+)$/m.exec(read(scripts, "install-pulumi.sh"))!;
    const { devDependencies } = JSON.parse(read(path.resolve(folder, "../.."), "package.json")) as {
      devDependencies: Record<string, string>;
    };
    assert.equal(version, devDependencies["pulumi"]);
    assert.match(read(scripts, "install-pulumi.sh"), /^sha256=[0-9a-f]{64}$/m);
  });

  it("name only scripts that are there and can be run", () => {
    const named = jobs.flatMap(({ job }) =>
      job.steps.flatMap(({ run }) => run?.match(/\.github\/scripts\/\S+\.sh/g) ?? []),
    );
    assert.equal(named.length, 12);
    for (const script of named) fs.accessSync(path.resolve(folder, "../..", script), fs.constants.X_OK);
  });
});

describe("the workflow of the cache", () => {
  const RELEASED = "vars.RELEASE_KEY_PARAMETER != ''";
  const steps = (id: string) => job("cache", id).steps;

  it("is started by main alone: who fills the cache decides what machines run", () => {
    const { push, ...others } = workflow("cache").on;
    assert.deepEqual(push, { branches: ["main"] });
    assert.deepEqual(Object.keys(others), ["schedule", "workflow_dispatch"]);
    // A schedule runs on the default branch, and by hand anybody may choose another.
    assert.match(job("cache", "release").if!, /^github\.ref == 'refs\/heads\/main' && /);
    assert.match(job("cache", "fill").if!, /^github\.event_name == 'push' && /);
    assert.equal(texts["ci"]!.includes("CACHE"), false);
  });

  it("fills the cache alone where there is no release key, releases where there is one, and is off without a cache", () => {
    const cache = "vars.CACHE_SUBSTITUTER != ''";
    assert.ok(
      job("cache", "fill").if!.endsWith(`vars.RELEASE_KEY_PARAMETER == '' && vars.CACHE_ROLE_ARN != '' && ${cache}`),
    );
    assert.ok(job("cache", "release").if!.endsWith(`${RELEASED} && vars.RELEASE_ROLE_ARN != '' && ${cache}`));
  });

  it("gives the signing key to the one step that signs, by its environment", () => {
    for (const id of ["fill", "release"]) {
      const signing = steps(id).filter((step) => JSON.stringify(step).includes("CACHE_SIGNING_KEY"));
      assert.equal(signing.length, 1);
      assert.equal(signing[0]!.env!["CACHE_SIGNING_KEY"], "${{ secrets.CACHE_SIGNING_KEY }}");
      // The key is there after the build: no builder and no program of the flake meets it.
      assert.ok(steps(id).findIndex(({ run }) => / build /.test(run ?? "")) < steps(id).indexOf(signing[0]!));
    }
  });

  it("loads no package and restores no cache beside the release key", () => {
    for (const id of ["release", "failed"]) {
      const uses = steps(id).flatMap(({ uses = "" }) => uses.split("@")[0]!);
      const known = ["actions/checkout", "cachix/install-nix-action", "aws-actions/configure-aws-credentials", ""];
      assert.deepEqual(
        uses.filter((one) => !known.includes(one)),
        [],
      );
      const runs = steps(id)
        .map(({ run = "" }) => run)
        .join("\n");
      assert.doesNotMatch(runs, /npm|npx/);
      assert.match(runs, /node cli\/ci\/release\/main\.mjs/);
    }
  });

  it("says that a release has failed or was cancelled, from a job that always runs", () => {
    const { if: condition, needs } = job("cache", "failed") as Job & { needs: string };
    assert.equal(needs, "release");
    assert.match(
      condition!,
      /^always\(\) && contains\(fromJSON\('\["failure", "cancelled"\]'\), needs\.release\.result\)$/,
    );
  });

  it("sees the whole history, and has fresh credentials after the build", () => {
    assert.equal(steps("release")[0]!.with!["fetch-depth"], 0);
    const build = steps("release").findIndex(({ run }) => / build /.test(run ?? ""));
    assert.match(steps("release")[build + 1]!.uses!, /^aws-actions\/configure-aws-credentials@/);
  });
});

describe("the workflow of previews", () => {
  it("runs with credentials for branches of the repository only, and says so for a fork", () => {
    const own = "github.event.pull_request.head.repo.full_name == github.repository";
    const noBot = "(github.event.pull_request.user.login != 'dependabot[bot]' || vars.PREVIEWS == 'cloud')";
    assert.equal(job("preview", "preview").if, `${own} && vars.PREVIEW_ROLE_ARN != '' && ${noBot}`);
    // What Dependabot's pull requests have instead takes no role.
    assert.match(
      job("preview", "packages").if!,
      /^github\.event\.pull_request\.user\.login == 'dependabot\[bot\]' && /,
    );
    assert.doesNotMatch(JSON.stringify(job("preview", "packages")), /secrets\.|id-token|configure-aws/);
    assert.equal(job("preview", "stranger").if, own.replace("==", "!="));
    assert.match(job("preview", "stranger").steps[0]!.run!, /GITHUB_STEP_SUMMARY/);
  });

  it("has no stored secret of the repository", () => {
    assert.equal(texts["preview"]!.includes("secrets."), false);
  });

  it("refreshes nothing, and keeps no events, which would hold keys in plain text", () => {
    const script = fs.readFileSync(path.resolve(folder, "../scripts/preview.sh"), "utf8");
    assert.doesNotMatch(script, /--refresh|--event-log|--debug|\btee\b/);
    // Only what it says on standard error goes to a file.
    const [command = ""] = /pulumi preview --json[^|]*\|[^\n]*/.exec(script) ?? [];
    assert.match(command, /[^&\d]2>"\$work\/preview\.log" \| npm run --silent preview-comment -- /);
    assert.equal(command.split(">").length, 2);
    assert.equal(
      Object.values(texts).some((text) => text.includes("upload-artifact")),
      false,
    );
  });

  it("is what a fork's comment waits for, which checks nothing out", () => {
    assert.deepEqual(workflow("fork-comment").on["workflow_run"]!.workflows, [workflow("preview").name]);
    assert.equal(
      job("fork-comment", "comment").steps.some(({ uses }) => uses !== undefined),
      false,
    );
  });
});

describe("the workflow that merges", () => {
  const { if: condition, steps } = job("auto-merge", "merge");

  it("is off until it is wanted, and of Dependabot's pull requests alone", () => {
    assert.equal(condition, "vars.AUTO_MERGE == 'true' && github.event.pull_request.user.login == 'dependabot[bot]'");
  });

  it("runs nothing of the pull request, and leaves the verdict to the required checks", () => {
    assert.deepEqual(
      steps.map(({ run, uses }) => [run, uses]),
      [['gh pr merge --auto --merge "$PULL_REQUEST"', undefined]],
    );
  });
});

describe("the workflow of deployments", () => {
  /** Whether a push that changes this file starts it, by GitHub's rule: the last pattern that fits decides. */
  function starts(file: string): boolean {
    let included = false;
    for (const pattern of workflow("deploy").on["push"]!.paths!) {
      const glob = pattern.replace(/^!/, "");
      if (fits(file, glob)) included = !pattern.startsWith("!");
    }
    return included;
  }
  const fits = (file: string, glob: string) =>
    new RegExp(`^${glob.replace(/[.+^$()|[\]{}]/g, "\\$&").replaceAll("**", ".*")}$`).test(file);

  it("leaves nix/ to the machine, which pulls it, except the file that both sides read", () => {
    assert.equal(starts("index.ts"), true);
    assert.equal(starts("components/deploy/deploy.mjs"), true);
    assert.equal(starts("Pulumi.dev.yaml"), true);
    assert.equal(starts("nix/machine.nix"), false);
    assert.equal(starts("nix/www/index.html"), false);
    assert.equal(starts("nix/repository.json"), true);
  });

  it("is of main, and waits for an approval where the repository has an environment for it", () => {
    assert.deepEqual(workflow("deploy").on["push"]!.branches, ["main"]);
    assert.match(job("deploy", "deploy").if!, /github\.ref == 'refs\/heads\/main' && vars\.DEPLOY_ROLE_ARN != ''/);
    assert.equal(job("deploy", "deploy").environment, "${{ vars.DEPLOY_ENVIRONMENT || vars.BRANCH_ENVIRONMENT }}");
  });

  it("interrupts an update before GitHub would kill it, which would leave a lock", () => {
    const { steps, "timeout-minutes": limit } = job("deploy", "deploy");
    const [, killed, interrupted] = /timeout --signal INT --kill-after (\d+)m (\d+)m/.exec(steps.at(-1)!.run!)!;
    assert.ok(Number(killed) + Number(interrupted) < limit!);
  });
});

describe("the workflow of tests", () => {
  it("runs the virtual machine, where there is KVM", () => {
    const runs = job("test", "machine").steps.flatMap(({ run }) => run ?? []);
    assert.deepEqual(runs, [
      "test -w /dev/kvm",
      "nix build --no-link --print-build-logs ./nix#checks.x86_64-linux.machine",
    ]);
  });

  it("runs the README's commands, and lets nothing be skipped", () => {
    const steps = job("test", "test").steps;
    for (const command of ["npm run format-check", "npm run build", "npm run lint", "npm test"]) {
      assert.ok(
        steps.some(({ run }) => run === command),
        command,
      );
    }
    const tests = steps.filter(({ run }) => /npm test|test:/.test(run ?? ""));
    assert.equal(tests.length, 3);
    assert.deepEqual(
      tests.map(({ env }) => env!["REQUIRE"]),
      ["engine,command,nix,sshd,sops,systemd,promtool", "engine,nix,sshd,sops,systemd", "engine"],
    );
  });
});
