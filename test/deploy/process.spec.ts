import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Interrupted, ProgramMissing, TooSilent } from "../../components/deploy/errors.mjs";
import { plainEnvironment, Processes } from "../../components/deploy/process.mjs";
import { until } from "../../cli/rehearse/until";
import { failureOf, temporaryFolder } from "./support";

describe("a program that a deployment starts", () => {
  let folder: string;
  beforeEach(() => (folder = temporaryFolder()));
  afterEach(() => fs.rmSync(folder, { recursive: true }));

  const shell = (processes: Processes, script: string, options = {}) => processes.run("sh", ["-c", script], options);

  it("is told its input and gives code and output back", async () => {
    const result = await shell(new Processes(process.env), "cat; echo bad >&2; exit 3", { input: "text" });
    assert.deepEqual(result, { code: 3, signal: null, stdout: "text", stderr: "bad\n", timedOut: false });
  });

  it("does not come from the folder that it runs in", async () => {
    fs.writeFileSync(path.join(folder, "git"), "#!/bin/sh\necho planted\n", { mode: 0o755 });
    const before = process.cwd();
    process.chdir(folder);
    try {
      for (const search of [`.:${process.env["PATH"]}`, `:${process.env["PATH"]}`, "."]) {
        const { stdout } = await new Processes({ ...process.env, PATH: search }).run("git", ["--version"]);
        assert.match(stdout, /^git version/, search);
      }
    } finally {
      process.chdir(before);
    }
  });

  it("that does not read its input is no error", async () => {
    assert.equal((await shell(new Processes(process.env), "exit 0", { input: "x".repeat(1e6) })).code, 0);
  });

  it("keeps its input open until it ends, where asked to", async () => {
    // A read that runs into its limit ends with more than 128, one at the end of the input with 1.
    const script = "read -r line; read -r -t 0.3 more; echo $?";
    const result = await new Processes(process.env).run("bash", ["-c", script], { input: "line\n", keepInput: true });
    assert.equal(result.code, 0, result.stderr);
    assert.ok(Number(result.stdout) > 128, result.stdout);
  });

  it("that is missing is named", async () => {
    const error = await failureOf(() => new Processes(process.env).run("no-such-program", []));
    assert.ok(error instanceof ProgramMissing);
    assert.match(error.message, /"no-such-program"/);
  });

  it("is ended after its time, with all that it started", async () => {
    // It is over when nobody holds the pipes any more: sleep is gone too.
    const result = await shell(new Processes(process.env), "sleep 3600 & wait", { timeoutSeconds: 0.3 });
    assert.equal(result.timedOut, true);
  });

  it("without a limit of its own is ended when it is silent for too long, with all that it started", async () => {
    const reminders: string[] = [];
    const processes = new Processes(
      process.env,
      () => {},
      10,
      1,
      (line: string) => void reminders.push(line),
    );
    const error = await failureOf(() => shell(processes, "echo begun >&2; sleep 3600 & wait", { called: "The build" }));
    assert.ok(error instanceof TooSilent);
    assert.equal(error.message, "The build printed nothing for 1 s, and was ended.");
    assert.match(error.text(), /begun/);
    assert.deepEqual(
      reminders,
      ["0.25", "0.5", "0.75"].map((so) => `The build has printed nothing for ${so} s; it is ended after 1 s`),
    );
  });

  it("lives for as long as it says something, on either stream", async () => {
    const script = (stream: string) => `for _ in $(seq 12); do echo x${stream}; sleep 0.5; done`;
    const run = (stream: string) => shell(new Processes(process.env, () => {}, 10, 5), script(stream));
    assert.deepEqual(
      (await Promise.all(["", ">&2"].map(run))).map(({ code }) => code),
      [0, 0],
    );
  });

  it("with a limit of its own is ended by that alone", async () => {
    const result = await shell(new Processes(process.env, () => {}, 10, 1), "sleep 2", { timeoutSeconds: 600 });
    assert.equal(result.code, 0);
  });

  it("has no good exit code when it was ended, even if it says so itself", async () => {
    const script = "trap 'exit 0' INT; while :; do sleep 0.05; done";
    assert.equal((await shell(new Processes(process.env), script, { timeoutSeconds: 0.5 })).code, null);
  });

  it("is ended even if it ignores being asked to", async () => {
    const script = "trap '' INT TERM; while :; do sleep 0.1; done";
    const processes = new Processes(process.env, () => {}, 0.2);
    const result = await shell(processes, script, { timeoutSeconds: 0.5 });
    assert.deepEqual([result.code, result.timedOut], [null, true]);
  });

  it("is asked as from a terminal first, so that it can clean up", async () => {
    const processes = new Processes(process.env);
    const script = `trap 'touch "${path.join(folder, "cleaned")}"; exit 130' INT; touch "${path.join(folder, "begun")}"
      while :; do sleep 0.05; done`;
    const ended = failureOf(() => shell(processes, script));
    await until("the program's trap", () => fs.existsSync(path.join(folder, "begun")));
    await processes.stop(new Interrupted("SIGINT"));
    await ended;
    assert.deepEqual(fs.readdirSync(folder).sort(), ["begun", "cleaned"]);
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
      failureOf(() => processes.run("sleep", ["3600"])),
      failureOf(() => processes.run("sh", ["-c", "sleep 3600; true"])),
      failureOf(() => processes.sleep(3600)),
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
