// evaluate.mjs as Pulumi runs it. Most tests put a recorder in the place of Nix, as they are about when Nix is asked;
// that a real Nix understands the question is shown once, where there is one.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { requireOrSkip } from "../require";
import { hasCommand } from "../../cli/rehearse/commands";
import { newKey } from "../../cli/rehearse/keys";
import type { Ended } from "../../cli/rehearse/processes";
import { runProgram, temporaryFolder, writeProgram } from "./support";

const DERIVATION = "/nix/store/7v1c3q6r5zp3cyw8l8bdgxl1kxvhqb8w-nixos-system.drv";

describe("evaluate.mjs", () => {
  let folder: string;
  let project: string;
  let env: NodeJS.ProcessEnv;

  beforeEach(() => {
    folder = temporaryFolder();
    project = path.join(folder, "project");
    fs.mkdirSync(path.join(project, "nix"), { recursive: true });
    fs.writeFileSync(path.join(project, "nix/flake.nix"), "{ outputs = _: { }; }");
    env = {
      HOME: folder,
      PATH: `${path.join(folder, "bin")}:/usr/bin:/bin`,
      XDG_CACHE_HOME: path.join(folder, "cache"),
    };
    answer(DERIVATION);
  });
  afterEach(() => fs.rmSync(folder, { recursive: true }));

  /** Has the recorder answer an evaluation in this way. */
  function answer(derivation: string, version = "2.34.0"): void {
    writeProgram(
      path.join(folder, "bin"),
      "nix",
      `if [ "$1" = --version ]; then echo "nix (Nix) ${version}"; exit; fi
       printf '%s\\n' "$*" >>"$HOME/calls"
       printf '%s' '${derivation}'`,
    );
  }
  const evaluate = (more: NodeJS.ProcessEnv = {}): Promise<Ended> =>
    runProgram("evaluate.mjs", project, { ...env, ...more });
  const calls = (): string[] => {
    const file = path.join(folder, "calls");
    return fs.existsSync(file) ? fs.readFileSync(file, "utf8").trim().split("\n") : [];
  };

  it("prints the derivation alone", async () => {
    assert.deepEqual(await evaluate(), { code: 0, stdout: `${DERIVATION}\n`, stderr: "" });
    assert.deepEqual(calls(), [
      `--extra-experimental-features nix-command flakes eval --no-update-lock-file --raw path:./nix#nixosConfigurations."default".config.system.build.toplevel.drvPath`,
    ]);
  });

  // Fault 65
  it("says that Nix was killed", async () => {
    writeProgram(
      path.join(folder, "bin"),
      "nix",
      `if [ "$1" = --version ]; then echo "nix (Nix) 2.34.0"; exit; fi; kill -9 $$`,
    );
    const { code, stderr } = await evaluate();
    assert.notEqual(code, 0);
    assert.match(stderr, /nix was ended by SIGKILL \(out of memory\?\)/);
    assert.doesNotMatch(stderr, /printed ""/);
  });

  it("ends an evaluation that says nothing and has no end, with its last words", async () => {
    writeProgram(
      path.join(folder, "bin"),
      "nix",
      `if [ "$1" = --version ]; then echo "nix (Nix) 2.34.0"; exit; fi
       echo "fetching from a server that does not answer" >&2; sleep 3600`,
    );
    const { code, stdout, stderr } = await evaluate({ EVALUATE_SILENT_SECONDS: "1" });
    assert.deepEqual([code, stdout], [1, ""]);
    assert.equal(stderr.split("\n")[0], "nix printed nothing for 1 s, and was ended.");
    assert.match(stderr, /^ {2}fetching from a server that does not answer$/m);
    assert.match(stderr, /raise silentSeconds/);
  });

  it("takes a system whose name has dots, in quotes", async () => {
    assert.equal((await evaluate({ EVALUATE_FLAKE: "path:./nix#web.example.com" })).code, 0);
    assert.match(
      calls()[0] ?? "",
      /#nixosConfigurations\."web\.example\.com"\.config\.system\.build\.toplevel\.drvPath$/,
    );
  });

  it("prints nothing that a terminal obeys, whatever the flake says", async () => {
    writeProgram(
      path.join(folder, "bin"),
      "nix",
      `printf '\\033]0;title\\007error: \\033[2Ja\\rb\\342\\200\\256\\n' >&2; exit 1`,
    );
    const { code, stderr } = await evaluate({ EVALUATE_CACHE: "false" });
    assert.equal(code, 1);
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(stderr, /[\u0000-\u0009\u000b-\u001f\u202e]/);
  });

  // Fault 82
  it("takes no evaluation from a cache that another user may have written", async () => {
    await evaluate();
    const cache = path.join(folder, "cache/pulumi-nixos/evaluations");
    const [file] = fs.readdirSync(cache);
    fs.writeFileSync(path.join(cache, file!), `/nix/store/${"0".repeat(32)}-backdoor.drv\n`);
    fs.chmodSync(path.join(cache, file!), 0o666);
    assert.equal((await evaluate()).stdout, `${DERIVATION}\n`);
    assert.equal(calls().length, 2);
  });

  it("evaluates unchanged sources once", async () => {
    await evaluate();
    answer("/nix/store/0000000000000000000000000000000a-other.drv");
    assert.equal((await evaluate()).stdout, `${DERIVATION}\n`);
    assert.equal(calls().length, 1);
  });

  const changes: Record<string, () => NodeJS.ProcessEnv> = {
    "a changed file": () => {
      fs.writeFileSync(path.join(project, "nix/machine.nix"), "{ }");
      return {};
    },
    "a changed lock file": () => {
      fs.writeFileSync(path.join(project, "nix/flake.lock"), "{}");
      return {};
    },
    "another attribute": () => ({ EVALUATE_FLAKE: "path:./nix#other" }),
    "another Nix": () => {
      answer(DERIVATION, "2.35.0");
      return {};
    },
    "the cache turned off": () => ({ EVALUATE_CACHE: "false" }),
    "a cache entry that is cut off": () => {
      const entries = path.join(folder, "cache/pulumi-nixos/evaluations");
      for (const name of fs.readdirSync(entries)) fs.writeFileSync(path.join(entries, name), "/nix/store/");
      return {};
    },
  };
  for (const [what, change] of Object.entries(changes)) {
    it(`evaluates again with ${what}`, async () => {
      await evaluate();
      assert.equal((await evaluate(change())).code, 0);
      assert.equal(calls().length, 2);
    });
  }

  it("does not evaluate again when something outside the flake changes", async () => {
    await evaluate();
    fs.writeFileSync(path.join(project, "README.md"), "");
    await evaluate();
    assert.equal(calls().length, 1);
  });

  it("agrees with itself when many run at once, and leaves one entry", async () => {
    const all = await Promise.all(Array.from({ length: 6 }, () => evaluate()));
    assert.deepEqual([...new Set(all.map(({ stdout }) => stdout))], [`${DERIVATION}\n`]);
    assert.equal(fs.readdirSync(path.join(folder, "cache/pulumi-nixos/evaluations")).length, 1);
  });

  it("works without a cache that can be written", async () => {
    fs.writeFileSync(path.join(folder, "file"), "");
    const result = await evaluate({ XDG_CACHE_HOME: path.join(folder, "file") });
    assert.deepEqual([result.code, result.stdout], [0, `${DERIVATION}\n`]);
  });

  it("shows what is wrong first, then Nix's whole message, with the paths of the project", async () => {
    writeProgram(
      path.join(folder, "bin"),
      "nix",
      `if [ "$1" = --version ]; then exit; fi
       cat >&2 <<'END'
warning: unknown setting
error:
       … while evaluating the option
         at /nix/store/7v1c3q6r5zp3cyw8l8bdgxl1kxvhqb8w-source/machine.nix:3:5:

       error: attribute 'nginy' missing
       at /nix/store/7v1c3q6r5zp3cyw8l8bdgxl1kxvhqb8w-source/machine.nix:7:9:
END
       exit 1`,
    );
    const { code, stdout, stderr } = await evaluate();
    assert.deepEqual([code, stdout], [1, ""]);
    assert.equal(stderr.split("\n")[0], "error: attribute 'nginy' missing");
    assert.match(stderr, /at nix\/machine\.nix:7:9/);
    assert.match(stderr, /while evaluating the option/);
    assert.deepEqual(
      fs.existsSync(path.join(folder, "cache/pulumi-nixos/evaluations")),
      false,
      "a failure is not remembered",
    );
  });

  it("says how to get Nix where there is none", async () => {
    const { code, stderr } = await evaluate({ PATH: path.join(folder, "empty") });
    assert.equal(code, 1);
    assert.match(stderr, /^The program "nix" was not found on PATH\.\n/);
    assert.match(stderr, /https:\/\/nixos\.org\/download/);
    assert.match(stderr, /evaluate: false/);
  });

  it("hashes without Nix, and the same for the same files", async () => {
    const without = { EVALUATE_MODE: "hash", PATH: path.join(folder, "empty") };
    const first = await evaluate(without);
    assert.match(first.stdout, /^sha256-[0-9a-f]{64}\n$/);
    assert.deepEqual(await evaluate(without), first);
    fs.writeFileSync(path.join(project, "nix/machine.nix"), "{ }");
    assert.notEqual((await evaluate(without)).stdout, first.stdout);
    assert.deepEqual(calls(), []);
  });

  // Pulumi compares this with its state: were it another one, an update of this program would deploy every machine again.
  it("hashes to what it always did, of a folder and of a repository, committed or not", async () => {
    fs.mkdirSync(path.join(project, "nix/a"));
    fs.writeFileSync(path.join(project, "nix/a/é ü"), "x");
    fs.writeFileSync(path.join(project, "nix/run"), "p", { mode: 0o755 });
    fs.chmodSync(path.join(project, "nix/run"), 0o755);
    fs.symlinkSync("run", path.join(project, "nix/link"));
    fs.mkdirSync(path.join(project, "nix/empty"));
    const hash = async (flake: string) =>
      (await evaluate({ EVALUATE_MODE: "hash", EVALUATE_FLAKE: flake })).stdout.trim();
    const ofFolder = "sha256-eae850f078b2018179580b14ecc57feed1bd216ada778fd83db62d7d554f0e7d";
    const ofRepository = "sha256-9701a1d44d6363f41cd666e95b19e061e1f8f6fb2bb2b4dc78de7ddd3152fdaa";
    assert.equal(await hash("path:./nix#default"), ofFolder);
    const git = (...args: string[]) => execFileSync("git", ["-C", project, ...args], { stdio: "pipe" });
    git("init", "--quiet");
    git("add", "--all");
    assert.equal(await hash("./nix#default"), ofRepository);
    git("-c", "user.email=a@example.com", "-c", "user.name=a", "commit", "--quiet", "--message", "x");
    assert.equal(await hash("./nix#default"), ofRepository);
    assert.equal(await hash("path:./nix#default"), ofFolder);
    const ofAll = await hash("path:.?dir=nix#default");
    git("-c", "user.email=a@example.com", "-c", "user.name=a", "commit", "--quiet", "--allow-empty", "--message", "y");
    assert.equal(await hash("path:.?dir=nix#default"), ofAll);
  });

  for (const mode of ["nix", "hash"]) {
    it(`refuses a key in the folder before anything else, with mode ${mode}`, async () => {
      fs.writeFileSync(path.join(project, "nix/notes.txt"), newKey().privateKeyOpenssh);
      const { code, stderr } = await evaluate({ EVALUATE_MODE: mode });
      assert.equal(code, 1);
      assert.match(stderr, /nix\/notes\.txt: it holds a private key/);
      assert.deepEqual(calls(), []);
    });
  }

  it("refuses all bad settings at once", async () => {
    const { code, stderr } = await evaluate({
      EVALUATE_FLAKE: "./nix",
      EVALUATE_MODE: "fast",
      EVALUATE_CACHE: "1",
      EVALUATE_SILENT_SECONDS: "no",
    });
    assert.equal(code, 2);
    for (const name of ["EVALUATE_FLAKE", "EVALUATE_MODE", "EVALUATE_CACHE", "EVALUATE_SILENT_SECONDS"])
      assert.match(stderr, new RegExp(`${name}: got `));
  });

  it("does not hand its settings on to Nix", async () => {
    writeProgram(path.join(folder, "bin"), "nix", `env >>"$HOME/environment"; printf '%s' '${DERIVATION}'`);
    await evaluate({ PULUMI_CONFIG_PASSPHRASE: "passphrase", DEPLOY_PRIVATE_KEY: "key", AWS_PROFILE: "kept" });
    const environment = fs.readFileSync(path.join(folder, "environment"), "utf8");
    assert.match(environment, /^AWS_PROFILE=kept$/m);
    assert.doesNotMatch(environment, /PULUMI|DEPLOY|EVALUATE/);
  });

  it("gets the derivation path of a real flake from a real Nix", async function () {
    requireOrSkip(this, "nix", hasCommand("nix"), "nix is not on PATH");
    const toplevel = 'derivation { name = "system"; system = "x86_64-linux"; builder = "/bin/sh"; }';
    fs.writeFileSync(
      path.join(project, "nix/flake.nix"),
      `{ outputs = _: { nixosConfigurations.default.config.system.build.toplevel = ${toplevel}; }; }`,
    );
    const real = {
      PATH: process.env["PATH"],
      // A store of its own, without daemon or network.
      NIX_CONFIG: `store = ${fs.mkdtempSync("/tmp/nix-store-")}\nsandbox = false\nbuild-users-group =\nsubstituters =\n`,
    };
    try {
      const { code, stdout, stderr } = await evaluate(real);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^\/nix\/store\/[0-9a-z]{32}-system\.drv\n$/);
      fs.appendFileSync(path.join(project, "nix/flake.nix"), " x");
      const broken = await evaluate(real);
      assert.equal(broken.code, 1);
      assert.match(broken.stderr, /^error: .*(syntax error|undefined variable)/);
    } finally {
      const store = real.NIX_CONFIG.split("\n")[0]?.replace("store = ", "") ?? "";
      execFileSync("chmod", ["-R", "u+w", store]);
      fs.rmSync(store, { recursive: true });
    }
  });
});

