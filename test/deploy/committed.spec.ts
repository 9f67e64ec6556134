// Whether a folder is called committed only if the machine's own reference makes the same system of it: with a real Git
// and, where they are installed, each real Nix of .ci/install-nix.sh (2.26 and 2.34). A bare clone over file: stands for
// GitHub's repository; `git archive` in a fresh clone of it for GitHub's tarball, which GitHub makes by the same program.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { refuseUncommitted } from "../../components/deploy/committed.mjs";
import { DeploymentError } from "../../components/deploy/errors.mjs";
import { Processes } from "../../components/deploy/process.mjs";
import { readSettings } from "../../components/deploy/settings.mjs";
import { checkSources, followedRevision } from "../../components/deploy/sources.mjs";
import { requireOrSkip } from "../require";
import { hasCommand } from "../../cli/rehearse/commands";
import { newKey } from "../../cli/rehearse/keys";

const keys = { login: newKey(), host: newKey() };
const cache = path.join(process.env["XDG_CACHE_HOME"] || path.join(os.homedir(), ".cache"), "pulumi-nixos");
const NIXES = ["nix-trixie", "nix-sid"]
  .map((name) => path.join(cache, name, "bin"))
  .filter((bin) => fs.existsSync(bin));

/** A system that is made of every byte, name, mode and link of its folder. */
const FLAKE = `{
  outputs = _: {
    nixosConfigurations.default.config.system.build.toplevel = derivation {
      name = "system";
      system = "x86_64-linux";
      builder = "/bin/sh";
      folder = builtins.path { path = ./.; name = "folder"; };
    };
  };
}
`;

interface Case {
  /** Brings the work tree, or Git, into the state. */
  prepare: () => void;
  /** What the refusal says; undefined: it is accepted. */
  refused?: RegExp;
  /** More environment for the check. */
  env?: () => NodeJS.ProcessEnv;
}

