/**
 * The flakes of the examples, by a Nix that knows relative inputs (2.26), with stand-ins for nixpkgs and sops-nix.
 * Cannot prove: that NixOS has what they set, or that a system builds.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { findNix } from "../../cli/rehearse/machine/nix";
import { STAND_INS } from "../../cli/rehearse/upgrade/evaluate";
import { requireCommands, requireOrSkip } from "../require";

const ROOT = path.resolve(__dirname, "../..");
/** Each flake, its machines, and the branch that each follows. */
const FLAKES: Record<string, Record<string, string>> = {
  "access-token": { default: "main" },
  environments: { dev: "main", prod: "production" },
  fleet: { web: "main", worker: "main" },
  "named-server": { default: "main" },
};

type Lock = { nodes: Record<string, { locked?: object }> };
const lockOf = (...names: string[]) =>
  JSON.parse(readFileSync(path.join(ROOT, ...names, "flake.lock"), "utf8")) as Lock;

describe("the flakes of the examples", () => {
  let folder: string;
  let program: string;

  before(function () {
    const nix = findNix();
    const found = typeof nix !== "string" && Number(nix.version.replace(/^(\d+)\.(\d+).*/, "$1.$2")) >= 2.26;
    requireOrSkip(this, "nix", found, typeof nix === "string" ? nix : `Nix ${nix.version} has no relative inputs`);
    if (typeof nix !== "string") program = path.join(nix.bin, "nix");
    requireCommands(this, "git", "git");
    folder = mkdtempSync(path.join(tmpdir(), "example-flakes-"));
    for (const part of ["nix", "examples"]) cpSync(path.join(ROOT, part), path.join(folder, part), { recursive: true });
    for (const name of Object.keys(FLAKES)) {
      const file = path.join(folder, "examples", name, "nix/repository.json");
      const repository = JSON.parse(readFileSync(file, "utf8")) as object;
      writeFileSync(file, JSON.stringify({ ...repository, owner: "octocat" }));
    }
    git("init", "--quiet");
    commit();
  });
  after(() => {
    if (folder === undefined) return;
    // The store's folders are read-only.
    spawnSync("chmod", ["-R", "u+w", folder]);
    rmSync(folder, { recursive: true, force: true });
  });

  function git(...args: string[]): void {
    const identity = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"];
    const { status, stderr } = spawnSync("git", ["-C", folder, ...identity, ...args], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
  }
  function commit(): void {
    git("add", "--all");
    git("commit", "--quiet", "--message", "change");
  }
  function nix(name: string, ...args: string[]) {
    return spawnSync(program, args, {
      encoding: "utf8",
      cwd: path.join(folder, "examples", name),
      env: {
        ...process.env,
        NIX_CONFIG: `experimental-features = nix-command flakes\nstore = ${folder}/.git/store\nbuild-users-group =\nsubstituters =\nflake-registry =\nwarn-dirty = false`,
        XDG_CACHE_HOME: path.join(folder, ".git/cache"),
        HOME: folder,
      },
    });
  }
  /** The settings of the upgrade, and the derivation, of one machine. */
  function machine(name: string, attribute: string): { derivation: string; settings: Record<string, string> } {
    const overrides = ["nixpkgs", "sops-nix"].flatMap((input) => [
      ...["--override-input", `pulumi-nixos/${input}`],
      `path:${path.join(STAND_INS, input)}`,
    ]);
    const wanted = `c: { derivation = c.system.build.toplevel.drvPath; inherit (c.pulumiNixos.upgrade) settings; }`;
    const reference = `./nix#nixosConfigurations."${attribute}".config`;
    const args = ["eval", "--json", "--no-write-lock-file", ...overrides, reference, "--apply", wanted];
    const { status, stdout, stderr } = nix(name, ...args);
    assert.equal(status, 0, stderr);
    return JSON.parse(stdout) as ReturnType<typeof machine>;
  }

  it("are all here", () => {
    const own = readdirSync(path.join(ROOT, "examples"), { recursive: true, encoding: "utf8" });
    const flakes = own.filter((file) => file.endsWith("flake.nix")).map((file) => file.split(path.sep)[0]);
    assert.deepEqual(flakes.sort(), Object.keys(FLAKES).sort());
  });

  for (const [name, machines] of Object.entries(FLAKES)) {
    it(`${name}: is locked to what the project's flake is locked to`, () => {
      const [ours, theirs] = [lockOf("nix"), lockOf("examples", name, "nix")];
      for (const input of ["nixpkgs", "sops-nix"])
        assert.deepEqual(theirs.nodes[input]?.locked, ours.nodes[input]?.locked);
      const { status, stderr } = nix(name, "flake", "metadata", "./nix", "--no-update-lock-file", "--offline");
      assert.equal(status, 0, stderr);
    });

    for (const [attribute, branch] of Object.entries(machines)) {
      it(`${name}: ${attribute} evaluates, and upgrades itself to itself`, () => {
        const { derivation, settings } = machine(name, attribute);
        assert.match(derivation, /-nixos-system-stub\.drv$/);
        assert.equal(settings["UPGRADE_ATTRIBUTE"], attribute);
        assert.equal(settings["UPGRADE_BRANCH"], branch);
        assert.ok(settings["UPGRADE_FLAKE"]?.endsWith(`dir=examples/${name}/nix`), settings["UPGRADE_FLAKE"]);
      });
    }
  }

  it("keep their derivations over a commit beside them, and differ from machine to machine", () => {
    const before = machine("fleet", "web").derivation;
    assert.notEqual(machine("fleet", "worker").derivation, before);
    writeFileSync(path.join(folder, "examples/fleet/README.md"), "Something else.\n");
    commit();
    assert.equal(machine("fleet", "web").derivation, before);
  });

  it("take the token from the file of secrets, once it is there", () => {
    assert.equal(machine("access-token", "default").settings["UPGRADE_TOKEN_FILE"], "");
    // As much of a SOPS file as evaluation looks at.
    const sealed = `ENC[AES256_GCM,data:AAAA,iv:${"A".repeat(43)}=,tag:${"A".repeat(22)}==,type:str]`;
    const text = `github-access-token: ${sealed}\nsops:\n    mac: ${sealed}\n`;
    writeFileSync(path.join(folder, "examples/access-token/nix/secrets.yaml"), text);
    commit();
    const { settings } = machine("access-token", "default");
    assert.equal(settings["UPGRADE_TOKEN_FILE"], "/run/secrets/github-access-token");
  });
});
