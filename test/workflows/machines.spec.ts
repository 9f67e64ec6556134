/**
 * The check of all machines, as ci.yml runs its steps: with a real Nix, and a flake without Nixpkgs.
 * Cannot prove: what GitHub makes of the matrix, and of a job that is skipped; the results are those that its documentation
 * names.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { parse } from "yaml";
import { WAIT_MILLISECONDS } from "../../cli/rehearse/limits.cjs";
import { unreportedChecks } from "../../program/requiredChecks";
import { readWorkflows } from "../../program/workflows";
import { requireCommands, requireOrSkip } from "../require";

const root = path.resolve(__dirname, "../..");

interface Job {
  needs?: string | string[];
  if?: string;
  strategy?: { "fail-fast": boolean; matrix: { include: string } };
  steps: { id?: string; run?: string; env?: Record<string, string> }[];
}
const { jobs } = parse(fs.readFileSync(path.join(root, ".github/workflows/ci.yml"), "utf8")) as {
  jobs: Record<string, Job>;
};

/** Machines of these names and systems; what is not said is as in a good one. */
const flake = (machines: string) => `{
  outputs = _: let
    machine = system: { config.system.build.toplevel = derivation { name = "x"; inherit system; builder = "/bin/sh"; }; };
  in { nixosConfigurations = ${machines}; };
}`;
const x86 = 'machine "x86_64-linux"';
const manyOf = (count: number) =>
  `{ default = ${x86}; } // builtins.listToAttrs (builtins.genList (n: { name = "m\${toString n}"; value = ${x86}; }) ${count})`;

