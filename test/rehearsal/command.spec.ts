import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { findProgram } from "../../components/deploy/path.mjs";
import { requireOrSkip } from "../require";
import { ProviderClient } from "../../cli/rehearse/client";
import { commandProvider, type CommandOptions } from "../../cli/rehearse/emulators/command";
import { secret, UNKNOWN } from "../../cli/rehearse/emulators/values";

const COMMAND = "command:local:Command";
const RUN = "command:local:run";

describe("command provider", () => {
  let folder: string;
  before(() => {
    folder = realpathSync(mkdtempSync(path.join(tmpdir(), "command-")));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const emulated = (more: Partial<CommandOptions> = {}) =>
    ProviderClient.of(commandProvider({ directory: folder, environment: process.env, ...more }));

  describe("emulated", () => {
    behaves(
      async () => emulated(),
      () => folder,
    );

    it("refuses types and properties that it does not emulate", async () => {
      const command = await emulated();
      try {
        await assert.rejects(command.create("command:remote:Command", {}), /no resource type command:remote:Command/);
        await assert.rejects(command.create(COMMAND, { assetPaths: ["*"] }), /no property "assetPaths"/);
        await assert.rejects(command.create(COMMAND, { logging: "all" }), /unknown logging mode/);
        await assert.rejects(
          command.create(COMMAND, { environment: { PORT: 22 } }),
          /environment\["PORT"\] is no string/,
        );
      } finally {
        command.stop();
      }
    });

    it("asks for a stand-in with the command's text and its own environment", async () => {
      const asked: unknown[] = [];
      const command = await emulated({
        standIn: (...question) => {
          asked.push(question);
          return { stdout: "stood in", stderr: "" };
        },
      });
      try {
        const { state } = await command.create(COMMAND, { create: "false", environment: { A: "b" } });
        assert.equal(state["stdout"], "stood in");
        assert.deepEqual(asked, [["false", { A: "b" }]]);
      } finally {
        command.stop();
      }
    });
  });

  // The same expectations on the real plugin, which keeps the emulator honest.
  describe("real", () => {
    const plugin = findProgram(process.env, "pulumi-resource-command");
    before(function () {
      requireOrSkip(this, "command", plugin !== undefined, "the plugin pulumi-resource-command is not on PATH");
    });
    behaves(
      async () => realPlugin(plugin!, folder),
      () => folder,
    );
  });
});

function behaves(start: () => Promise<ProviderClient>, folder: () => string): void {
  let command: ProviderClient;
  before(async () => {
    command = await start();
    await command.configure({});
  });
  // Absent when the suite was skipped.
  after(() => command?.stop());

  it("really runs the command, in the project's folder and its own environment, and trims one newline", async () => {
    const { id, state } = await command.create(COMMAND, {
      create: "pwd; echo $A; echo oops >&2",
      environment: { A: "b c" },
    });
    assert.match(id, /^it[0-9a-f]{8}$/);
    assert.deepEqual([state["stdout"], state["stderr"]], [`${folder()}\nb c`, "oops"]);
  });

  it("gives standard input, and takes another interpreter and folder", async () => {
    const inputs = { interpreter: ["node", "-e"], create: "process.stdin.pipe(process.stdout)", stdin: "hello" };
    assert.equal((await command.create(COMMAND, inputs)).state["stdout"], "hello");
    assert.equal((await command.create(COMMAND, { create: "pwd", dir: "/" })).state["stdout"], "/");
  });

  it("fails with all that the command wrote", async () => {
    const failing = command.create(COMMAND, { create: "echo one; echo two >&2; exit 3" });
    await assert.rejects(failing, /exit status 3: running "echo one.*":\n(one\ntwo|two\none)\n/s);
  });

  it("does nothing in a preview, where its output is unknown", async () => {
    const file = path.join(folder(), "touched");
    const { state } = await command.create(COMMAND, { create: `touch ${file}` }, true);
    assert.throws(() => readFileSync(file), /ENOENT/);
    assert.equal(state["stdout"], UNKNOWN);
  });

  it("is changed in place, by itself: the SDK asks the engine to replace it for other triggers", async () => {
    const made = await command.create(COMMAND, { create: "true", triggers: ["a", "b"] });
    const triggered = await command.diff(COMMAND, made, { ...made.inputs, triggers: ["a", "c"] });
    assert.deepEqual(triggered.detailed, { "triggers[1]": "UPDATE" });
    const changed = await command.diff(COMMAND, made, { ...made.inputs, environment: { A: "b" } });
    assert.deepEqual([changed.changed, changed.replaces, changed.detailed], [true, [], { environment: "ADD" }]);
    assert.equal((await command.diff(COMMAND, made, made.inputs)).changed, false);
  });

  it("runs update on a change, or create again without one, and tells the previous output unless told not to", async () => {
    const made = await command.create(COMMAND, { create: 'echo "was:$PULUMI_COMMAND_STDOUT"' });
    assert.equal(made.state["stdout"], "was:");
    const again = await command.update(COMMAND, made, {
      create: 'echo "was:$PULUMI_COMMAND_STDOUT"',
      environment: { A: "b" },
    });
    assert.equal(again.state["stdout"], "was:was:");
    const quiet = { create: 'echo "was:$PULUMI_COMMAND_STDOUT"', addPreviousOutputInEnv: false };
    assert.equal((await command.update(COMMAND, again, quiet)).state["stdout"], "was:");
    const update = await command.update(COMMAND, again, { create: "false", update: "echo updated" });
    assert.equal(update.state["stdout"], "updated");
    const preview = await command.update(COMMAND, again, { create: "false" }, true);
    assert.equal(preview.state["stdout"], UNKNOWN);
  });

  it("runs delete, if there is one", async () => {
    const file = path.join(folder(), "deleted");
    await command.delete(COMMAND, await command.create(COMMAND, { delete: `touch ${file}` }));
    assert.equal(readFileSync(file, "utf8"), "");
    await command.delete(COMMAND, await command.create(COMMAND, { create: "true" }));
  });

  it("keeps a secret input secret, but not what the command makes of it", async () => {
    const environment = { KEY: secret("x"), A: "b" };
    const { state } = await command.create(COMMAND, { create: "echo $KEY", environment });
    assert.deepEqual(state, { create: "echo $KEY", environment, stdout: "x", stderr: "" });
  });

  it("runs at each call of run", async () => {
    const { stdout, stderr } = await command.invoke(RUN, { command: "echo hi; echo ho >&2", environment: { A: "b" } });
    assert.deepEqual([stdout, stderr], ["hi", "ho"]);
    await assert.rejects(command.invoke(RUN, { command: "exit 1" }), /exit status 1/);
    const environment = secret({ KEY: "x" });
    const hidden = await command.invoke(RUN, { command: "echo $KEY", environment });
    assert.deepEqual(hidden, { command: "echo $KEY", environment, stdout: "x", stderr: "" });
  });
}

/** Starts the plugin; the first line that it prints is its port. */
function realPlugin(plugin: string, folder: string): Promise<ProviderClient> {
  const child: ChildProcess = spawn(plugin, [], { cwd: folder, stdio: ["ignore", "pipe", "ignore"] });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", () => reject(new Error(`${plugin} ended before it told its port`)));
    child.stdout!.setEncoding("utf8").once("data", (line: string) => {
      resolve(ProviderClient.at(Number(line), () => void child.kill()));
    });
  });
}
