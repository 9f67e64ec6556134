// What may be deployed from a folder, with a real Git.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { DeploymentError } from "../../components/deploy/errors.mjs";
import { MachineReport } from "../../components/deploy/machine.mjs";
import { Processes } from "../../components/deploy/process.mjs";
import { readSettings } from "../../components/deploy/settings.mjs";
import { checkSources, followedRevision, refuseWithoutToken } from "../../components/deploy/sources.mjs";
import { requireCommands, requireOrSkip } from "../require";
import { newKey } from "../../cli/rehearse/keys";
import { failureOf, programFolder } from "./support";

const keys = { login: newKey(), host: newKey() };
const gitPrograms = execFileSync("git", ["--exec-path"], { encoding: "utf8" }).trim();

describe("the sources of a deployment", () => {
  before(function () {
    requireCommands(this, "git", "git");
  });

  let folder: string;
  let nix: string;

  const environment = () => ({
    ...process.env,
    HOME: folder,
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_SYSTEM: "/dev/null",
  });
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=test", "-c", "user.email=test@example.invalid", ...args], {
      cwd: folder,
      env: environment(),
      encoding: "utf8",
      stdio: "pipe",
    }).trim();
  const commit = () => {
    git("add", "--all");
    git("commit", "--quiet", "--message", "Change");
    return git("rev-parse", "HEAD");
  };
  const write = (file: string, content: string) => fs.writeFileSync(path.join(folder, file), content);
  const deployment = (env: NodeJS.ProcessEnv = {}, more: NodeJS.ProcessEnv = {}) => ({
    settings: readSettings({
      DEPLOY_HOST: "192.0.2.7",
      DEPLOY_HOST_KEY: keys.host.publicKeyOpenssh.trim(),
      DEPLOY_PRIVATE_KEY: keys.login.privateKeyOpenssh,
      DEPLOY_DERIVATION: "sha256-x",
      DEPLOY_FLAKE: `path:${nix}#default`,
      ...env,
    }),
    processes: new Processes({ ...environment(), ...more }),
  });
  const refusal = async (env: NodeJS.ProcessEnv = {}, more: NodeJS.ProcessEnv = {}) => {
    const error = await failureOf(() => checkSources(deployment(env, more)));
    assert.ok(error instanceof DeploymentError, error.stack);
    return error.text();
  };

  beforeEach(() => {
    // No space: a flake reference has none.
    folder = fs.mkdtempSync("/tmp/sources-");
    nix = path.join(folder, "nix");
    fs.mkdirSync(nix);
    write("nix/flake.nix", "{ }");
    write(
      "nix/repository.json",
      JSON.stringify({ owner: "Someone", name: "server", branch: "main", access: "deploy-key" }),
    );
    write(".gitignore", "*.log\n");
    write("README.md", "");
    git("init", "--quiet", "--initial-branch=main");
    commit();
  });
  afterEach(() => fs.rmSync(folder, { recursive: true }));

  it("are accepted when the folder is what is committed, whatever is beside it", async () => {
    write("README.md", "changed");
    write("untracked", "");
    assert.match(await checkSources(deployment()), /is what is committed/);
  });

  const differences: Record<string, [() => void, RegExp]> = {
    "a changed file": [() => write("nix/flake.nix", "{ x = 1; }"), /changed: nix\/flake\.nix/],
    "a staged file": [
      () => {
        write("nix/new.nix", "");
        git("add", "nix/new.nix");
      },
      /changed: nix\/new\.nix/,
    ],
    "a removed file": [() => fs.rmSync(path.join(nix, "flake.nix")), /changed: nix\/flake\.nix/],
    "an untracked file": [() => write("nix/a file.nix", ""), /untracked: nix\/a file\.nix/],
    "a file that Git ignores and Nix takes": [() => write("nix/x.log", ""), /ignored by Git: nix\/x\.log/],
  };
  for (const [what, [change, expected]] of Object.entries(differences)) {
    it(`are refused with ${what}, and accepted with allowDirty`, async () => {
      change();
      const text = await refusal();
      assert.match(text, expected);
      assert.match(text, /allowDirty/);
      assert.match(await checkSources(deployment({ DEPLOY_ALLOW_DIRTY: "true" })), /taken as it is/);
    });
  }

  it("are not refused for a file that neither Git nor a Git flake sees", async () => {
    write("nix/x.log", "");
    await checkSources(deployment({ DEPLOY_FLAKE: `git+file:${folder}?dir=nix#default` }));
  });

  it("are refused where there is no commit, and where there is no Git", async () => {
    assert.match(await refusal({}, { PATH: "/nowhere" }), /Git is missing, or there is no commit/);
    fs.rmSync(path.join(folder, ".git"), { recursive: true });
    assert.match(await refusal(), /Git is missing, or there is no commit/);
    git("init", "--quiet");
    assert.match(await refusal(), /Git is missing, or there is no commit/);
  });

  // Fault 99
  it("are accepted with a warning, when an input is a private repository that only this computer may read", async () => {
    const locked = { type: "git", url: "ssh://git@github.com/acme/nix-secrets" };
    write("nix/flake.lock", JSON.stringify({ nodes: { secrets: { locked }, root: {} }, root: "root", version: 7 }));
    commit();
    const expected = /; warning: the machine may not read the input "secrets", ssh:.*docs\/trouble\/private-input\.md/;
    assert.match(await checkSources(deployment()), expected);
    assert.match(await checkSources(deployment({ DEPLOY_ALLOW_DIRTY: "true" })), expected);
  });

  it("list ten differences at most", async () => {
    for (let n = 0; n < 13; n++) write(`nix/${n}`, "");
    assert.match(await refusal(), /and 3 more/);
  });

  it("must name the stack's repository, in whatever case", async () => {
    await checkSources(deployment({ DEPLOY_REPOSITORY: "someone/Server" }));
    const text = await refusal({ DEPLOY_REPOSITORY: "else/server" });
    assert.match(text, /repository\.json names the repository "Someone\/server", but the stack's is "else\/server"/);
    assert.match(text, /as its root/);
    // It is about whom the machine trusts, so allowDirty does not help.
    assert.match(
      await refusal({ DEPLOY_REPOSITORY: "else/server", DEPLOY_ALLOW_DIRTY: "true" }),
      /names the repository/,
    );
  });

  it("must name an owner, where the stack has a repository", async () => {
    write("nix/repository.json", JSON.stringify({ owner: "", name: "server", branch: "main" }));
    commit();
    assert.match(await refusal({ DEPLOY_REPOSITORY: "else/server" }), /names no owner/);
    fs.rmSync(path.join(nix, "repository.json"));
    commit();
    assert.match(await refusal({ DEPLOY_REPOSITORY: "else/server" }), /names no owner/);
  });

  it("must hold no key, even with allowDirty", async () => {
    write("nix/notes", newKey().privateKeyOpenssh);
    assert.match(await refusal({ DEPLOY_ALLOW_DIRTY: "true" }), /nix\/notes: it holds a private key/);
  });

  describe("of a machine that is to read its repository with a token", () => {
    const before = new MachineReport("nixos-deploy deployed /nix/store/x.drv /nix/store/x-nixos-system\n");
    const attempt = (seen = before) => failureOf(() => refuseWithoutToken(deployment(), seen));
    beforeEach(() =>
      write("nix/repository.json", '{ "owner": "a", "name": "b", "branch": "main", "access": "token" }'),
    );

    it("must hold one, where the machine has been deployed to before", async () => {
      assert.match((await attempt()).message, /secrets\.yaml holds none: the machine could not upgrade itself/);
      write("nix/secrets.yaml", "password: ENC[AES256_GCM,data:x]\nsops:\n    mac: x\n");
      fs.cpSync(path.join(programFolder, "../../nix/modules"), path.join(nix, "modules"), { recursive: true });
      const error = await attempt();
      assert.ok(error instanceof DeploymentError && /npm run secrets -- token/.test(error.text()));
    });

    const accepted: Record<string, () => void> = {
      "a token among the secrets": () => write("nix/secrets.yaml", "github-access-token: ENC[AES256_GCM,data:x]\n"),
      "a token from elsewhere": () => {
        fs.mkdirSync(path.join(nix, "hosts"));
        write("nix/hosts/server.nix", '{ pulumiNixos.upgrade.tokenFile = "/etc/token"; }');
      },
      "a deploy key": () => write("nix/repository.json", '{ "owner": "a", "access": "deploy-key" }'),
    };
    for (const [what, prepare] of Object.entries(accepted)) {
      it(`are accepted with ${what}`, () => {
        prepare();
        refuseWithoutToken(deployment(), before);
      });
    }

    it("are accepted without one for a first system: secrets cannot be encrypted before its machine has a key", () => {
      refuseWithoutToken(deployment(), new MachineReport("nixos-deploy deployed \n"));
    });
  });

  describe("beside the branch that the machine follows", () => {
    let remote: string;
    let ssh: NodeJS.ProcessEnv;
    beforeEach(() => {
      remote = fs.mkdtempSync("/tmp/remote-");
      execFileSync("git", ["init", "--quiet", "--bare", "--initial-branch=main", remote]);
      // GitHub: whatever address is asked, the real git at the other end serves this repository.
      const program = path.join(folder, ".git/github");
      fs.writeFileSync(program, `#!/bin/sh\nexec git-upload-pack ${remote}\n`, { mode: 0o755 });
      ssh = { GIT_SSH_COMMAND: program, GIT_SSH_VARIANT: "simple", PATH: `${gitPrograms}:${process.env["PATH"]}` };
      git("remote", "add", "origin", "git@github.com:someone/Server.git");
      git("push", "--quiet", remote, "main");
    });
    afterEach(() => fs.rmSync(remote, { recursive: true }));

    const followed = () => followedRevision(deployment({}, ssh));

    it("say nothing when HEAD is the branch", async () => {
      assert.deepEqual(await followed(), { revision: git("rev-parse", "HEAD") });
    });

    it("warn, with both revisions, when HEAD is not pushed", async () => {
      const pushed = git("rev-parse", "HEAD");
      write("nix/flake.nix", "{ x = 1; }");
      const head = commit();
      const { revision, warning } = await followed();
      assert.equal(revision, pushed);
      assert.ok(warning?.includes(head.slice(0, 12)) && warning.includes(pushed.slice(0, 12)), warning);
    });

    it("say nothing when what is not pushed is outside the flake", async () => {
      const pushed = git("rev-parse", "HEAD");
      write("README.md", "changed");
      commit();
      assert.deepEqual(await followed(), { revision: pushed });
    });

    it("warn when the branch has moved on elsewhere, though this computer has not fetched it", async () => {
      const clone = `${remote}-clone`;
      try {
        execFileSync("git", ["clone", "--quiet", remote, clone]);
        fs.writeFileSync(path.join(clone, "nix/flake.nix"), "{ y = 1; }");
        const identity = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"];
        execFileSync("git", ["-C", clone, ...identity, "commit", "--quiet", "--all", "--message", "Elsewhere"]);
        execFileSync("git", ["-C", clone, "push", "--quiet", "origin", "main"]);
        const moved = execFileSync("git", ["-C", clone, "rev-parse", "HEAD"], { encoding: "utf8" }).trim();
        const { revision, warning } = await followed();
        assert.equal(revision, moved);
        assert.ok(warning?.includes(moved.slice(0, 12)), warning);
      } finally {
        fs.rmSync(clone, { recursive: true });
      }
    });

    // Fault 62
    it("are not compared with an old copy when the remote does not answer: the reason is said", async () => {
      ssh["GIT_SSH_COMMAND"] = "echo 'kex_exchange_identification: Connection closed by remote host' >&2; false";
      const { revision, warning } = await followed();
      assert.equal(revision, "-");
      assert.match(
        warning ?? "",
        /could not be asked: git ls-remote was cut off by the server: kex_exchange_identification/,
      );
    });

    it("are not compared with a branch that ends alike, and a tag of its name", async () => {
      const pushed = git("rev-parse", "HEAD");
      write("nix/flake.nix", "{ evil = 1; }");
      commit();
      for (const name of ["refs/heads/a/refs/heads/main", "refs/heads/refs/heads/main", "refs/tags/main"]) {
        git("push", "--quiet", remote, `HEAD:${name}`);
      }
      assert.equal((await followed()).revision, pushed);
    });

    for (const url of [
      "git@github.com:evil-someone/server.git",
      "git@github.com:x/someone/server.git",
      "https://evil.example/someone/server",
      "https://github.com.evil.example/someone/server",
      "git@evil.example:github.com/someone/server",
      "/srv/someone/server.git",
    ]) {
      it(`are not compared with ${url}`, async () => {
        git("remote", "set-url", "origin", url);
        const { revision, warning } = await followed();
        assert.equal(revision, "-");
        assert.match(warning ?? "", /no remote of this folder is github\.com\/Someone\/server/);
      });
    }

    it("are compared with the repository, whatever its remote is called and how its address is written", async () => {
      const pushed = git("rev-parse", "HEAD");
      git("remote", "set-url", "origin", "git@github.com:evil-someone/server.git");
      git("remote", "add", "upstream", "gh:SOMEONE/server");
      git("config", "url.ssh://git@ssh.github.com/.insteadOf", "gh:");
      assert.equal((await followed()).revision, pushed);
    });

    it("are not compared with a mirror that the user's own settings put in its place", async () => {
      git("config", "url.https://mirror.example/.insteadOf", "git@github.com:");
      assert.equal((await followed()).revision, "-");
    });

    // Fault 63
    it("of a folder that belongs to somebody else are explained by Git itself", async function () {
      requireOrSkip(this, "root", process.getuid?.() === 0, "only root can give a folder away");
      execFileSync("chown", ["-R", "65534", folder]);
      const error = await refusal();
      assert.match(error, /^Git does not trust the folder, .*dubious ownership in repository at '\/tmp\/sources-/);
      assert.match(error, /git config --global --add safe\.directory \/tmp\/sources-/);
    });

    it("say nothing before the branch has been pushed", async () => {
      execFileSync("git", ["--git-dir", remote, "update-ref", "-d", "refs/heads/main"]);
      assert.deepEqual(await followed(), { revision: "-" });
    });
  });

  it("of which nobody knows a branch say nothing", async () => {
    assert.deepEqual(await followedRevision(deployment()), { revision: "-" });
  });
});
