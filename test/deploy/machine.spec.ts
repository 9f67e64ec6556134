// What is said between the deployment and the machine. That the scripts do what they should on a machine is shown on
// the bench (test/system); here nothing of them changes anything.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import fc from "fast-check";
import {
  MachineReport,
  ConnectionFailed,
  holderOf,
  isDead,
  Machine,
  quoted,
} from "../../components/deploy/machine.mjs";
import { hostName } from "../../components/deploy/privateFolder.mjs";
import { Processes } from "../../components/deploy/process.mjs";
import { failureOf, programFolder, temporaryFolder, writeProgram } from "./support";

describe("an answer of the machine", () => {
  it("is told from what a login shell prints", () => {
    const answers = new MachineReport(
      "Welcome!\nnixos-deploy guard switched 4\nnixos-deploy failed-unit a\nnixos-deploy failed-unit b\nnixos-deploy probed \n",
    );
    assert.equal(answers.get("guard"), "switched 4");
    assert.deepEqual(answers.all("failed-unit"), ["a", "b"]);
    assert.equal(answers.has("probed"), true);
    assert.equal(answers.has("Welcome!"), false);
    assert.equal(answers.get("nothing"), "");
  });
});

describe("a lease", () => {
  const dead = spawnSync("true").pid;

  it("names its holder", () => {
    assert.equal(holderOf("token 1790000000 me@laptop process 7"), "me@laptop process 7");
  });

  it("is a dead one's only if its process is gone, on this computer", () => {
    assert.equal(isDead(`token 1790000000 me@${hostName()} process ${dead}`), true);
    assert.equal(isDead(`token 1790000000 me@${hostName()} process ${process.pid}`), false);
    assert.equal(isDead(`token 1790000000 me@another-${hostName()} process ${dead}`), false);
    assert.equal(isDead("token 1790000000 someone"), false);
  });

  it("is held in a name that is plain text", () => {
    const machine = new Machine(new Processes({}), "192.0.2.7", "config");
    assert.match(machine.holder, /^[A-Za-z0-9._-]+@[A-Za-z0-9-]+ process \d+$/);
    assert.match(machine.token, /^[0-9a-f]{24}$/);
  });
});

describe("a script for the machine", () => {
  let folder: string;
  beforeEach(() => (folder = temporaryFolder()));
  afterEach(() => fs.rmSync(folder, { recursive: true }));
  /** A machine whose ssh is this shell script. */
  const machineWith = (ssh: string) => {
    writeProgram(path.join(folder, "bin"), "ssh", ssh);
    const processes = new Processes({ PATH: `${path.join(folder, "bin")}:/usr/bin:/bin`, HOME: folder });
    return new Machine(processes, "192.0.2.7", path.join(folder, "ssh_config"));
  };

  const probed = 'cat >"$HOME/script"; echo "nixos-deploy probed "';

  it("is sent over ssh with the private configuration, and none of it in the arguments", async () => {
    const machine = machineWith(`printf "%s\\n" "$@" >"$HOME/arguments"; ${probed}`);
    await machine.probe();
    assert.equal(
      fs.readFileSync(path.join(folder, "arguments"), "utf8"),
      `-F\n${path.join(folder, "ssh_config")}\n-T\n192.0.2.7\nbash -s\n`,
    );
    assert.match(fs.readFileSync(path.join(folder, "script"), "utf8"), /\n\{ 'probe'; exit; \}\n$/);
  });

  it("does nothing when it arrives cut off, wherever that is", async () => {
    await machineWith(probed).probe();
    const script = fs.readFileSync(path.join(folder, "script"), "utf8").replace("'probe'", "echo called with 'a' 'b'");
    const run = (input: string) => spawnSync("bash", ["-s"], { input, encoding: "utf8" }).stdout;
    assert.equal(run(script), "called with a b\n");
    const call = script.lastIndexOf("{ ");
    for (let length = call; length < script.length - 2; length++) assert.equal(run(script.slice(0, length)), "");
    for (let length = 0; length < call; length += 97) assert.equal(run(script.slice(0, length)), "");
  });

  it("gives words to its functions as they are", () => {
    const words = fc.array(
      fc.string({ unit: "binary" }).filter((word) => !word.includes("\0")),
      { minLength: 1, maxLength: 3 },
    );
    fc.assert(
      fc.property(words, (values) => {
        const script = `printf '%s\\0' ${values.map(quoted).join(" ")}\n`;
        const result = spawnSync("bash", ["-s"], { input: script, encoding: "utf8" });
        assert.deepEqual(
          result.stdout.split("\0").slice(0, -1),
          values.map((word) => Buffer.from(word).toString()),
        );
      }),
      { numRuns: 40 },
    );
  });

  it("that cannot be sent is a matter of the connection", async () => {
    const machine = machineWith('cat >/dev/null; echo "Connection refused" >&2; exit 255');
    const error = await failureOf(() => machine.probe());
    assert.ok(error instanceof ConnectionFailed);
    assert.deepEqual([error.trouble, error.cause], ["refused", "Connection refused"]);
  });

  it("that fails is named, with its words", async () => {
    const error = await failureOf(() => machineWith('cat >/dev/null; echo "no flock" >&2; exit 1').probe());
    assert.equal(error.message, "A command on the machine failed: probe ended with exit code 1.");
    assert.equal(error instanceof ConnectionFailed, false);
  });

  it("is asked again when the connection broke, and not when the host key is wrong", async () => {
    const count = 'cat >/dev/null; echo x >>"$HOME/count";';
    const calls = () => fs.readFileSync(path.join(folder, "count"), "utf8").split("\n").length - 1;
    const flaky = `${count} [ "$(wc -l <"$HOME/count")" -ge 2 ] || { echo "Connection reset by peer" >&2; exit 255; }; echo "nixos-deploy held x 1790000000 somebody"`;
    assert.equal((await machineWith(flaky).takeLease("-")).has("held"), true);
    assert.equal(calls(), 2);
    fs.rmSync(path.join(folder, "count"));
    await failureOf(() => machineWith(`${count} echo "Host key verification failed." >&2; exit 255`).takeLease("-"));
    assert.equal(calls(), 1);
  });
});

describe("the scripts of the machine", () => {
  it("share files with the automatic upgrade, the same byte for byte", () => {
    const [upgrades, ours] = ["nix/upgrade/shared", path.join(programFolder, "remote/shared")];
    const texts = (from: string) =>
      Object.fromEntries(fs.readdirSync(from).map((name) => [name, fs.readFileSync(path.join(from, name), "utf8")]));
    assert.deepEqual(texts(ours), texts(upgrades), "cp nix/upgrade/shared/* components/deploy/remote/shared/");
    assert.ok(Object.keys(texts(ours)).length >= 3);
  });

  it("use only what a NixOS machine has", () => {
    const texts = fs
      .readdirSync(path.join(programFolder, "remote"), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".sh"))
      .map((file) => fs.readFileSync(path.join(programFolder, "remote", file), "utf8"));
    for (const absent of ["python", "jq ", "perl ", "awk ", "curl ", "sudo "]) {
      assert.equal(
        texts.some((text) => text.includes(absent)),
        false,
        absent,
      );
    }
  });
});