describe("what is committed", function () {
  let place: string;
  let folder: string;
  let nix: string;

  const environment = (): NodeJS.ProcessEnv => ({
    PATH: process.env["PATH"],
    HOME: place,
    GIT_CONFIG_GLOBAL: path.join(place, "gitconfig"),
    GIT_CONFIG_SYSTEM: "/dev/null",
  });
  const gitIn = (at: string, ...args: string[]) =>
    execFileSync("git", ["-C", at, "-c", "protocol.file.allow=always", ...args], {
      env: environment(),
      encoding: "utf8",
      stdio: "pipe",
    }).trim();
  const git = (...args: string[]) => gitIn(folder, ...args);
  const commit = () => {
    git("add", "--all");
    git("commit", "--quiet", "--allow-empty", "--message", "Change");
  };
  const write = (file: string, content: string | Buffer) => {
    fs.mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    fs.writeFileSync(path.join(folder, file), content);
  };
  const access = (kind: string) => {
    write("nix/repository.json", JSON.stringify({ owner: "a", name: "b", branch: "main", access: kind }));
    commit();
  };
  /** Writes after a commit, so that Git may think that it is still what it was. */
  const smudge = (attributes: string, committed: string) => {
    write(".gitattributes", attributes);
    write("nix/motd", committed);
    commit();
    fs.rmSync(path.join(nix, "motd"));
    git("checkout", "--", ".");
  };
  const filter = () => {
    git("config", "filter.vault.clean", "sed s/hello/POINTER/");
    git("config", "filter.vault.smudge", "sed s/POINTER/hello/");
  };

  const deployment = (flake = `path:${nix}#default`, env: NodeJS.ProcessEnv = {}, more: NodeJS.ProcessEnv = {}) => ({
    settings: readSettings({
      DEPLOY_HOST: "192.0.2.7",
      DEPLOY_HOST_KEY: keys.host.publicKeyOpenssh.trim(),
      DEPLOY_PRIVATE_KEY: keys.login.privateKeyOpenssh,
      DEPLOY_DERIVATION: "sha256-x",
      DEPLOY_FLAKE: flake,
      ...more,
    }),
    processes: new Processes({ ...environment(), ...env }),
  });
  /** The text of a refusal; undefined when it is accepted. */
  const verdict = async (...args: Parameters<typeof deployment>) => {
    try {
      assert.match(await checkSources(deployment(...args)), /is what is committed/);
      return undefined;
    } catch (error) {
      if (error instanceof DeploymentError) return error.text();
      throw error;
    }
  };
  const assertVerdict = (text: string | undefined, expected?: RegExp) => {
    if (expected === undefined) assert.equal(text, undefined);
    else assert.match(text ?? "accepted", expected);
  };

  const nixEnvironment = (bin: string) => ({
    ...environment(),
    PATH: `${bin}:${process.env["PATH"]}`,
    NIX_CONFIG: `store = ${path.join(place, "store")}\nsandbox = false\nbuild-users-group =\nsubstituters =\nflake-registry =\nexperimental-features = nix-command flakes`,
  });
  const derivation = (bin: string, flake: string) =>
    execFileSync(
      path.join(bin, "nix"),
      [
        ...["eval", "--raw", "--no-update-lock-file"],
        `${flake}#nixosConfigurations.default.config.system.build.toplevel.drvPath`,
      ],
      { cwd: place, env: nixEnvironment(bin), encoding: "utf8", stdio: "pipe" },
    );

  beforeEach(() => {
    place = fs.realpathSync(fs.mkdtempSync("/tmp/committed-"));
    folder = path.join(place, "work");
    nix = path.join(folder, "nix");
    write("nix/flake.nix", FLAKE);
    write("nix/repository.json", JSON.stringify({ owner: "a", name: "b", branch: "main", access: "deploy-key" }));
    write("nix/motd", "hello\n");
    write("nix/hosts/web", "web\n");
    fs.symlinkSync("motd", path.join(nix, "link"));
    write("nix/run", "#!/bin/sh\n");
    fs.chmodSync(path.join(nix, "run"), 0o755);
    write("README.md", "");
    execFileSync("git", ["config", "--file", path.join(place, "gitconfig"), "user.email", "test@example.invalid"]);
    execFileSync("git", ["config", "--file", path.join(place, "gitconfig"), "user.name", "test"]);
    git("init", "--quiet", "--initial-branch=main");
    commit();
  });
  afterEach(() => {
    if (fs.existsSync(path.join(place, "store"))) execFileSync("chmod", ["-R", "u+w", path.join(place, "store")]);
    fs.rmSync(place, { recursive: true });
  });

  /** Another repository, to be a submodule or a nested clone. */
  const other = () => {
    const at = path.join(place, "other");
    fs.mkdirSync(at);
    gitIn(at, "init", "--quiet");
    fs.writeFileSync(path.join(at, "file"), "x");
    gitIn(at, "add", "file");
    gitIn(at, "commit", "--quiet", "--message", "x");
    return at;
  };
  const hideEdit = (flag: string) => {
    git("update-index", flag, "nix/motd");
    write("nix/motd", "hello\nlocal\n");
  };

  const cases: Record<string, Case> = {
    "a folder as it was committed": { prepare: () => {} },
    "a filter that .gitattributes names": {
      prepare: () => {
        filter();
        smudge("nix/motd filter=vault\n", "hello\n");
      },
      refused: /other bytes than in the commit, by the attribute filter=vault: nix\/motd\n[^]*runs no filter/,
    },
    "a filter that .gitattributes in the folder names": {
      prepare: () => {
        filter();
        write("nix/.gitattributes", "motd filter=vault\n");
        smudge("", "hello\n");
      },
      refused: /filter=vault: nix\/motd/,
    },
    "a filter that only this clone's info\\/attributes names": {
      prepare: () => {
        filter();
        fs.mkdirSync(path.join(folder, ".git/info"), { recursive: true });
        fs.writeFileSync(path.join(folder, ".git/info/attributes"), "nix/motd filter=vault\n");
        smudge("", "hello\n");
      },
      refused: /filter=vault: nix\/motd/,
    },
    "a filter that only this person's attributes name": {
      prepare: () => {
        filter();
        fs.writeFileSync(path.join(place, "attributes"), "nix/motd filter=vault\n");
        fs.appendFileSync(
          path.join(place, "gitconfig"),
          `[core]\nattributesFile = ${path.join(place, "attributes")}\n`,
        );
        smudge("", "hello\n");
      },
      refused: /filter=vault: nix\/motd/,
    },
    "a filter whose file was left as it is in the commit": {
      prepare: () => {
        filter();
        smudge("nix/motd filter=vault\n", "nothing to change\n");
      },
    },
    "line ends by attribute": {
      prepare: () => smudge("nix/motd text eol=crlf\n", "hello\n"),
      refused: /by the attribute eol=crlf, text: nix\/motd/,
    },
    "line ends by core.autocrlf": {
      prepare: () => {
        git("config", "core.autocrlf", "true");
        smudge("", "hello\n");
      },
      refused: /other bytes than in the commit, though git status does not show it: nix\//,
    },
    "text=auto where nothing is converted": { prepare: () => smudge("* text=auto\n", "hello\n") },
    "another encoding": {
      prepare: () => smudge("nix/motd text working-tree-encoding=UTF-16LE eol=lf\n", "h\0e\0l\0l\0o\0\n\0"),
      refused: /working-tree-encoding=UTF-16LE/,
    },
    "an expanded $Id$": {
      prepare: () => smudge("nix/motd ident\n", "$Id$\n"),
      refused: /by the attribute ident: nix\/motd/,
    },
    "a submodule with its files": {
      prepare: () => {
        git("submodule", "add", "--quiet", other(), "nix/site");
        commit();
      },
      refused: /a repository of its own \(submodule, nested clone\): nix\/site\n[^]*no submodules/,
    },
    "a submodule that was never fetched": {
      prepare: () => {
        git("submodule", "add", "--quiet", other(), "nix/site");
        commit();
        git("submodule", "deinit", "--force", "--quiet", "nix/site");
      },
    },
    "a nested clone": {
      prepare: () => {
        gitIn(place, "clone", "--quiet", other(), path.join(nix, "site"));
      },
      refused: /a repository of its own \(submodule, nested clone\): nix\/site/,
    },
    "an edit behind skip-worktree": {
      prepare: () => hideEdit("--skip-worktree"),
      refused: /changed, and hidden from git status by skip-worktree: nix\/motd\n[^]*--no-skip-worktree/,
    },
    "an edit behind assume-unchanged": {
      prepare: () => hideEdit("--assume-unchanged"),
      refused: /changed, and hidden from git status by assume-unchanged: nix\/motd/,
    },
    "a sparse checkout that leaves out a part of the folder": {
      prepare: () => git("sparse-checkout", "set", "--no-cone", "/*", "!/nix/hosts/"),
      refused: /missing, and hidden from git status by skip-worktree: nix\/hosts\/web/,
    },
    "a sparse checkout of the whole folder": {
      prepare: () => {
        write("elsewhere/file", "");
        commit();
        git("sparse-checkout", "set", "nix");
      },
    },
    "an executable bit that core.fileMode hides": {
      prepare: () => {
        git("config", "core.fileMode", "false");
        fs.chmodSync(path.join(nix, "motd"), 0o755);
      },
      refused: /a program here, a file in the commit: nix\/motd/,
    },
    "a link that core.symlinks made a file": {
      prepare: () => {
        git("config", "core.symlinks", "false");
        fs.rmSync(path.join(nix, "link"));
        git("checkout", "--", "nix/link");
      },
      refused: /a file here, a link in the commit: nix\/link/,
    },
    "an edit that core.trustctime and core.checkStat hide": {
      prepare: () => {
        git("config", "core.trustctime", "false");
        git("config", "core.checkStat", "minimal");
        const file = path.join(nix, "motd");
        fs.utimesSync(file, 1_000_000_000, 1_000_000_000);
        git("update-index", "--refresh");
        write("nix/motd", "HELLO\n");
        fs.utimesSync(file, 1_000_000_000, 1_000_000_000);
      },
      refused: /though git status does not show it: nix\/motd/,
    },
    "an edit that a file system monitor misses": {
      prepare: () => {
        const hook = path.join(place, "monitor");
        fs.writeFileSync(hook, "#!/bin/sh\nprintf 'token\\0'\n", { mode: 0o755 });
        git("config", "core.fsmonitor", hook);
        git("config", "core.fsmonitorHookVersion", "2");
        git("update-index", "--fsmonitor");
        git("status");
        write("nix/motd", "HELLO\n");
      },
      refused: /: nix\/motd/,
    },
    "another case of a name behind core.ignoreCase": {
      prepare: () => {
        git("config", "core.ignoreCase", "true");
        fs.renameSync(path.join(nix, "motd"), path.join(nix, "Motd"));
      },
      refused: /: nix\/Motd/,
    },
    "names that differ in case alone": {
      prepare: () => {
        write("nix/MOTD", "other\n");
        commit();
      },
    },
    "a file that is to be added": {
      prepare: () => {
        write("nix/new", "x");
        git("add", "--intent-to-add", "nix/new");
      },
      refused: /changed: nix\/new/,
    },
    "a file that was added and not committed": {
      prepare: () => {
        write("nix/new", "x");
        git("add", "nix/new");
      },
      refused: /changed: nix\/new/,
    },
    "a file that Git ignores and was added all the same": {
      prepare: () => {
        write(".gitignore", "forced\n");
        write("nix/forced", "x");
        git("add", "--force", ".gitignore", "nix/forced");
        commit();
      },
    },
    "a merge that is not decided": {
      prepare: () => {
        git("checkout", "--quiet", "-b", "side");
        write("nix/motd", "theirs\n");
        commit();
        git("checkout", "--quiet", "main");
        write("nix/motd", "ours\n");
        commit();
        assert.throws(() => git("merge", "--quiet", "side"));
      },
      refused: /changed: nix\/motd/,
    },
    "a submodule with changes that its settings hide": {
      prepare: () => {
        git("submodule", "add", "--quiet", other(), "nix/site");
        git("config", "--file", ".gitmodules", "submodule.nix/site.ignore", "all");
        git("config", "diff.ignoreSubmodules", "all");
        commit();
        write("nix/site/file", "changed");
      },
      refused: /a repository of its own \(submodule, nested clone\): nix\/site/,
    },
    "untracked files that status.showUntrackedFiles hides": {
      prepare: () => {
        git("config", "status.showUntrackedFiles", "no");
        write("nix/local.nix", "{ }");
      },
      refused: /untracked: nix\/local\.nix/,
    },
    "another work tree by core.worktree": {
      prepare: () => {
        fs.cpSync(nix, path.join(place, "elsewhere/nix"), { recursive: true, verbatimSymlinks: true });
        fs.copyFileSync(path.join(folder, "README.md"), path.join(place, "elsewhere/README.md"));
        git("config", "core.worktree", path.join(place, "elsewhere"));
        write("nix/motd", "changed\n");
      },
      refused: /./,
    },
    "a link that was made a file with its target in it": {
      prepare: () => {
        fs.rmSync(path.join(nix, "link"));
        fs.copyFileSync(path.join(nix, "motd"), path.join(nix, "link"));
      },
      refused: /changed: nix\/link/,
    },
    "a program that lost its bit": {
      prepare: () => fs.chmodSync(path.join(nix, "run"), 0o644),
      refused: /changed: nix\/run/,
    },
    "a mode that Git does not keep": { prepare: () => fs.chmodSync(path.join(nix, "motd"), 0o600) },
    "another case of a folder's name": {
      prepare: () => fs.renameSync(path.join(nix, "hosts"), path.join(nix, "Hosts")),
      refused: /: nix\/Hosts\/web/,
    },
    "a file that only this clone ignores": {
      prepare: () => {
        fs.mkdirSync(path.join(folder, ".git/info"), { recursive: true });
        fs.writeFileSync(path.join(folder, ".git/info/exclude"), "local.nix\n");
        write("nix/local.nix", "{ }");
      },
      refused: /ignored by Git: nix\/local\.nix/,
    },
    "a file that only this person ignores": {
      prepare: () => {
        fs.writeFileSync(path.join(place, "ignore"), "local.nix\n");
        fs.appendFileSync(path.join(place, "gitconfig"), `[core]\nexcludesFile = ${path.join(place, "ignore")}\n`);
        write("nix/local.nix", "{ }");
      },
      refused: /ignored by Git: nix\/local\.nix/,
    },
    "an empty folder": {
      prepare: () => fs.mkdirSync(path.join(nix, "empty")),
      refused: /an empty folder, which Git does not keep: nix\/empty/,
    },
    "a commit that another one replaces here": {
      prepare: () => {
        const original = git("rev-parse", "HEAD");
        write("nix/motd", "replaced\n");
        commit();
        const replacement = git("rev-parse", "HEAD");
        git("reset", "--quiet", "--soft", original);
        git("replace", original, replacement);
      },
      refused: /: nix\/motd/,
    },
    "a blob that another one replaces here": {
      prepare: () => {
        const [original = ""] = git("rev-parse", "HEAD:nix/motd").split("\n");
        write("README.md", "replaced\n");
        git("replace", original, git("hash-object", "-w", "README.md"));
        git("checkout", "--", "README.md");
        fs.rmSync(path.join(nix, "motd"));
        git("checkout", "--", "nix/motd");
      },
      refused: /: nix\/motd/,
    },
    "an environment that leads Git to another repository": {
      prepare: () => {
        gitIn(place, "clone", "--quiet", folder, path.join(place, "elsewhere"));
        write("nix/motd", "changed\n");
      },
      env: () => ({
        GIT_DIR: path.join(place, "elsewhere/.git"),
        GIT_WORK_TREE: path.join(place, "elsewhere"),
        GIT_INDEX_FILE: path.join(place, "elsewhere/.git/index"),
      }),
      refused: /changed: nix\/motd/,
    },
    "the environment of a git hook": {
      prepare: () => {},
      env: () => ({ GIT_DIR: path.join(folder, ".git"), GIT_INDEX_FILE: path.join(folder, ".git/no-index") }),
    },
    "names with signs that Git quotes": {
      prepare: () => {
        for (const name of ["a\nb", ' "\\\táé', "-x", ":x"]) write(`nix/${name}`, "x");
        commit();
      },
    },
    "a change in a file whose name Git quotes": {
      prepare: () => {
        write("nix/é\n", "x");
        commit();
        write("nix/é\n", "y");
      },
      refused: /changed: nix\/é\\n/,
    },
  };

  for (const [what, { prepare, refused, env = () => ({}) }] of Object.entries(cases)) {
    // Fault 98
    it(`${refused === undefined ? "is" : "is not"} ${what}, and so says each Nix`, async () => {
      prepare();
      assertVerdict(await verdict(undefined, env()), refused);
      gitIn(place, "clone", "--quiet", "--bare", folder, path.join(place, "github.git"));
      for (const bin of NIXES) {
        const here = derivation(bin, `path:${nix}`);
        const there = derivation(bin, `git+file://${place}/github.git?ref=main&dir=nix`);
        assert.equal(here === there, refused === undefined, `with ${bin}: ${here}, ${there}`);
      }
    });
  }

  // The same as above with the real programs, in a clone of whoever has the key or the objects, and in one without.
  const programs: Record<string, { prepare: () => void; without: NodeJS.ProcessEnv; refused: RegExp }> = {
    "git-lfs": {
      prepare: () => {
        git("lfs", "install", "--local");
        git("lfs", "track", "nix/motd");
      },
      without: { GIT_LFS_SKIP_SMUDGE: "1" },
      refused: /by the attribute filter=lfs[^:]*: nix\/motd\n[^]*of LFS and git-crypt the pointer or the ciphertext/,
    },
    "git-crypt": {
      prepare: () => {
        git("crypt", "init");
        write(".gitattributes", "nix/motd filter=git-crypt diff=git-crypt\n");
      },
      without: {},
      refused: /by the attribute filter=git-crypt: nix\/motd/,
    },
  };
  for (const [program, { prepare, without, refused }] of Object.entries(programs)) {
    it(`is not what ${program} shows, and is what it keeps`, async function () {
      requireOrSkip(
        this,
        "filters",
        hasCommand(program),
        `${program} is not there (Debian: apt-get install ${program})`,
      );
      prepare();
      write("nix/motd", "from now on by the program\n");
      commit();
      assertVerdict(await verdict(), refused);
      const at = path.join(place, "without");
      execFileSync("git", ["clone", "--quiet", folder, at], { env: { ...environment(), ...without }, stdio: "pipe" });
      assert.doesNotMatch(fs.readFileSync(path.join(at, "nix/motd"), "latin1"), /by the program/);
      assertVerdict(await verdict(`path:${at}/nix#default`));
    });
  }

  it("holds names that are no text, too", async () => {
    const name = Buffer.concat([Buffer.from(`${nix}/`), Buffer.from([0x61, 0xff])]);
    fs.writeFileSync(name, "x");
    commit();
    const { settings, processes } = deployment();
    const check = () =>
      refuseUncommitted({ ...settings.flake, folder: nix }, { access: "", derivation: "" }, processes);
    await check();
    fs.writeFileSync(name, "y");
    await assert.rejects(check, /differs from the last commit/);
  });

  it("was compared with both versions of Nix", function () {
    requireOrSkip(this, "nix", NIXES.length === 2, "run .ci/install-nix.sh trixie and .ci/install-nix.sh sid");
    assert.deepEqual(
      NIXES.map((bin) => /2\.\d+/.exec(execFileSync(path.join(bin, "nix"), ["--version"], { encoding: "utf8" }))?.[0]),
      ["2.26", "2.34"],
    );
  });

  const layouts: Record<string, () => string> = {
    "in a work tree beside the first": () => {
      git("worktree", "add", "--quiet", path.join(place, "second"), "-b", "second");
      return path.join(place, "second/nix");
    },
    "in a shallow clone": () => {
      gitIn(place, "clone", "--quiet", "--depth=1", `file://${folder}`, path.join(place, "shallow"));
      return path.join(place, "shallow/nix");
    },
    "in a clone without blobs but those it needs": () => {
      git("config", "uploadpack.allowFilter", "true");
      gitIn(place, "clone", "--quiet", "--filter=blob:none", `file://${folder}`, path.join(place, "partial"));
      return path.join(place, "partial/nix");
    },
    "in a repository with SHA-256": () => {
      fs.cpSync(folder, path.join(place, "sha256"), { recursive: true, verbatimSymlinks: true });
      const at = path.join(place, "sha256");
      fs.rmSync(path.join(at, ".git"), { recursive: true });
      gitIn(at, "init", "--quiet", "--object-format=sha256", "--initial-branch=main");
      gitIn(at, "add", "--all");
      gitIn(at, "commit", "--quiet", "--message", "x");
      return path.join(at, "nix");
    },
  };
  for (const [what, prepare] of Object.entries(layouts)) {
    for (const kind of ["deploy-key", "token"]) {
      it(`is seen ${what}, with ${kind}, and so is a change`, async () => {
        access(kind);
        const at = prepare();
        assertVerdict(await verdict(`path:${at}#default`));
        fs.appendFileSync(path.join(at, "motd"), "x");
        assertVerdict(await verdict(`path:${at}#default`), /changed: nix\/motd/);
      });
    }
  }

  it("is not what an outer repository holds, for a folder that is a repository of its own", async () => {
    const at = path.join(folder, "inner");
    gitIn(place, "clone", "--quiet", folder, at);
    fs.renameSync(path.join(at, "nix/flake.nix"), path.join(at, "flake.nix"));
    gitIn(at, "add", "--all");
    gitIn(at, "commit", "--quiet", "--message", "x");
    assertVerdict(await verdict(`path:${at}#default`), /is a Git repository of its own .* inside of/);
  });

  describe("for a machine that reads GitHub's tarball", () => {
    const tarball: Record<string, Case> = {
      "a folder as it was committed": { prepare: () => {} },
      "a file that the tarball leaves out": {
        prepare: () => smudge("nix/motd export-ignore\n", "hello\n"),
        refused: /not in GitHub's tarball, by its attributes \(export-ignore\): nix\/motd\n[^]*deploy key/,
      },
      "a folder that the tarball leaves out": {
        prepare: () => smudge("nix/hosts/ export-ignore\n", "hello\n"),
        refused: /not in GitHub's tarball.*: nix\/hosts\/web/,
      },
      "the whole folder left out": {
        prepare: () => smudge("/nix export-ignore\n", "hello\n"),
        refused: /not in GitHub's tarball.*: nix\/flake\.nix/,
      },
      "a file that the tarball writes into": {
        prepare: () => smudge("nix/motd export-subst\n", "$Format:%H$\n"),
        refused: /with other bytes in GitHub's tarball, by its attributes \(export-subst\): nix\/motd/,
      },
      "the attribute without anything to write": { prepare: () => smudge("nix/motd export-subst\n", "hello\n") },
      "line ends that the tarball has too": { prepare: () => smudge("nix/motd text eol=crlf\n", "hello\n") },
      "attributes of this clone alone, which GitHub does not know": {
        prepare: () => {
          fs.mkdirSync(path.join(folder, ".git/info"), { recursive: true });
          fs.writeFileSync(path.join(folder, ".git/info/attributes"), "nix/motd export-ignore\n");
        },
      },
      "a tarball without what this clone's attributes deny": {
        prepare: () => {
          smudge("nix/motd export-ignore\n", "hello\n");
          fs.mkdirSync(path.join(folder, ".git/info"), { recursive: true });
          fs.writeFileSync(path.join(folder, ".git/info/attributes"), "nix/motd -export-ignore\n");
        },
        refused: /not in GitHub's tarball/,
      },
      "a pointer of LFS": {
        prepare: () => smudge("", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
        refused: /pointers of Git LFS[^]*nix\/motd[^]*Include Git LFS objects/,
      },
      "a name that is longer than a field of tar": {
        prepare: () => {
          write(`nix/${"long/".repeat(60)}${"name".repeat(40)}`, "x");
          fs.symlinkSync("t/".repeat(120), path.join(nix, "longlink"));
          commit();
        },
      },
    };
    for (const [what, { prepare, refused }] of Object.entries(tarball)) {
      // Fault 103
      it(`${refused === undefined ? "is" : "is not"} ${what}`, async () => {
        access("token");
        prepare();
        assertVerdict(await verdict(), refused);
        // The same question to a fresh clone's own git archive.
        gitIn(place, "clone", "--quiet", "--bare", folder, path.join(place, "github.git"));
        const out = path.join(place, "out");
        fs.mkdirSync(out);
        gitIn(path.join(place, "github.git"), "archive", `--output=${out}.tar`, "main");
        execFileSync("tar", ["-xf", `${out}.tar`, "-C", out]);
        const differs = (() => {
          try {
            execFileSync("diff", ["-r", "--no-dereference", nix, path.join(out, "nix")], { stdio: "ignore" });
            return false;
          } catch {
            return true;
          }
        })();
        if (!what.includes("LFS")) assert.equal(differs, refused !== undefined);
      });
    }
  });

  describe("of a flake that reads its repository", () => {
    const READS = FLAKE.replace("builtins.path { path = ./.", "builtins.path { path = ../shared");
    const withNix = () => nixEnvironment(NIXES.at(-1) ?? "");
    const reference = (options = "") => `git+file://${folder}?dir=nix${options}#default`;
    before(function () {
      requireOrSkip(this, "nix", NIXES.length === 2, "run .ci/install-nix.sh trixie and .ci/install-nix.sh sid");
    });

    it("is what lies beside the folder, where the flake reads it", async () => {
      write("shared/file", "x");
      write("nix/flake.nix", READS);
      commit();
      assertVerdict(await verdict(reference(), withNix()));
      write("shared/file", "changed");
      assertVerdict(
        await verdict(reference(), withNix()),
        /makes another system here than on the machine\.[^]*here: +\/nix\/store\/[^]*as fetched: \/nix\/store\//,
      );
      assertVerdict(await verdict(`path:${folder}?dir=nix#default`, withNix()), /makes another system here/);
    });

    it("is not what lies beside the folder, where the flake does not read it", async () => {
      write("README.md", "changed");
      assertVerdict(await verdict(reference(), withNix()));
    });

    it("is the branch that the reference names, and not the work tree", async () => {
      git("branch", "live");
      write("nix/motd", "changed\n");
      assertVerdict(await verdict(reference("&ref=live"), withNix()));
      commit();
      // GitHub, whose branch is at that commit.
      gitIn(place, "clone", "--quiet", "--bare", folder, path.join(place, "github.git"));
      write(".git/github", `#!/bin/sh\nexec git upload-pack ${place}/github.git\n`);
      fs.chmodSync(path.join(folder, ".git/github"), 0o755);
      git("remote", "add", "origin", "git@github.com:a/b.git");
      git("config", "core.sshCommand", path.join(folder, ".git/github"));
      git("config", "ssh.variant", "simple");
      const { warning } = await followedRevision(deployment(reference("&ref=live")));
      assert.match(warning ?? "", /the next automatic upgrade installs that one/);
    });

    it("is the repository without its submodules, as the machine fetches it", async () => {
      git("submodule", "add", "--quiet", other(), "nix/site");
      commit();
      assertVerdict(await verdict(reference(), withNix()));
    });

    it("is no submodule that the flake asks for, where the machine reads GitHub's tarball", async () => {
      git("submodule", "add", "--quiet", other(), "nix/site");
      write("nix/flake.nix", FLAKE.replace("{", "{\n  inputs.self.submodules = true;"));
      write("nix/repository.json", JSON.stringify({ owner: "a", name: "b", branch: "main", access: "token" }));
      write("nix/modules/token.nix", "{ }");
      write("nix/token.nix", "{ nixos.tokenFile = ./x; }");
      commit();
      assertVerdict(await verdict(reference(), withNix()), /asks for submodules[^]*nix\/site\n[^]*GitHub's tarball/);
    });

    it("is not a submodule, though the reference here has submodules=1", async () => {
      git("submodule", "add", "--quiet", other(), "nix/site");
      write("nix/flake.nix", FLAKE.replace("path = ./.", "path = ./site"));
      commit();
      assert.match(derivation(NIXES.at(-1) ?? "", reference("&submodules=1").replace("#default", "")), /\.drv$/);
      assertVerdict(await verdict(reference("&submodules=1"), withNix()), /makes another system here/);
    });
  });
});
