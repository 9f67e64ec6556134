/** Compares two small "systems" in a Nix store of their own, with a real Nix: derivations only, then built. */
import * as assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { comparePackages, type Run } from "../../cli/preview/packages";
import { requireOrSkip } from "../require";
import { WAIT_MILLISECONDS } from "../../cli/rehearse/limits.cjs";

/** Two systems: `hello` is bumped, `jq` goes, `git` comes, and nginx's unit changes with `hello`. */
const SYSTEMS = `
{ hello, extra }:
let
  package = name: inputs: derivation {
    inherit name inputs;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ "-c" "echo $inputs > $out" ];
  };
  program = package "hello-\${hello}" [ ];
in package "nixos-system-test-26.05" [
  program
  (package extra [ ])
  (package "curl-8.15.0" [ ])
  (package "unit-nginx.service" [ program ])
  (package "unit-sshd.service" [ ])
]
`;

describe("the packages of two systems, by a real Nix", () => {
  let folder: string;
  let environment: NodeJS.ProcessEnv;
  let derivations: string[];

  before(function () {
    const found = spawnSync("nix-store", ["--version"]).status === 0;
    requireOrSkip(this, "nix", found, "nix-store is not on PATH");
    folder = mkdtempSync(path.join(tmpdir(), "packages-"));
    environment = {
      ...process.env,
      NIX_REMOTE: "",
      NIX_STORE_DIR: path.join(folder, "store"),
      NIX_STATE_DIR: path.join(folder, "state"),
      NIX_LOG_DIR: path.join(folder, "log"),
      NIX_CONF_DIR: path.join(folder, "conf"),
      NIX_CONFIG: "sandbox = false\nbuild-users-group =\nsubstituters =",
    };
    writeFileSync(path.join(folder, "systems.nix"), SYSTEMS);
    derivations = [
      ["2.10", "jq-1.7.1"],
      ["2.12", "git-2.50.1"],
    ].map(([hello, extra]) =>
      nix(
        "nix-instantiate",
        path.join(folder, "systems.nix"),
        "--argstr",
        "hello",
        hello!,
        "--argstr",
        "extra",
        extra!,
      ),
    );
  });
  after(() => {
    if (folder === undefined) return;
    spawnSync("chmod", ["-R", "u+w", folder]);
    rmSync(folder, { recursive: true, force: true });
  });

  function nix(program: string, ...args: string[]): string {
    const { status, stdout, stderr } = spawnSync(program, args, {
      env: environment,
      encoding: "utf8",
      timeout: WAIT_MILLISECONDS,
    });
    assert.equal(status, 0, stderr);
    return stdout.trim();
  }

  const run: Run = (program, args) =>
    new Promise((resolve) => {
      execFile(program, args, { env: environment }, (error, stdout) => resolve(error === null ? stdout : undefined));
    });

  const expected = {
    kind: "compared",
    added: [{ name: "git", before: [], after: ["2.50.1"] }],
    removed: [{ name: "jq", before: ["1.7.1"], after: [] }],
    bumped: [{ name: "hello", before: ["2.10"], after: ["2.12"] }],
    units: ["nginx.service"],
  };

  it("come from the derivations while nothing is built", async () => {
    const [before, after] = derivations;
    assert.deepEqual(await comparePackages(before!, after!, run), { ...expected, basis: "derivations" });
  });

  it("come from what is installed once both are built", async () => {
    const [before, after] = derivations;
    nix("nix-store", "--realise", before!, after!);
    assert.deepEqual(await comparePackages(before!, after!, run), { ...expected, basis: "outputs" });
  });

  it("are not compared when the old derivation was never seen here", async () => {
    const [, after] = derivations;
    const unknown = `${path.join(folder, "store")}/${"a".repeat(32)}-nixos-system-test-26.05.drv`;
    assert.deepEqual(await comparePackages(unknown, after!, run), {
      kind: "unknown",
      reason: "the old derivation is not in the Nix store of this computer",
    });
  });
});
