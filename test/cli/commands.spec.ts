/**
 * What all commands have in common, of every one of them as it is started. Cannot prove: that their help is true.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { serve } from "../support/server";
import { WAIT_MILLISECONDS } from "../../cli/rehearse/limits.cjs";

const root = path.resolve(__dirname, "../..");

const { scripts } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as {
  scripts: Record<string, string>;
};
const ofScripts = Object.entries(scripts).flatMap(([name, line]) => {
  const file = /^tsx (\S+)$/.exec(line)?.[1];
  return file === undefined ? [] : [[name === "check" ? "npm test" : `npm run ${name}`, file] as const];
});
const COMMANDS = [
  ...ofScripts,
  ["npx tsx cli/ci/drift.ts", "cli/ci/drift.ts"],
  ["npx tsx cli/ci/plainConfig.ts", "cli/ci/plainConfig.ts"],
] as const;

/** What there is below a folder, and when it was written. */
function below(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => `${name} ${statSync(path.join(folder, name)).mtimeMs}`)
    .sort();
}

describe("every command", () => {
  let folder: string;
  let empty: string;
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), "commands-"));
    empty = path.join(folder, "empty");
    mkdirSync(empty);
  });
  after(() => rmSync(folder, { recursive: true }));

  /** In an empty folder and with no program on PATH. */
  const run = (file: string, ...args: string[]) =>
    spawnSync(process.execPath, ["--require", require.resolve("tsx/cjs"), path.join(root, file), ...args], {
      cwd: empty,
      env: { PATH: empty, HOME: empty },
      encoding: "utf8",
      timeout: WAIT_MILLISECONDS,
      input: "",
    });

  it("is among these", () => {
    assert.ok(COMMANDS.length >= 13, String(COMMANDS.length));
  });

  for (const [call, file] of COMMANDS) {
    it(`${call} shows its help and does nothing else, whatever stands beside it`, () => {
      const docs = path.join(root, "docs/components");
      const before = below(docs);
      const { status, stdout, stderr } = run(file, "something", "--help", "--yes");
      assert.deepEqual([status, stderr], [0, ""]);
      assert.ok(stdout.includes(call.split(" ").at(-1)!), stdout);
      assert.deepEqual([readdirSync(empty), below(docs)], [[], before]);
    });

    it(`${call} ends with 2 for an option that it does not know, and names the nearest`, () => {
      const { status, stdout, stderr } = run(file, "--hepl");
      assert.deepEqual([status, stdout], [2, ""], stderr);
      assert.match(
        stderr,
        /^--hepl: there is no such option\. Did you mean --help\?\nAll options: (npm|npx) .*--help\n$/,
      );
      assert.deepEqual(readdirSync(empty), []);
    });
  }

  it("is ended by a signal while it waits, with the exit code of that", async () => {
    let heard = () => {};
    const asked = new Promise<void>((resolve) => (heard = resolve));
    const machine = await serve((_, response) => void response.writeHead(503).end(heard));
    try {
      const preview = path.join(root, "test/preview/recorded/no-effect.json");
      const options = ["--stack", "project/stack", "--revision", "a".repeat(40), "--url", machine.url];
      const args = [path.join(root, "cli/ci/drift.ts"), "--preview", preview, ...options];
      const child = spawn(process.execPath, ["--require", require.resolve("tsx/cjs"), ...args], {
        cwd: empty,
        stdio: "ignore",
      });
      const ended = once(child, "close");
      // It looks again in a minute.
      await asked;
      child.kill("SIGTERM");
      assert.deepEqual(await ended, [143, null]);
    } finally {
      await machine.stop();
    }
  });
});
