import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { Interrupted, ProgramMissing } from "../../components/deploy/errors.mjs";
import { plainEnvironment, Processes } from "../../components/deploy/process.mjs";
import { failureOf } from "./support";

describe("a program that a deployment starts", () => {
  const shell = (processes: Processes, script: string, options = {}) => processes.run("sh", ["-c", script], options);

  it("is told its input and gives code and output back", async () => {
    const result = await shell(new Processes(process.env), "cat; echo bad >&2; exit 3", { input: "text" });
    assert.deepEqual(result, { code: 3, stdout: "text", stderr: "bad\n", timedOut: false });
  });

  it("that does not read its input is no error", async () => {
    assert.equal((await shell(new Processes(process.env), "exit 0", { input: "x".repeat(1e6) })).code, 0);
  });

  it("keeps its input open until it ends, where asked to", async () => {
    const script = "read -r line; read -r more <&0 & reader=$!; sleep 0.3; kill -0 $reader && echo waits; kill $reader";
    const result = await new Processes(process.env).run("bash", ["-c", script], { input: "line\n", keepInput: true });
    assert.equal(result.code, 0, result.stderr);
    assert.equal(result.stdout, "waits\n");
  });

  it("that is missing is named", async () => {
    const error = await failureOf(() => new Processes(process.env).run("no-such-program", []));
    assert.ok(error instanceof ProgramMissing);
    assert.match(error.message, /"no-such-program"/);
  });

  it("is ended after its time, with all that it started", async () => {
    const started = Date.now();
    const result = await shell(new Processes(process.env), "sleep 60 & echo $!; wait", { timeoutSeconds: 0.3 });
    assert.equal(result.timedOut, true);
    // Gone, or dead and not yet collected by this computer's first process.
    const left = spawnSync("ps", ["-o", "stat=", "-p", result.stdout.trim()], { encoding: "utf8" });
    assert.doesNotMatch(left.stdout, /^[^Z\s]/);
    assert.ok(Date.now() - started < 5000);
  });

  it("is ended even if it ignores being asked to", async () => {
    const script = "trap '' INT TERM; while :; do sleep 0.1; done";
    const result = await shell(new Processes(process.env), script, { timeoutSeconds: 0.2 });
    assert.deepEqual([result.code, result.timedOut], [null, true]);
  });

  it("is asked as from a terminal first, so that it can clean up", async () => {
    const script = "trap 'echo cleaned; exit 130' INT; while :; do sleep 0.05; done";
    assert.equal((await shell(new Processes(process.env), script, { timeoutSeconds: 0.3 })).stdout, "cleaned\n");
  });

  it("logs what it was called with and what it said", async () => {
    const lines: string[] = [];
    await new Processes(process.env, (line: string) => void lines.push(line)).run("echo", ["a", "b"]);
    assert.deepEqual(lines, ["$ echo a b", "  a b", "  exit code 0"]);
  });
});

describe("the stop of a deployment", () => {
  it("ends every program and every pause, and lets nothing begin but cleaning up", async () => {
    const processes = new Processes(process.env);
    const reason = new Interrupted("SIGINT");
    const waiting = [
      failureOf(() => processes.run("sleep", ["60"])),
      failureOf(() => processes.run("sh", ["-c", "sleep 60; true"])),
      failureOf(() => processes.sleep(60)),
    ];
    await sleep(100);
    await processes.stop(reason);
    assert.deepEqual(await Promise.all(waiting), [reason, reason, reason]);
    assert.equal(await failureOf(() => processes.run("true", [])), reason);
    assert.equal(await failureOf(() => processes.sleep(1)), reason);
    assert.equal((await processes.run("true", [], { afterStop: true })).code, 0);
  });
});

describe("the environment of other programs", () => {
  it("lacks the deployment's secrets, and what turns off nixos-rebuild's own guard", () => {
    const kept = { PATH: "/bin", AWS_PROFILE: "x", NIX_CONFIG: "y", SSH_AUTH_SOCK: "z" };
    const dropped = {
      DEPLOY_PRIVATE_KEY: "key",
      EVALUATE_FLAKE: "flake",
      PULUMI_CONFIG_PASSPHRASE: "passphrase",
      NIX_SSHOPTS: "-o StrictHostKeyChecking=no",
      NIXOS_SWITCH_USE_DIRTY_ENV: "1",
      NIXOS_REBUILD_NO_SYSTEMD_RUN: "1",
    };
    assert.deepEqual(plainEnvironment({ ...kept, ...dropped }), kept);
  });
});
