import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { parseFlakeReference } from "../../components/deploy/flake.mjs";
import { Processes } from "../../components/deploy/process.mjs";
import { buildOptions, findNixosRebuild, switchArguments } from "../../components/deploy/rebuild.mjs";
import { failureOf, temporaryFolder, writeProgram } from "./support";

const settings = {
  flake: parseFlakeReference("path:./nix#default"),
  host: "192.0.2.7",
  buildOn: "host",
  substitute: true,
  extraArguments: [] as string[],
};

describe("the arguments of nixos-rebuild", () => {
  it("build on the machine, by default", () => {
    assert.deepEqual(switchArguments(settings), [
      "switch",
      "--flake",
      "path:./nix#default",
      "--target-host",
      "root@192.0.2.7",
      "--build-host",
      "root@192.0.2.7",
      "--use-substitutes",
      "--no-reexec",
    ]);
  });

  it("name no builder for a build on this computer", () => {
    assert.equal(switchArguments({ ...settings, buildOn: "local" }).includes("--build-host"), false);
  });

  it("name the user's builder", () => {
    const args = switchArguments({ ...settings, buildOn: "me@builder" });
    assert.equal(args[args.indexOf("--build-host") + 1], "me@builder");
  });

  it("have an IPv6 address in brackets, as Nix wants it", () => {
    const args = switchArguments({ ...settings, host: "2001:db8::7" });
    assert.equal(args[args.indexOf("--target-host") + 1], "root@[2001:db8::7]");
  });

  it("leave substitutes out, and end with what the user adds", () => {
    const args = switchArguments({ ...settings, substitute: false, extraArguments: ["--option", "cores", "1"] });
    assert.equal(args.includes("--use-substitutes"), false);
    assert.deepEqual(args.slice(-4), ["--no-reexec", "--option", "cores", "1"]);
  });
});

describe("the options of a build", () => {
  it("are those of the user that say how to build, with their values", () => {
    const extra = ["--show-trace", "--option", "cores", "1", "-k", "--max-jobs", "2", "--debug"];
    assert.deepEqual(buildOptions(extra), ["--option", "cores", "1", "-k", "--max-jobs", "2"]);
  });

  it("are no words that are the value of another", () => {
    assert.deepEqual(buildOptions(["--option", "builders", "-k"]), ["--option", "builders", "-k"]);
  });
});

describe("nixos-rebuild itself", () => {
  let folder: string;
  beforeEach(() => (folder = temporaryFolder()));
  afterEach(() => fs.rmSync(folder, { recursive: true }));
  const find = (PATH: string) => findNixosRebuild({ settings, processes: new Processes({ PATH, HOME: folder }) });

  it("is the one on PATH", async () => {
    const program = writeProgram(path.join(folder, "bin"), "nixos-rebuild", "exit 1");
    assert.equal(await find(`/nowhere:${path.join(folder, "bin")}:/bin`), program);
  });

  it("is the flake's own, where PATH has none", async () => {
    writeProgram(
      path.join(folder, "bin"),
      "nix",
      `printf '%s\\n' "$@" >"$HOME/arguments"; echo "$HOME/flake/nixos-rebuild"`,
    );
    const own = writeProgram(path.join(folder, "flake"), "nixos-rebuild", "exit 0");
    assert.equal(await find(`${path.join(folder, "bin")}:/bin`), own);
    assert.match(
      fs.readFileSync(path.join(folder, "arguments"), "utf8"),
      /^shell\npath:\.\/nix#nixos-rebuild\n--command$/m,
    );
  });

  /**
   * Programs that are older than --no-reexec. Read in nixpkgs and not run: the shell script of 25.05
   * (pkgs/os-specific/linux/nixos-rebuild/nixos-rebuild.sh), which refuses the first word that it does not know, and
   * the first nixos-rebuild-ng, whose argparse does.
   */
  const older: Record<string, string> = {
    "the shell script": `for word; do case $word in --no-reexec) echo "nixos-rebuild: unknown option \\\`--no-reexec'" >&2; exit 1 ;; esac; done; touch "$HOME/switched"`,
    "the first in Python": `echo "usage: nixos-rebuild [-h] [--help]" >&2; echo "nixos-rebuild: error: unrecognized arguments: --no-reexec" >&2; exit 2`,
  };
  const offered = `printf '%s\n' "$@" >"$HOME/arguments"; echo "$HOME/flake/nixos-rebuild"`;
  for (const [which, script] of Object.entries(older)) {
    // Fault 83
    it(`is the flake's own, where the one on PATH is older: ${which}`, async () => {
      writeProgram(path.join(folder, "bin"), "nixos-rebuild", script);
      writeProgram(path.join(folder, "bin"), "nix", offered);
      const own = writeProgram(path.join(folder, "flake"), "nixos-rebuild", "exit 0");
      assert.equal(await find(`${path.join(folder, "bin")}:/bin`), own);
      assert.equal(fs.existsSync(path.join(folder, "switched")), false);
    });

    it(`is refused with its words, where it is older and the flake has none: ${which}`, async () => {
      writeProgram(path.join(folder, "bin"), "nixos-rebuild", script);
      writeProgram(path.join(folder, "bin"), "nix", "echo 'error: does not provide attribute' >&2; exit 1");
      const error = await failureOf(() => find(`${path.join(folder, "bin")}:/bin`));
      assert.match(
        error.message,
        /^The nixos-rebuild on PATH cannot be used \(.*--no-reexec.*\), and there is none as/,
      );
    });
  }

  it("is asked with the arguments of the switch and for its help, and does nothing", async () => {
    const program = writeProgram(
      path.join(folder, "bin"),
      "nixos-rebuild",
      'printf "%s\\n" "$@" >"$HOME/asked"; exit 16',
    );
    assert.equal(await find(`${path.join(folder, "bin")}:/bin`), program);
    const asked = fs.readFileSync(path.join(folder, "asked"), "utf8").trimEnd().split("\n");
    assert.deepEqual(asked, [...switchArguments(settings).slice(1), "--help"]);
  });

  it("of the flake that does not know an argument of the user's is refused before anything is switched", async () => {
    writeProgram(path.join(folder, "bin"), "nix", offered);
    writeProgram(
      path.join(folder, "flake"),
      "nixos-rebuild",
      "echo 'error: unrecognized arguments: --foo' >&2; exit 2",
    );
    const error = await failureOf(() => find(`${path.join(folder, "bin")}:/bin`));
    assert.match(error.message, /of the flake cannot be used: .*unrecognized arguments: --foo/);
  });

  it("that is nowhere is asked for, with both places", async () => {
    writeProgram(path.join(folder, "bin"), "nix", "echo 'error: does not provide attribute' >&2; exit 1");
    const error = await failureOf(() => find(`${path.join(folder, "bin")}:/bin`));
    assert.match(error.message, /not on PATH, and not as path:\.\/nix#nixos-rebuild/);
  });
});