describe("the check of all machines", () => {
  let folder: string;

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "machines-spec-"));
    fs.mkdirSync(path.join(folder, "nix"));
    fs.mkdirSync(path.join(folder, ".github"));
    fs.cpSync(path.join(root, ".github/scripts"), path.join(folder, ".github/scripts"), { recursive: true });
  });
  afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

  /** Runs the step of a job that has a script of ours, as GitHub does. */
  function run(job: string, env: Record<string, string> = {}, first = "") {
    const { run: text } = jobs[job]!.steps.find((step) => step.run?.includes("machines.sh"))!;
    const output = path.join(folder, "output");
    fs.writeFileSync(output, "");
    const ended = spawnSync("bash", ["--noprofile", "--norc", "-eo", "pipefail", "-c", first + text!], {
      cwd: folder,
      encoding: "utf8",
      timeout: WAIT_MILLISECONDS,
      env: {
        PATH: process.env["PATH"],
        HOME: folder,
        NIX_CONFIG: "sandbox = false\nbuild-users-group =\nsubstituters =",
        GITHUB_OUTPUT: output,
        ...env,
      },
    });
    return { ...ended, output: fs.readFileSync(output, "utf8") };
  }

  describe("the list", () => {
    before(function () {
      requireCommands(this, "nix", "nix", "jq");
    });
    const list = (machines: string) => {
      fs.writeFileSync(path.join(folder, "nix/flake.nix"), flake(machines));
      return run("list");
    };
    const listed = (machines: string) => {
      const { status, stderr, output } = list(machines);
      assert.equal(status, 0, stderr);
      const [, json = ""] = /^machines=(\[.*\])\n$/.exec(output) ?? [];
      return JSON.parse(json) as { attribute: string; runner: string }[];
    };

    it("is empty for one machine, and leaves out the one that has a job of its own", () => {
      assert.deepEqual(listed(`{ default = ${x86}; }`), []);
    });

    it("has every other machine, on a runner of its architecture", () => {
      assert.deepEqual(listed(`{ default = ${x86}; "web.example.com" = ${x86}; arm = machine "aarch64-linux"; }`), [
        { attribute: "arm", runner: "ubuntu-24.04-arm" },
        { attribute: "web.example.com", runner: "ubuntu-24.04" },
      ]);
    });

    it("has as many as GitHub takes", () => {
      assert.equal(listed(manyOf(256)).length, 256);
    });

    const refused: [string, string, RegExp][] = [
      ["more", manyOf(257), /the flake has 258 machines; at most 257/],
      ["no machine", "{ }", /has no nixosConfigurations\.default.*it has: none/],
      ["no default", `{ web = ${x86}; }`, /has no nixosConfigurations\.default.*it has: web/],
      ["a name with a quote", `{ default = ${x86}; "a\\"b" = ${x86}; }`, /names of machines .*got "a\\"b"/],
      ["a name for a shell", `{ default = ${x86}; "$(id)" = ${x86}; }`, /names of machines .*got "\$\(id\)"/],
      ["a name that ends with a line", `{ default = ${x86}; "web\\n" = ${x86}; }`, /names of machines .*got "web\\n"/],
      ["a name with a line", `{ default = ${x86}; "a\\nb=c" = ${x86}; }`, /names of machines .*got "a\\nb=c"/],
      ["another system", `{ default = ${x86}; mac = machine "aarch64-darwin"; }`, /got mac \(aarch64-darwin\)/],
      ["a machine that cannot be evaluated", `{ default = ${x86}; a = throw "the option x"; }`, /the option x/],
    ];
    for (const [what, machines, message] of refused) {
      it(`refuses ${what}, and lists nothing`, () => {
        const { status, stderr, output } = list(machines);
        assert.equal(status, 1, stderr);
        assert.match(stderr, message);
        assert.equal(output, "");
      });
    }

    it("needs memory for a few machines, not for all", () => {
      // Each holds a list while Nix runs; all of them together would need more than is allowed.
      const hungry = `{ default = ${x86}; } // builtins.listToAttrs (builtins.genList (n: {
        name = "m\${toString n}";
        value.config.system.build.toplevel = let big = builtins.genList (x: x + n) 1000000; in
          builtins.seq (builtins.foldl' builtins.add 0 big)
            (derivation { name = toString (builtins.length big); system = "x86_64-linux"; builder = "/bin/sh"; } // { inherit big; });
      }) 47)`;
      fs.writeFileSync(path.join(folder, "nix/flake.nix"), flake(hungry));
      const { status, stderr } = run("list", {}, "ulimit -v 1500000\n");
      assert.equal(status, 0, stderr);
    });

    it("refuses a flake without machines", () => {
      fs.writeFileSync(path.join(folder, "nix/flake.nix"), "{ outputs = _: { }; }");
      const { status, stderr } = run("list");
      assert.equal(status, 1);
      assert.match(stderr, /nixosConfigurations cannot be evaluated/);
    });
  });

  describe("the verdict", () => {
    before(function () {
      requireCommands(this, "nix", "jq");
    });
    const good = { evaluate: "success", build: "success", list: "success", others: "success" };
    const verdict = (results: Partial<typeof good>, machines = '[{"attribute":"a"}]') => {
      const needs = Object.entries({ ...good, ...results }).map(([id, result]) => [
        id,
        { result, outputs: id === "list" && result === "success" ? { machines } : {} },
      ]);
      return run("machines", { NEEDS: JSON.stringify(Object.fromEntries(needs)) });
    };

    it("is good where every job has succeeded", () => {
      assert.equal(verdict({}).status, 0);
    });

    it("is good where there is no other machine, and so no job of one", () => {
      assert.equal(verdict({ others: "skipped" }, "[]").status, 0);
    });

    for (const job of Object.keys(good)) {
      for (const result of ["failure", "cancelled", "skipped"]) {
        it(`is bad where ${job} ended as ${result}`, () => {
          const { status, stderr } = verdict({ [job]: result });
          assert.equal(status, 1);
          assert.match(stderr, new RegExp(`^${job}: ${result}$`, "m"));
        });
      }
    }

    it("is bad where the list failed, and the others were skipped for that", () => {
      const { status, stderr } = verdict({ list: "failure", others: "skipped" });
      assert.equal(status, 1);
      assert.match(stderr, /^list: failure$/m);
      assert.match(stderr, /^others: skipped$/m);
    });

    it("is bad where other jobs were skipped because there is no other machine", () => {
      assert.equal(verdict({ build: "skipped" }, "[]").status, 1);
    });

    const failed = Object.fromEntries(Object.keys(good).map((id) => [id, { result: "failure" }]));
    const strange = [
      { ...failed, list: { result: "success", outputs: "text" } },
      Object.fromEntries(Object.keys(good).map((id) => [id, 1])),
    ].map((needs) => JSON.stringify(needs));
    for (const needs of ["", "{}", "null", '{"build":{"result":"success"}}', ...strange, "{} {}"]) {
      it(`is bad of ${JSON.stringify(needs)}`, () => assert.equal(run("machines", { NEEDS: needs }).status, 1));
    }
  });

  describe("the jobs", () => {
    it("are waited for, whatever becomes of them, and none that builds is left out", () => {
      const builds = Object.keys(jobs).filter((id) => id !== "machines");
      assert.deepEqual([...(jobs["machines"]!.needs as string[])].sort(), builds.sort());
      assert.equal(jobs["machines"]!.if, "always()");
      assert.equal(jobs["others"]!.strategy!["fail-fast"], false);
      assert.equal(jobs["others"]!.strategy!.matrix.include, "${{ fromJSON(needs.list.outputs.machines) }}");
    });

    it("build each machine by its own name", function () {
      requireCommands(this, "nix", "nix");
      requireOrSkip(this, "nix", os.arch() === "x64" && os.platform() === "linux", "this is no x86_64-linux");
      fs.writeFileSync(
        path.join(folder, "nix/flake.nix"),
        `{ outputs = _: { nixosConfigurations."web.example.com".config.system.build.toplevel = derivation {
             name = "the-machine"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo built >$out" ]; }; }; }`,
      );
      const step = jobs["others"]!.steps.find(({ env }) => env?.["ATTRIBUTE"] !== undefined)!;
      const { status, stderr } = spawnSync("bash", ["-eo", "pipefail", "-c", step.run!], {
        cwd: folder,
        encoding: "utf8",
        timeout: WAIT_MILLISECONDS,
        env: {
          PATH: process.env["PATH"],
          HOME: folder,
          NIX_CONFIG:
            "sandbox = false\nbuild-users-group =\nsubstituters =\nexperimental-features = nix-command flakes",
          NIX_STORE_DIR: path.join(folder, "store"),
          NIX_STATE_DIR: path.join(folder, "var"),
          NIX_LOG_DIR: path.join(folder, "log"),
          ATTRIBUTE: "web.example.com",
        },
      });
      assert.equal(status, 0, stderr);
      assert.ok(fs.readdirSync(path.join(folder, "store")).some((name) => name.endsWith("-the-machine")));
    });

    it("may be required as one check", () => {
      const given = { ci: "github-actions", protection: "classic", workflows: readWorkflows(root) };
      assert.deepEqual(unreportedChecks("requiredChecks", ["All machines"], given), []);
    });
  });
});
