// The flake of nix/: written right, locked exactly, and the same system whichever way it is fetched. nixpkgs and sops-nix
// are stand-ins here (see cli/rehearse/upgrade/nixpkgs/flake.nix for what that cannot prove).
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { requireCommands, requireOrSkip } from "../require";
import { flakeFolder, nixInstantiate, nixMissing, STAND_INS } from "../../cli/rehearse/upgrade/evaluate";

function nixFiles(folder: string): string[] {
  return fs
    .readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".nix"))
    .map((name) => path.join(folder, name));
}
const root = path.join(__dirname, "../..");
const files = ["nix", "test", "cli"].flatMap((folder) => nixFiles(path.join(root, folder)));

describe("the files of the flake", () => {
  it("are parsed by Nix", function () {
    requireOrSkip(this, "nix", nixMissing() === undefined, nixMissing() ?? "");
    assert.ok(files.length > 12, `${files.length} files`);
    for (const file of files) {
      const { status, stderr } = spawnSync("nix-instantiate", ["--parse", file], { encoding: "utf8" });
      assert.equal(status, 0, stderr);
    }
  });

  it("are formatted as nixfmt does", function () {
    const found = spawnSync("nixfmt", ["--version"]).status === 0;
    requireOrSkip(this, "nixfmt", found, "there is no nixfmt on PATH (bash .ci/install-nixfmt.sh, or from Nixpkgs)");
    const { status, stdout, stderr } = spawnSync("nixfmt", ["--check", ...files], { encoding: "utf8" });
    assert.equal(status, 0, stdout + stderr);
  });
});

describe("flake.lock", () => {
  interface Node {
    inputs?: Record<string, string | string[]>;
    locked?: Record<string, string | number>;
    original?: Record<string, string>;
  }
  const lock = JSON.parse(fs.readFileSync(path.join(flakeFolder, "flake.lock"), "utf8")) as {
    nodes: Record<string, Node>;
    root: string;
    version: number;
  };

  it("names one exact nixpkgs of the release, and sops-nix on top of it", () => {
    assert.equal(lock.version, 7);
    assert.deepEqual(lock.nodes[lock.root]?.inputs, { nixpkgs: "nixpkgs", "sops-nix": "sops-nix" });
    assert.deepEqual(lock.nodes["sops-nix"]?.inputs, { nixpkgs: ["nixpkgs"] });
    assert.deepEqual(lock.nodes["nixpkgs"]?.original, {
      owner: "NixOS",
      ref: "nixos-26.05",
      repo: "nixpkgs",
      type: "github",
    });
    for (const name of ["nixpkgs", "sops-nix"]) {
      const { rev, narHash } = lock.nodes[name]?.locked ?? {};
      assert.match(String(rev), /^[0-9a-f]{40}$/);
      assert.match(String(narHash), /^sha256-[A-Za-z0-9+/]{43}=$/);
    }
  });

  it("fits the inputs of flake.nix", function () {
    requireOrSkip(this, "nix", nixMissing() === undefined, nixMissing() ?? "");
    const result = nixInstantiate(`(import ${flakeFolder}/flake.nix).inputs`);
    assert.equal(result.status, 0, result.stderr);
    assert.deepEqual(JSON.parse(result.stdout), {
      nixpkgs: { url: "github:NixOS/nixpkgs/nixos-26.05" },
      "sops-nix": { url: "github:Mic92/sops-nix", inputs: { nixpkgs: { follows: "nixpkgs" } } },
    });
  });
});

