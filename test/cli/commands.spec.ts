/**
 * What all commands have in common, of every one of them as it is started. Cannot prove: that their help is true.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { command } from "../../cli/common/command";
import { realContext } from "../../cli/common/context";
import { UserError } from "../../cli/common/userError";
import { heard } from "../support/heard";
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

  describe("with options of values", () => {
    const about = {
      call: "npm run it --",
      help: "",
      options: {
        once: { type: "string" },
        often: { type: "string", multiple: true },
        blank: { type: "string" },
        yes: { type: "boolean" },
      },
      positionals: true,
      mayBeEmpty: ["blank"],
      formerly: { twice: "once" },
    } as const;
    let seen: unknown;
    const sample = command(about, ({ values, positionals }) => {
      seen = { ...values, positionals };
      return 0;
    });
    const cases: [line: string[], code: number, said: RegExp, seen?: object][] = [
      [["--once", "a"], 0, /^$/, { once: "a", positionals: [] }],
      [["--once="], 2, /^--once: got ""; allowed: a value that is not empty\./],
      [["--once", ""], 2, /^--once: got ""; allowed/],
      [["--once", " \t"], 2, /^--once: got " \\t"; allowed/],
      [["--often", "a", "--often="], 2, /^--often: got ""; allowed/],
      [["--blank="], 0, /^$/, { blank: "", positionals: [] }],
      [["a", ""], 2, /^got ""; allowed: words that are not empty\./],
      [["--once", "a", "--once=b"], 2, /^--once: given 2 times; allowed: once\./],
      [["--once", "a", "--once", "a"], 2, /^--once: given 2 times/],
      [["--often", "a", "--often", "b"], 0, /^$/, { often: ["a", "b"], positionals: [] }],
      [["--yes", "--yes"], 0, /^$/, { yes: true, positionals: [] }],
      [["--twice", "a"], 0, /^--twice is now --once\. The next version/, { once: "a", positionals: [] }],
      [["--twice=a=b"], 0, /^--twice is now --once\./, { once: "a=b", positionals: [] }],
      [["--twice", "a", "--once", "b"], 2, /--once: given 2 times/],
      [["twice"], 0, /^$/, { positionals: ["twice"] }],
    ];
    for (const [line, code, text, values] of cases) {
      it(`${code === 0 ? "takes" : "refuses"} ${JSON.stringify(line)}`, async () => {
        const said: string[] = [];
        seen = undefined;
        assert.equal(await sample(line, realContext(), heard(said)), code);
        assert.match(said.join("\n"), text);
        assert.deepEqual(seen, values);
      });
    }
  });

  for (const [file, ...line] of [
    ["cli/adopt.ts", "--stack="],
    ["cli/doctor.ts", "--host="],
    ["cli/new.ts", ""],
    ["cli/rehearse.ts", "--json="],
    ["cli/preview-comment.ts", "--preview="],
    ["cli/secrets.ts", "set"],
    ["cli/secrets.ts", "set", "a b"],
    ["cli/setup.ts", "--owner", "a", "--owner", "b"],
  ] as const) {
    it(`${[file, ...line].join(" ")} ends with 2, and does nothing`, () => {
      const { status, stdout, stderr } = run(file, ...line);
      assert.deepEqual([status, stdout], [2, ""], stderr);
      assert.match(stderr, /All options: npm run .* --help\n$/);
      assert.deepEqual(readdirSync(empty), []);
    });
  }

  it("does its work to the end for a reader who leaves after the first lines", async () => {
    const file = path.join(root, "cli/doctor.ts");
    const child = spawn(process.execPath, ["--require", require.resolve("tsx/cjs"), file, "--help"], { cwd: empty });
    child.stdout.destroy();
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const [code] = (await once(child, "close")) as [number];
    assert.deepEqual([code, stderr], [0, ""]);
  });

  it("does not call it done where its output could not be written", function () {
    if (process.platform !== "linux") return this.skip();
    const full = openSync("/dev/full", "w");
    const { status, stderr } = spawnSync(
      process.execPath,
      ["--require", require.resolve("tsx/cjs"), path.join(root, "cli/doctor.ts"), "--help"],
      { cwd: empty, encoding: "utf8", stdio: ["ignore", full, "pipe"] },
    );
    closeSync(full);
    assert.equal(status, 1);
    assert.match(stderr, /^The output could not be written: ENOSPC[^\n]*\n$/);
  });

  it("shows where a fault of its own is, without secrets, and a person's without", async () => {
    const secret = `ghp_${"a".repeat(36)}`;
    for (const [error, pattern] of [
      [
        new TypeError(`no ${secret}`),
        /^TypeError: no \[secret\]\n +at .*commands\.spec[^]*fault of the program[^]*report it/,
      ],
      [new UserError("no such thing"), /^no such thing$/],
    ] as const) {
      const said: string[] = [];
      const broken = command({ call: "npm run it --", help: "", options: {} }, () => {
        throw error;
      });
      assert.equal(await broken([], realContext(), heard(said)), 1);
      assert.match(said.join("\n"), pattern);
    }
  });

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
