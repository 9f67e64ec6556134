/**
 * What the programs that this project starts find in their environment: stand-ins for git, Nix and ssh first on PATH write
 * down all of theirs. They stand in for nothing else, and do nothing; evaluate.mjs, deploy.mjs and the checks that start
 * them are the real ones. Cannot prove: what programs that these start in turn add.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { checkGit } from "../../cli/diagnostics/git";
import { realContext } from "../../cli/common/context";
import { findSops } from "../../cli/secrets/sops";
import { readCheckout } from "../../program/checkout";
import { environmentFor } from "../../components/deploy/process.mjs";
import { newKey } from "../../cli/rehearse/keys";

/** Variables that hold secrets where this project is used, each with a value of its own. */
const SECRETS = Object.fromEntries(
  [
    "DEPLOY_PRIVATE_KEY",
    "GITHUB_TOKEN",
    "GH_TOKEN",
    "GITHUB_APP_PEM_FILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "PULUMI_CONFIG",
    "PULUMI_CONFIG_PASSPHRASE",
    "PULUMI_ACCESS_TOKEN",
    "SOPS_AGE_KEY",
    "CACHE_SIGNING_KEY",
    "CLOUDFLARE_API_TOKEN",
    "PGPASSWORD",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "VAULT_TOKEN",
    "NPM_TOKEN",
    "NIX_CONFIG",
  ].map((name) => [name, `# secret of ${name}`]),
);
const OF_NIX = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "NIX_CONFIG"];

