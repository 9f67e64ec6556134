/**
 * cli/ci/checks.sh and .github/scripts/fill-cache.sh with a real Nix: a store of their own, a flake without Nixpkgs.
 * Cannot prove: that the real flake passes, or that S3 takes the upload (test/system/binaryCache.spec.ts reads from one).
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { nixSigningKey } from "../../components/keys/nixSigningKey";
import { REQUIRED_CHECKS } from "../../components/values/repositoryNames";
import { requireOrSkip } from "../require";
import { newKey } from "../../cli/rehearse/keys";
import { WAIT_MILLISECONDS } from "../../cli/rehearse/limits.cjs";

const root = path.resolve(__dirname, "../..");
const nixIsHere = spawnSync("nix", ["--version"]).status === 0;

/** Derivations that need nothing but a shell; `broken` is one that cannot be built, or evaluated. */
const flake = (system: string, secrets = "builds") => `{
  outputs = _: let
    thing = name: result: derivation {
      inherit name; system = "x86_64-linux"; builder = "/bin/sh";
      args = [ "-c" (if result == "builds" then "echo \${name} > $out" else "exit 1") ];
    };
  in {
    nixosConfigurations.default.config.system.build.toplevel = ${system};
    checks.x86_64-linux = { formatting = thing "formatting" "builds"; secrets = thing "secrets" "${secrets}"; };
  };
}`;
const BUILDS = 'thing "system" "builds"';

describe("with a real Nix", function () {
  let folder: string;

  before(function () {
    const reason = "there is no Nix on PATH, or no x86_64-linux (Debian: apt-get install nix-bin)";
    requireOrSkip(this, "nix", nixIsHere && os.arch() === "x64" && os.platform() === "linux", reason);
  });
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "checks-spec-"));
    fs.mkdirSync(path.join(folder, "flake"));
  });
  afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

  function run(script: string, args: string[], environment: Record<string, string> = {}) {
    return spawnSync(path.join(root, script), args, {
      cwd: path.join(folder, "flake"),
      encoding: "utf8",
      timeout: WAIT_MILLISECONDS,
      env: {
        PATH: process.env["PATH"],
        HOME: folder,
        TMPDIR: folder,
        NIX_CONF_DIR: folder,
        NIX_CONFIG: "sandbox = false\nbuild-users-group =\nsubstituters =",
        NIX_STORE_DIR: path.join(folder, "store"),
        NIX_STATE_DIR: path.join(folder, "var"),
        NIX_LOG_DIR: path.join(folder, "log"),
        ...environment,
      },
    });
  }

  const checks = (text: string, ...args: string[]) => {
    fs.writeFileSync(path.join(folder, "flake/flake.nix"), text);
    return run("cli/ci/checks.sh", args, { CHECKS_FLAKE: path.join(folder, "flake") });
  };

  describe("cli/ci/checks.sh", () => {
    it("passes both checks, under the names that main requires", () => {
      const { status, stdout, stderr } = checks(flake(BUILDS));
      assert.equal(status, 0, stderr);
      assert.deepEqual(
        stdout.trim().split("\n"),
        REQUIRED_CHECKS.map((name) => `passed: ${name}`),
      );
    });

    it("fails both when the system cannot be evaluated, with Nix's words", () => {
      const { status, stdout, stderr } = checks(flake('throw "the option web.port has no value"'));
      assert.equal(status, 1);
      assert.equal(stdout, "failed: Evaluate flake.nix\nfailed: nixosConfig default\n");
      assert.match(stderr, /the option web\.port has no value/);
    });

    it("fails only the build when the system cannot be built", () => {
      const { status, stdout } = checks(flake('thing "system" "breaks"'));
      assert.equal(status, 1);
      assert.equal(stdout, "passed: Evaluate flake.nix\nfailed: nixosConfig default\n");
    });

    it("fails the evaluation when a secret lies open", () => {
      const { status, stdout } = checks(flake(BUILDS, "breaks"));
      assert.equal(status, 1);
      assert.equal(stdout, "failed: Evaluate flake.nix\npassed: nixosConfig default\n");
    });

    it("runs one of them alone", () => {
      assert.equal(checks(flake(BUILDS), "build").stdout, "passed: nixosConfig default\n");
      assert.equal(checks(flake(BUILDS), "evaluate").stdout, "passed: Evaluate flake.nix\n");
    });

    it("refuses what it does not know", () => {
      const { status, stdout, stderr } = checks(flake(BUILDS), "test");
      assert.equal(status, 2);
      assert.equal(stdout, "");
      assert.match(stderr, /got "test"; allowed: evaluate, build/);
    });
  });

  describe(".github/scripts/fill-cache.sh", () => {
    const SYSTEM = "path:.#nixosConfigurations.default.config.system.build.toplevel";
    const fill = (environment: Record<string, string>) => run(".github/scripts/fill-cache.sh", [SYSTEM], environment);

    beforeEach(() => assert.equal(checks(flake(BUILDS), "build").status, 0));

    it("copies the system to the cache, signed, and leaves the key nowhere", () => {
      const key = nixSigningKey("cache-1", newKey().privateKeyOpenssh);
      const cache = path.join(folder, "cache");
      const { status, stdout, stderr } = fill({
        CACHE_SUBSTITUTER: `file://${cache}`,
        CACHE_SIGNING_KEY: key.secretKey,
      });
      assert.equal(status, 0, stderr);
      const info = fs.readdirSync(cache).find((name) => name.endsWith(".narinfo"))!;
      assert.match(fs.readFileSync(path.join(cache, info), "utf8"), /^Sig: cache-1:/m);
      const secret = key.secretKey.split(":")[1]!;
      assert.equal(`${stdout}${stderr}`.includes(secret), false);
      const found = spawnSync("grep", ["-rlF", secret, folder], { encoding: "utf8" });
      assert.equal(found.stdout, "");
    });

    it("refuses to upload what no machine would take: without a key", () => {
      const { status, stderr } = fill({ CACHE_SUBSTITUTER: `file://${folder}/cache`, CACHE_SIGNING_KEY: "" });
      assert.equal(status, 1);
      assert.match(stderr, /CACHE_SIGNING_KEY is empty/);
      assert.equal(fs.existsSync(path.join(folder, "cache")), false);
    });

    it("fails when the key is not one, and does not show it", () => {
      const { status, stdout, stderr } = fill({
        CACHE_SUBSTITUTER: `file://${folder}/cache`,
        CACHE_SIGNING_KEY: "cache-1:c2hvcnQ",
      });
      assert.notEqual(status, 0);
      assert.equal(`${stdout}${stderr}`.includes("c2hvcnQ"), false);
    });
  });
});