describe("the flake evaluated by a real Nix", () => {
  const toplevel = "nixosConfigurations.default.config.system.build.toplevel";
  let folder: string;
  let repository: string;

  before(function () {
    requireOrSkip(this, "nix", nixMissing() === undefined, nixMissing() ?? "");
    requireCommands(this, "git", "git");
  });
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "flake-"));
    repository = path.join(folder, "repository");
    fs.cpSync(flakeFolder, path.join(repository, "nix"), { recursive: true });
    git("init", "--quiet");
    commit();
  });
  afterEach(() => {
    // The store's folders are read-only.
    spawnSync("chmod", ["-R", "u+w", folder]);
    fs.rmSync(folder, { recursive: true, force: true });
  });

  function git(...args: string[]): void {
    const identity = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"];
    const { status, stderr } = spawnSync("git", ["-C", repository, ...identity, ...args], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
  }
  function commit(): void {
    git("add", "--all");
    git("commit", "--quiet", "--message", "change");
  }
  function write(name: string, content: string): void {
    fs.writeFileSync(path.join(repository, name), content);
  }

  function nix(...args: string[]) {
    const overrides = ["nixpkgs", "sops-nix"].flatMap((name) => [
      "--override-input",
      name,
      `path:${STAND_INS}/${name}`,
    ]);
    return spawnSync("nix", ["eval", "--raw", "--no-write-lock-file", ...overrides, ...args], {
      encoding: "utf8",
      cwd: repository,
      env: {
        ...process.env,
        // A store of its own: nothing of the test is left in this computer's.
        NIX_CONFIG: `experimental-features = nix-command flakes\nstore = ${folder}/store\nbuild-users-group =\nsubstituters =\nflake-registry =\nwarn-dirty = false`,
        XDG_CACHE_HOME: path.join(folder, "cache"),
        HOME: folder,
      },
    });
  }
  function derivation(reference: string): string {
    const { status, stdout, stderr } = nix(`${reference}#${toplevel}.drvPath`);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^\/nix\/store\/[a-z0-9]{32}-nixos-system-stub\.drv$/);
    return stdout;
  }

  it("gives the same derivation by path: and by git+file:", () => {
    assert.equal(derivation("path:./nix"), derivation(`git+file://${repository}?dir=nix`));
  });

  it("does not change with a commit beside nix/, and does with the page", () => {
    const before = derivation(`git+file://${repository}?dir=nix`);
    write("README.md", "Something else.\n");
    commit();
    assert.equal(derivation(`git+file://${repository}?dir=nix`), before);
    write("nix/www/index.html", "<h1>Another page</h1>\n");
    commit();
    assert.notEqual(derivation(`git+file://${repository}?dir=nix`), before);
  });

  it("changes with the repository that it follows", () => {
    const before = derivation("path:./nix");
    write("nix/repository.json", '{"owner":"octocat","name":"site","branch":"main","access":"deploy-key"}');
    assert.notEqual(derivation("path:./nix"), before);
  });

  it("gives Hydra each machine, and the checks that need nothing else", () => {
    const names = 'jobs: builtins.concatStringsSep " " (builtins.attrNames jobs ++ builtins.attrNames jobs.machines)';
    const { stdout, stderr } = nix("path:./nix#hydraJobs", "--apply", names);
    assert.equal(stdout, "formatting machines secrets default", stderr);
    assert.equal(nix("path:./nix#hydraJobs.machines.default.drvPath").stdout, derivation("path:./nix"));
  });

  it("refuses secrets in plain text and key files, and says which", () => {
    write("nix/secrets.yaml", "github-access-token: ghp_abc\n");
    write("nix/id_ed25519", "anything\n");
    const { status, stderr } = nix(`path:./nix#${toplevel}.drvPath`);
    assert.notEqual(status, 0);
    assert.match(stderr, /secrets\.yaml: it is not encrypted/);
    assert.match(stderr, /id_ed25519: it looks like a private key/);
    assert.doesNotMatch(stderr, /ghp_abc/);
  });

  it("offers nixos-rebuild and a formatter on the four systems that people deploy from", () => {
    for (const system of ["x86_64-linux", "aarch64-linux", "x86_64-darwin", "aarch64-darwin"]) {
      assert.equal(nix(`path:./nix#packages.${system}.nixos-rebuild.name`).stdout, "nixos-rebuild-ng");
      assert.equal(nix(`path:./nix#formatter.${system}.name`).stdout, "nixfmt-tree");
    }
  });

  it("checks its modules alone and together, with either way to read the repository", () => {
    const { stdout, stderr } = nix(
      "path:./nix#checks.x86_64-linux",
      "--apply",
      "c: toString (map (n: c.${n}.name) (builtins.attrNames c))",
    );
    assert.equal(
      stdout,
      "formatting continuous-deployment evaluates-amazon evaluates-default evaluates-hardening evaluates-secrets evaluates-smallMachine evaluates-upgrade evaluates-web secrets evaluates-with-auto-upgrade evaluates-with-deploy-key evaluates-with-health-checks evaluates-with-token",
      stderr,
    );
  });

  it("exports its modules", () => {
    const { stdout } = nix("path:./nix#nixosModules", "--apply", "m: toString (builtins.attrNames m)");
    assert.equal(stdout, "amazon default hardening secrets smallMachine upgrade web");
  });
});
