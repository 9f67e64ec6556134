/**
 * `npm run secrets`, killed at each of its writes: .sops.yaml and nix/secrets.yaml are the old ones or the new ones, nothing
 * that git would add holds a secret, and the same command run again does what was left. With the real sops.
 * Cannot prove: what a file system loses when the power goes.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { keyFileProblems } from "../../cli/secrets/ageKeys";
import { init } from "../../cli/secrets/init";
import { set } from "../../cli/secrets/set";
import { recipientsOf } from "../../components/deploy/flakeSecrets.mjs";
import { ageIdentity } from "../../components/keys/age";
import { readIfThere } from "../../cli/common/write";
import { hasCommand } from "../../cli/rehearse/commands";
import { requireOrSkip } from "../require";
import { COMMANDS, type KilledRun } from "../support/killedSecrets";
import { SecretsProject } from "../support/secrets";

const FILE = "nix/secrets.yaml";
const WORD = "correct-horse";
const TOKEN = `ghp_${"a1B2".repeat(9)}`;

type Command = KilledRun["command"];

describe("npm run secrets, killed at each write", () => {
  before(function () {
    requireOrSkip(this, "sops", hasCommand("sops"), "sops is not on PATH (.ci/install-sops.sh builds it)");
  });

  interface Case {
    what: string;
    command: Command;
    prepare: (project: SecretsProject) => Promise<void>;
    secret?: string;
    values: Record<string, unknown>;
  }

  const ready = (project: SecretsProject) => init(project.place, { name: "alice" });
  const stored = async (project: SecretsProject) => {
    await ready(project);
    project.person.secrets = ["old"];
    await set(project.place, "old");
  };
  /** Generation 2 is made, and not in use. */
  const rotating = (order: number[]) => async (project: SecretsProject) => {
    await stored(project);
    project.stack.configured = [1, 2];
    project.stack.up();
    if (order[0] === 1) return;
    // Encrypted for both, and the new one in use.
    await init(project.place, { name: "alice" });
    project.stack.configured = order;
    project.stack.up();
  };

  const cases: Case[] = [
    { what: "init, the first time", command: "init", prepare: () => Promise.resolve(), values: {} },
    {
      what: "init of a plain file",
      command: "init",
      prepare: (project) => Promise.resolve(project.write(FILE, `word: ${WORD}\n`)),
      values: { word: WORD },
    },
    {
      what: "init after a second key of the machine",
      command: "init",
      prepare: async (project) => rotating([1, 2])(project),
      values: { old: "old" },
    },
    { what: "set of the first value", command: "set", prepare: ready, secret: WORD, values: { group: { word: WORD } } },
    {
      what: "set of another value",
      command: "set",
      prepare: stored,
      secret: WORD,
      values: { old: "old", group: { word: WORD } },
    },
    {
      what: "token",
      command: "token",
      prepare: stored,
      secret: TOKEN,
      values: { old: "old", "github-access-token": `extra-access-tokens = github.com=${TOKEN}` },
    },
    { what: "rotate, for both keys", command: "rotate", prepare: rotating([1, 2]), values: { old: "old" } },
    { what: "rotate, without the old key", command: "rotate", prepare: rotating([2, 1]), values: { old: "old" } },
  ];

  const kept: string[] = [];
  afterEach(() => {
    for (const folder of kept.splice(0)) fs.rmSync(folder, { recursive: true, force: true });
  });

  for (const { what, command, prepare, secret = "", values } of cases) {
    it(`leaves the old files or the new ones, and no secret beside them: ${what}`, async () => {
      const first = new SecretsProject();
      first.stack.up();
      await prepare(first);
      const before = textsOf(first);
      const copy = keep(first);
      const places = Number(run(first, command, secret, 0));
      assert.ok(places > 2, "it could be killed nowhere");
      await assertDone(first, values, "not killed");
      const done = textsOf(first);
      first.remove();

      for (let killAt = 1; killAt <= places; killAt += 1) {
        const project = copy();
        const where = `killed at place ${killAt} of ${places}`;
        run(project, command, secret, killAt);
        const after = textsOf(project);
        assert.ok([before.rules, done.rules].map(withoutKeys).includes(withoutKeys(after.rules)), where);
        if (after.file !== before.file) assert.deepEqual(await opened(project), values, where);
        assertNothingToAdd(project, before.file, where);
        // As a person would, at once.
        project.person.secrets = [secret];
        await COMMANDS[command](project.place);
        await assertDone(project, values, where);
        assert.equal(withoutKeys(textsOf(project).rules), withoutKeys(done.rules), where);
        assert.equal(recipientsOf(textsOf(project).file).length, recipientsOf(done.file).length, where);
        project.remove();
      }
    });
  }

  for (const [what, end, message] of [
    ["is killed", "kill -KILL $$", /sops was ended by SIGKILL \(out of memory\?\)/],
    ["says that all is well", "exit 0", /sops gave no encrypted nix\/secrets\.yaml\. Nothing was changed/],
  ] as const) {
    it(`leaves the old file where sops writes half of it and ${what}`, async () => {
      const project = new SecretsProject();
      kept.push(project.root);
      project.stack.up();
      await stored(project);
      const before = textsOf(project);
      const bin = path.join(project.root, "bin");
      fs.mkdirSync(bin);
      const half = `for file; do [ ! -f "$file" ] || truncate --size=60 "$file"; done`;
      const version = `[ "$1" != --version ] || exec ${execFileSync("bash", ["-c", "command -v sops"]).toString().trim()} "$@"`;
      fs.writeFileSync(path.join(bin, "sops"), `#!/bin/sh\n${version}\ncat >/dev/null\n${half}\n${end}\n`, {
        mode: 0o755,
      });
      project.context.env["PATH"] = `${bin}:${project.context.env["PATH"]}`;
      project.person.secrets = [WORD];
      await assert.rejects(set(project.place, "group/word"), { name: "UserError", message });
      assert.deepEqual(textsOf(project), before);
      assert.deepEqual(fs.readdirSync(path.join(project.folder, "nix")), ["secrets.yaml"]);
    });
  }

  /** The number of places; nothing where it was killed. */
  function run({ folder, context, stack }: SecretsProject, command: Command, secret: string, killAt: number): string {
    const keys = stack.deployed!.map((number): KilledRun["keys"][0] => [number, stack.keysMade.get(number)!]);
    const given: KilledRun = { folder, env: context.env, keys, configured: stack.configured, command, secret, killAt };
    const args = ["--require", "tsx/cjs", path.resolve("test/support/killedSecrets.ts")];
    const result = spawnSync(process.execPath, args, { input: JSON.stringify(given), encoding: "utf8" });
    assert.deepEqual([result.status, result.signal], killAt === 0 ? [0, null] : [null, "SIGKILL"], result.stderr);
    return result.stdout;
  }

  function textsOf({ folder }: SecretsProject): { file: string; rules: string } {
    return { file: readIfThere(path.join(folder, FILE)), rules: readIfThere(path.join(folder, ".sops.yaml")) };
  }

  /** Copies of a project as it is now. */
  function keep(project: SecretsProject): () => SecretsProject {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "secrets-kept-"));
    kept.push(folder);
    fs.cpSync(project.root, folder, { recursive: true });
    const { keysMade, configured, deployed } = project.stack;
    const [keys, order, now] = [[...keysMade], [...configured], [...deployed!]];
    return () => {
      const next = new SecretsProject();
      kept.push(next.root);
      fs.cpSync(folder, next.root, { recursive: true });
      keys.forEach(([number, key]) => next.stack.keysMade.set(number, key));
      Object.assign(next.stack, { configured: [...order], deployed: [...now] });
      return next;
    };
  }

  /** What the machine reads, with its own key alone. */
  async function opened(project: SecretsProject): Promise<unknown> {
    const identity = ageIdentity(await project.stack.machineKey());
    const env = { PATH: process.env["PATH"], HOME: path.join(project.root, "nobody"), SOPS_AGE_KEY: identity };
    const args = ["decrypt", "--output-type", "json", path.join(project.folder, FILE)];
    return JSON.parse(execFileSync("sops", args, { env, stdio: ["ignore", "pipe", "pipe"] }).toString()) as unknown;
  }

  /** Everything is there, and nothing else. */
  async function assertDone(project: SecretsProject, values: Record<string, unknown>, where: string): Promise<void> {
    const isNone = Object.keys(values).length === 0;
    if (!isNone) assert.deepEqual(await opened(project), values, where);
    const files = fs.readdirSync(project.folder, { recursive: true }).map(String).sort();
    assert.deepEqual(files, [".sops.yaml", "nix", ...(isNone ? [] : [FILE])], where);
    // Killed between the key's two names, it has both.
    const keys = fs.readdirSync(path.join(project.root, "home/.config/sops/age"));
    assert.deepEqual(
      keys.filter((name) => !/^\.keys\.txt\.\d+\.new$/.test(name)),
      ["keys.txt"],
      where,
    );
    assert.deepEqual(keyFileProblems(project.context), [], where);
  }

  function assertNothingToAdd(project: SecretsProject, before: string, where: string): void {
    project.git("init", "--quiet");
    project.git("add", "--all");
    for (const name of project.git("ls-files", "-z").split("\0").filter(Boolean)) {
      const text = project.git("show", `:${name}`);
      if (name === FILE && text === before) continue;
      for (const secret of [WORD, TOKEN, "AGE-SECRET-KEY-", "PRIVATE KEY"]) {
        assert.ok(!text.includes(secret), `${where}: ${name} holds ${secret}`);
      }
    }
    fs.rmSync(path.join(project.folder, ".git"), { recursive: true });
  }

  /** The person's key is another one in each copy. */
  function withoutKeys(text: string): string {
    return text.replace(/age1[a-z0-9]+/g, "age1…");
  }
});