describe("the environment of other programs", function () {
  let root: string;
  let project: string;
  let env: NodeJS.ProcessEnv;

  beforeEach(() => {
    root = fs.mkdtempSync(path.join(os.tmpdir(), "environment-"));
    project = path.join(root, "project");
    const bin = path.join(root, "bin");
    fs.mkdirSync(bin);
    fs.mkdirSync(path.join(project, "nix"), { recursive: true });
    fs.writeFileSync(path.join(project, "nix/flake.nix"), "{ }\n");
    for (const program of ["git", "ssh", "nix", "nix-store", "nix-copy-closure", "nixos-rebuild", "sops"]) {
      const file = path.join(bin, program);
      fs.writeFileSync(file, `#!/bin/sh\n{ echo "== $0 $*"; env; } >>'${root}/seen-${program}'\nexit 1\n`, {
        mode: 0o755,
      });
    }
    env = {
      ...SECRETS,
      PATH: `${bin}:${process.env["PATH"]}`,
      HOME: root,
      TMPDIR: root,
      AWS_PROFILE: "prod",
      LANG: "C",
    };
  });
  afterEach(() => fs.rmSync(root, { recursive: true }));

  /** The names of secrets that a program saw, in all its runs; it must have run. */
  function seenBy(program: string): string[] {
    const text = fs.readFileSync(path.join(root, `seen-${program}`), "utf8");
    return Object.keys(SECRETS).filter((name) => text.includes(`secret of ${name}`));
  }

  const node = (script: string, more: NodeJS.ProcessEnv) =>
    spawnSync(process.execPath, [path.resolve("components/deploy", script)], {
      cwd: project,
      env: { ...env, ...more },
      encoding: "utf8",
    });

  // Fault 96
  it("holds no secret for Git, and for Nix only its own, in an evaluation", () => {
    node("evaluate.mjs", { EVALUATE_FLAKE: "git+file:./nix#default", EVALUATE_MODE: "hash" });
    assert.deepEqual(seenBy("git"), []);
    node("evaluate.mjs", { EVALUATE_FLAKE: "path:./nix#default" });
    assert.deepEqual(seenBy("nix"), OF_NIX);
    assert.match(fs.readFileSync(path.join(root, "seen-nix"), "utf8"), /^AWS_PROFILE=prod$/m);
  });

  it("holds no secret for Git and ssh in a deployment", () => {
    const key = newKey();
    const { stderr } = node("deploy.mjs", {
      DEPLOY_PRIVATE_KEY: key.privateKeyOpenssh,
      DEPLOY_HOST: "machine.example.com",
      DEPLOY_HOST_KEY: newKey().publicKeyOpenssh.trim(),
      DEPLOY_DERIVATION: `/nix/store/${"a".repeat(32)}-system.drv`,
      DEPLOY_WAIT_SECONDS: "1",
      DEPLOY_ALLOW_DIRTY: "true",
    });
    assert.match(stderr, /The machine is not ready/);
    assert.deepEqual(seenBy("ssh"), []);
    assert.ok(!fs.readFileSync(path.join(root, "seen-ssh"), "utf8").includes("PRIVATE KEY"));
    node("deploy.mjs", {
      DEPLOY_PRIVATE_KEY: key.privateKeyOpenssh,
      DEPLOY_HOST: "machine.example.com",
      DEPLOY_HOST_KEY: newKey().publicKeyOpenssh.trim(),
      DEPLOY_DERIVATION: `/nix/store/${"a".repeat(32)}-system.drv`,
    });
    assert.deepEqual(seenBy("git"), []);
  });

  it("holds no secret for Git in the program and in the checks", async () => {
    const context = realContext({ folder: project, env });
    await checkGit(context, "main");
    assert.deepEqual(seenBy("git"), []);
    fs.rmSync(path.join(root, "seen-git"));
    const before = { ...process.env };
    try {
      Object.assign(process.env, env);
      readCheckout(project, '{"owner":"octocat","name":"site","access":"deploy-key"}');
    } finally {
      for (const name of Object.keys(env)) delete process.env[name];
      Object.assign(process.env, before);
    }
    assert.deepEqual(seenBy("git"), []);
  });

  it("holds sops's own secrets for sops, also where Nix starts it, and no others", async () => {
    const own = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "SOPS_AGE_KEY", "VAULT_TOKEN"];
    const lock = {
      root: "root",
      nodes: {
        root: { inputs: { nixpkgs: "n" } },
        n: { locked: { type: "github", owner: "NixOS", repo: "nixpkgs", rev: "a".repeat(40) } },
      },
    };
    fs.writeFileSync(path.join(project, "nix/flake.lock"), JSON.stringify(lock));
    const context = realContext({ folder: project, env });
    // The one on PATH fails, so Nix is asked for one.
    const sops = await findSops(context);
    assert.deepEqual(seenBy("sops"), own);
    await assert.rejects(sops.values());
    assert.deepEqual(seenBy("nix").sort(), [...own, "NIX_CONFIG"].sort());
    // The flake's folder, in which secrets may still be in plain text, is not given to Nix.
    const [line] = fs.readFileSync(path.join(root, "seen-nix"), "utf8").split("\n");
    assert.match(line!, / run github:NixOS\/nixpkgs\/a{40}#sops -- /);
    assert.ok(!line!.includes("--inputs-from"));
  });

  it("is whole for the programs that are asked with those credentials", () => {
    for (const program of ["pulumi", "node_modules/.bin/pulumi", "aws", "gh"])
      assert.deepEqual(environmentFor(program, env), env);
  });

  it("keeps what says where something is, and how a program behaves", () => {
    const kept = {
      PATH: "/bin",
      SSH_AUTH_SOCK: "/s",
      SOPS_AGE_KEY_FILE: "/k",
      AWS_PROFILE: "p",
      AWS_REGION: "r",
      GIT_SSH_COMMAND: "ssh",
      NIX_PATH: "n",
      NIX_SSHOPTS: "-F x",
      HTTPS_PROXY: "http://p",
      KEYMAP: "us",
      TOKENIZERS_PARALLELISM: "1",
    };
    for (const program of ["git", "ssh", "nix", "/run/current-system/sw/bin/nixos-rebuild", "sops"])
      assert.deepEqual(environmentFor(program, kept), kept);
  });
});