// Whether an evaluation may be remembered: a real Git, and the recorder in the place of Nix unless it is said otherwise.
describe("the evaluation cache", () => {
  let folder: string;
  let project: string;
  beforeEach(() => {
    folder = fs.realpathSync(fs.mkdtempSync("/tmp/cache-"));
    project = path.join(folder, "project");
    fs.mkdirSync(path.join(project, "nix"), { recursive: true });
    fs.writeFileSync(path.join(project, "nix/flake.nix"), "{ outputs = _: { }; }");
    writeProgram(
      path.join(folder, "bin"),
      "nix",
      `if [ "$1" = --version ]; then echo "nix (Nix) 2.34.0"; exit; fi
       echo x >>"$HOME/calls"; printf /nix/store/%032d-x.drv $(wc -l <"$HOME/calls")`,
    );
  });
  afterEach(() => {
    const store = path.join(folder, "store");
    if (fs.existsSync(store)) execFileSync("chmod", ["-R", "u+w", store]);
    fs.rmSync(folder, { recursive: true });
  });

  const env = (): NodeJS.ProcessEnv => ({
    HOME: folder,
    PATH: `${path.join(folder, "bin")}:/usr/bin:/bin`,
    GIT_CONFIG_SYSTEM: "/dev/null",
  });
  const git = (at: string, ...args: string[]) =>
    execFileSync(
      "git",
      [
        "-C",
        at,
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@example.invalid",
        "-c",
        "protocol.file.allow=always",
        ...args,
      ],
      { env: env(), stdio: "pipe", encoding: "utf8" },
    ).trim();
  const commit = (at = project) => {
    git(at, "add", "--all");
    git(at, "commit", "--quiet", "--allow-empty", "--message", "x");
  };
  const evaluated = async (flake: string, more: NodeJS.ProcessEnv = {}) => {
    const { code, stdout, stderr } = await runProgram("evaluate.mjs", project, {
      ...env(),
      EVALUATE_FLAKE: `${flake}#default`,
      ...more,
    });
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const lock = (locked: object) =>
    fs.writeFileSync(
      path.join(project, "nix/flake.lock"),
      JSON.stringify({ nodes: { root: { inputs: { x: "x" } }, x: { locked } }, root: "root", version: 7 }),
    );

  const pinned = { type: "github", owner: "a", repo: "b", rev: "0".repeat(40), narHash: "sha256-x" };
  const remembered: Record<string, [string, () => void]> = {
    "a folder": ["path:./nix", () => {}],
    "pinned inputs": ["path:./nix", () => lock(pinned)],
    "an input that is a folder of the flake": ["path:./nix", () => lock({ type: "path", path: "./sub" })],
    "a Git repository": ["git+file:.?dir=nix", () => {}],
  };
  const forgotten: Record<string, [string, () => void]> = {
    "an input that is a folder of this computer": [
      "path:./nix",
      () => lock({ type: "path", path: "/srv/shared", narHash: "sha256-x" }),
    ],
    "an input without a pinned content": ["path:./nix", () => lock({ type: "git", url: "file:///srv/shared" })],
    "a lock file that is none": ["path:./nix", () => fs.writeFileSync(path.join(project, "nix/flake.lock"), "x")],
    submodules: ["git+file:.?submodules=1&dir=nix", () => {}],
    "LFS objects": ["git+file:.?dir=nix&lfs=1", () => {}],
    "a branch": ["git+file:.?ref=main&dir=nix", () => {}],
    "submodules that the flake itself asks for": [
      "git+file:.?dir=nix",
      () =>
        fs.writeFileSync(path.join(project, "nix/flake.nix"), "{ inputs.self.submodules = true; outputs = _: { }; }"),
    ],
  };
  for (const [expected, cases] of [
    [true, remembered],
    [false, forgotten],
  ] as const) {
    for (const [what, [flake, prepare]] of Object.entries(cases)) {
      it(`${expected ? "remembers" : "remembers nothing of"} ${what}`, async () => {
        git(project, "init", "--quiet", "--initial-branch=main");
        prepare();
        commit();
        assert.equal((await evaluated(flake)) === (await evaluated(flake)), expected);
      });
    }
  }

  const changes: Record<string, [string, () => NodeJS.ProcessEnv]> = {
    "a setting in Nix's own variable": ["path:./nix", () => ({ NIX_CONFIG: "allow-import-from-derivation = false" })],
    "a setting in a file that nix.conf includes": [
      "path:./nix",
      () => {
        fs.writeFileSync(path.join(folder, ".config/nix/more.conf"), "store = /elsewhere");
        return {};
      },
    ],
    "a file beside the flake, for a path that leads further in": [
      "path:.?dir=nix",
      () => {
        fs.writeFileSync(path.join(project, "shared"), "changed");
        return {};
      },
    ],
    "a commit of what the work tree had already": [
      "git+file:.?dir=nix",
      () => {
        commit();
        return {};
      },
    ],
  };
  for (const [what, [flake, change]] of Object.entries(changes)) {
    it(`evaluates again after ${what}`, async () => {
      git(project, "init", "--quiet", "--initial-branch=main");
      fs.mkdirSync(path.join(folder, ".config/nix"), { recursive: true });
      fs.writeFileSync(path.join(folder, ".config/nix/nix.conf"), "!include more.conf\n");
      commit();
      fs.writeFileSync(path.join(project, "README.md"), "changed");
      git(project, "add", "README.md");
      const before = await evaluated(flake);
      assert.notEqual(await evaluated(flake, change()), before);
    });
  }

  for (const name of ["nix-trixie", "nix-sid"]) {
    // Fault 104
    it(`sees a new commit of a submodule that a real Nix reads (${name})`, async function () {
      const cache = process.env["XDG_CACHE_HOME"] || path.join(process.env["HOME"] ?? "", ".cache");
      const bin = path.join(cache, "pulumi-nixos", name, "bin");
      requireOrSkip(this, "nix", fs.existsSync(bin), `run .ci/install-nix.sh for ${name}`);
      const site = path.join(folder, "site");
      fs.mkdirSync(site);
      fs.writeFileSync(path.join(site, "motd"), "one");
      git(site, "init", "--quiet", "--initial-branch=main");
      commit(site);
      fs.writeFileSync(
        path.join(project, "nix/flake.nix"),
        `{ outputs = _: { nixosConfigurations.default.config.system.build.toplevel = derivation {
             name = "system"; system = "x86_64-linux"; builder = "/bin/sh"; motd = builtins.readFile ./site/motd; }; }; }`,
      );
      git(project, "init", "--quiet", "--initial-branch=main");
      git(project, "submodule", "add", "--quiet", site, "nix/site");
      commit();
      const real = {
        PATH: `${bin}:${process.env["PATH"]}`,
        NIX_CONFIG: `store = ${path.join(folder, "store")}\nsandbox = false\nbuild-users-group =\nsubstituters =\n`,
        ...{ GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "protocol.file.allow", GIT_CONFIG_VALUE_0: "always" },
      };
      const flake = `git+file://${project}?submodules=1&dir=nix`;
      const hash = { EVALUATE_MODE: "hash" };
      const [before, hashBefore] = [await evaluated(flake, real), await evaluated(flake, hash)];
      fs.writeFileSync(path.join(project, "nix/site/motd"), "two");
      assert.notEqual(await evaluated(flake, hash), hashBefore, "hash of a changed file of a submodule");
      commit(path.join(project, "nix/site"));
      commit();
      assert.notEqual(await evaluated(flake, real), before);
      assert.notEqual(await evaluated(flake, hash), hashBefore);
    });
  }
});
