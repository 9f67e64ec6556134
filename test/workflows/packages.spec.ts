/**
 * packages.sh as preview.yml runs it for an update of flake.lock: real Git, a real Nix and a flake without Nixpkgs, on a
 * copy of the project. And dependabot.yml as data. Cannot prove: what Dependabot makes of that.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { parse } from "yaml";
import { placeOf, textAt } from "../../cli/new/layout";
import { WAIT_MILLISECONDS } from "../../cli/rehearse/limits.cjs";
import { requireCommands, requireOrSkip } from "../require";

const root = path.resolve(__dirname, "../..");

const flake = (openssl: string, more = "") => `{
  outputs = _: let
    thing = name: inputs: derivation { inherit name inputs; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo >$out" ]; };
  in {
    nixosConfigurations.default.config.system.build.toplevel =
      thing "nixos-system-x-26.05" [ (thing "openssl-${openssl}" [ ]) (thing "unit-nginx.service" [ "${openssl}" ]) ${more} ];
  };
}`;

describe("the packages of an update", () => {
  let folder: string;

  before(function () {
    requireCommands(this, "nix", "nix", "git");
    requireOrSkip(this, "nix", os.arch() === "x64" && os.platform() === "linux", "this is no x86_64-linux");
  });
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "packages-spec-"));
    for (const part of [".github/scripts", "cli", "components", "program", "package.json", "tsconfig.json"])
      fs.cpSync(path.join(root, part), path.join(folder, part), { recursive: true });
    fs.symlinkSync(path.join(root, "node_modules"), path.join(folder, "node_modules"));
    fs.mkdirSync(path.join(folder, "nix"));
    fs.writeFileSync(path.join(folder, ".gitignore"), "/node_modules\n/home/\n/bin/\n");
    fs.mkdirSync(path.join(folder, "home"));
    fs.mkdirSync(path.join(folder, "bin"));
    // npx that starts what is installed here, and never downloads.
    const npx = `#!/usr/bin/env bash\nexec "${root}/node_modules/.bin/$1" "\${@:2}"\n`;
    fs.writeFileSync(path.join(folder, "bin/npx"), npx, { mode: 0o755 });
    git("init", "--quiet", "--initial-branch=main");
  });
  afterEach(() => {
    // The store's folders are read-only.
    spawnSync("chmod", ["-R", "u+w", folder]);
    fs.rmSync(folder, { recursive: true, force: true });
  });

  function git(...args: string[]): void {
    const identity = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"];
    execFileSync("git", ["-C", folder, ...identity, ...args], { stdio: "pipe" });
  }
  function commit(text: string): void {
    fs.writeFileSync(path.join(folder, "nix/flake.nix"), text);
    git("add", "--all");
    git("commit", "--quiet", "--allow-empty", "--message", "change");
  }
  function compare() {
    const home = path.join(folder, "home");
    return spawnSync(path.join(folder, ".github/scripts/packages.sh"), {
      encoding: "utf8",
      timeout: WAIT_MILLISECONDS,
      env: {
        PATH: `${path.join(folder, "bin")}:${process.env["PATH"]}`,
        HOME: home,
        TMPDIR: home,
        GITHUB_STEP_SUMMARY: path.join(home, "summary"),
        NIX_CONFIG:
          "sandbox = false\nbuild-users-group =\nsubstituters =\nexperimental-features = nix-command flakes\n" +
          // One of its own: nothing of the test is left in this computer's.
          `store = ${home}/store`,
      },
    });
  }

  it("are shown in the summary, with the units that change", () => {
    commit(flake("3.0.14"));
    commit(flake("3.0.15", '(thing "zlib-1.3" [ ])'));
    const { status, stderr } = compare();
    assert.equal(status, 0, stderr);
    const summary = fs.readFileSync(path.join(folder, "home/summary"), "utf8");
    assert.match(summary, /\*\*Updated\*\* \(1\)\n\n```\nopenssl 3\.0\.14 → 3\.0\.15\n```/);
    assert.match(summary, /\*\*Added\*\* \(1\)\n\n```\nzlib 1\.3\n```/);
    assert.match(summary, /\*\*Units that change\*\* \(1\)\n\n```\nnginx\.service\n```/);
    assert.equal(
      spawnSync("git", ["-C", folder, "worktree", "list"], { encoding: "utf8" }).stdout.split("\n").length,
      2,
    );
  });

  it("are said to be the same where they are", () => {
    commit(flake("3.0.14"));
    commit(flake("3.0.14"));
    const { status, stdout, stderr } = compare();
    assert.equal(status, 0, stderr);
    assert.match(stdout, /packages and units stay as they are/);
  });

  it("fail with Nix's words where the update cannot be evaluated", () => {
    commit(flake("3.0.14"));
    commit("{ outputs = _: { nixosConfigurations.default = throw ''the option x''; }; }");
    const { status, stderr } = compare();
    assert.notEqual(status, 0);
    assert.match(stderr, /the option x/);
  });
});

describe("dependabot.yml", () => {
  const text = fs.readFileSync(path.join(root, ".github/dependabot.yml"), "utf8");
  const { updates } = parse(text) as {
    updates: { "package-ecosystem": string; directory: string; groups: object; cooldown?: object }[];
  };

  it("brings one pull request for each kind, npm and actions after a cooldown", () => {
    assert.deepEqual(
      updates.map(({ "package-ecosystem": kind, directory, groups, cooldown }) => [
        ...[kind, directory, Object.values(groups), cooldown],
      ]),
      [
        ["nix", "/nix", [{ patterns: ["*"] }], undefined],
        ["npm", "/", [{ patterns: ["*"] }], { "default-days": 7 }],
        ["github-actions", "/", [{ patterns: ["*"] }], { "default-days": 7 }],
      ],
    );
    for (const { directory } of updates) assert.ok(fs.existsSync(path.join(root, directory)));
    assert.ok(fs.existsSync(path.join(root, "nix/flake.lock")));
  });

  it("comes with a server's own repository, as it is", () => {
    assert.deepEqual(placeOf(".github/dependabot.yml"), { place: ".github/dependabot.yml", owned: true });
    assert.equal(textAt(".github/dependabot.yml", text), text);
  });
});
