// The files that a run leaves or does not leave on the computer it is started from.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import path from "node:path";
import { Log } from "../../components/deploy/log.mjs";
import { isOwnFolder, makeOwnFolder, readOwnFile } from "../../components/deploy/ownFiles.mjs";
import { hostName, PrivateFolder } from "../../components/deploy/privateFolder.mjs";
import { requireOrSkip } from "../require";
import { newKey } from "../../cli/rehearse/keys";
import { until } from "../../cli/rehearse/until";
import { failureOf, temporaryFolder } from "./support";

describe("the private folder of a deployment", () => {
  let base: string;
  beforeEach(() => {
    // Without a space, unlike other folders of these tests: that is what it is about.
    base = fs.mkdtempSync("/tmp/private-folder-");
  });
  afterEach(() => fs.rmSync(base, { recursive: true }));

  it("is for its owner alone, and goes", () => {
    const folder = new PrivateFolder({ XDG_RUNTIME_DIR: base });
    const file = folder.write("name", "content");
    assert.equal(path.dirname(folder.path), base);
    assert.equal(fs.statSync(folder.path).mode & 0o777, 0o700);
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    folder.remove();
    assert.deepEqual(fs.readdirSync(base), []);
  });

  it("does not lie in a folder that somebody else may rename it in", function () {
    requireOrSkip(this, "root", process.getuid?.() === 0, "only root can give a folder to somebody else");
    for (const mode of [0o755, 0o1777]) {
      fs.chmodSync(base, mode);
      fs.chownSync(base, 65534, 65534);
      const folder = new PrivateFolder({ XDG_RUNTIME_DIR: base });
      folder.remove();
      assert.notEqual(path.dirname(folder.path), base);
    }
  });

  it("has no space in its path, wherever temporary files are to go", () => {
    const spaced = path.join(base, "with space");
    fs.mkdirSync(spaced);
    const folder = new PrivateFolder({ XDG_RUNTIME_DIR: spaced });
    try {
      assert.doesNotMatch(folder.path, /\s/);
    } finally {
      folder.remove();
    }
  });

  it("goes when the run is killed, with its whole process group", async () => {
    const module = path.resolve("components/deploy/privateFolder.mjs");
    const program = `import { PrivateFolder } from ${JSON.stringify(module)};
      new PrivateFolder({ XDG_RUNTIME_DIR: ${JSON.stringify(base)} }).write("id", "");
      console.log("written");
      setInterval(() => {}, 1000);`;
    const run = spawn(process.execPath, ["--input-type=module", "-e", program], { detached: true });
    await once(run.stdout, "data");
    assert.equal(fs.readdirSync(base).length, 1);
    process.kill(-run.pid!, "SIGKILL");
    await until("the folder to go", () => fs.readdirSync(base).length === 0);
  });

  it("takes away those of dead runs on this computer, and no others", () => {
    const dead = spawnSync("true").pid;
    const names = {
      dead: `pulumi-nixos-deploy.${hostName()}.${dead}.AAAAAA`,
      running: `pulumi-nixos-deploy.${hostName()}.${process.ppid}.AAAAAA`,
      elsewhere: `pulumi-nixos-deploy.another-${hostName()}.${dead}.AAAAAA`,
      foreign: `something-else.${hostName()}.${dead}.AAAAAA`,
    };
    for (const name of Object.values(names)) {
      fs.mkdirSync(path.join(base, name));
      fs.writeFileSync(path.join(base, name, "id"), "");
    }
    new PrivateFolder({ XDG_RUNTIME_DIR: base }).remove();
    assert.deepEqual(fs.readdirSync(base).sort(), [names.elsewhere, names.foreign, names.running].sort());
  });
});

describe("what lies in a shared temporary folder under a name of ours", () => {
  let base: string;
  const name = () => path.join(base, `pulumi-nixos-deploy.${hostName()}.${spawnSync("true").pid}.AAAAAA`);
  const begin = () => new PrivateFolder({ XDG_RUNTIME_DIR: base }).remove();
  beforeEach(() => {
    base = fs.mkdtempSync("/tmp/private-folder-");
    fs.chmodSync(base, 0o1777);
  });
  afterEach(() => fs.rmSync(base, { recursive: true }));

  // Fault 81
  it("is left alone when it is another user's", function () {
    requireOrSkip(this, "namespaces", process.getuid?.() === 0, "only root can give a folder to another user");
    const folder = name();
    fs.mkdirSync(folder);
    fs.writeFileSync(path.join(folder, "theirs"), "");
    fs.chownSync(folder, 65534, 65534);
    begin();
    assert.deepEqual(fs.readdirSync(folder), ["theirs"]);
  });

  it("is left alone when it is a link, with what it leads to, and when it is no folder", () => {
    const [link, file, target] = [name(), name(), path.join(base, "target")];
    fs.mkdirSync(target);
    fs.writeFileSync(path.join(target, "kept"), "");
    fs.symlinkSync(target, link);
    fs.writeFileSync(file, "");
    begin();
    assert.equal(fs.lstatSync(link).isSymbolicLink(), true);
    assert.equal(fs.existsSync(file), true);
    assert.deepEqual(fs.readdirSync(target), ["kept"]);
  });

  it("is nothing at all where everybody could put something in the place of ours", () => {
    fs.chmodSync(base, 0o777);
    const folder = new PrivateFolder({ XDG_RUNTIME_DIR: base });
    folder.remove();
    assert.notEqual(path.dirname(folder.path), base);
  });
});

describe("a file that decides what is installed", () => {
  let base: string;
  let file: string;
  beforeEach(() => {
    base = fs.mkdtempSync("/tmp/own-files-");
    file = path.join(base, "file");
    fs.writeFileSync(file, "text", { mode: 0o600 });
  });
  afterEach(() => fs.rmSync(base, { recursive: true }));

  it("is read when it is this user's alone, up to a limit", () => {
    assert.equal(readOwnFile(file, 100), "text");
    assert.equal(readOwnFile(file, 2), "te");
    assert.equal(makeOwnFolder(path.join(base, "a/b")), true);
  });

  it("is not read through a link, from a pipe, or when others may write it", () => {
    const [link, pipe] = [path.join(base, "link"), path.join(base, "pipe")];
    fs.symlinkSync(file, link);
    spawnSync("mkfifo", [pipe]);
    assert.deepEqual([readOwnFile(link, 100), readOwnFile(pipe, 100)], [undefined, undefined]);
    fs.chmodSync(file, 0o666);
    assert.equal(readOwnFile(file, 100), undefined);
    fs.symlinkSync(base, path.join(base, "folder"));
    assert.equal(makeOwnFolder(path.join(base, "folder")), false);
  });

  it("is not taken from another user", function () {
    requireOrSkip(this, "namespaces", process.getuid?.() === 0, "only root can give a file to another user");
    fs.chownSync(file, 65534, 65534);
    assert.equal(readOwnFile(file, 100), undefined);
    fs.mkdirSync(path.join(base, "theirs"));
    fs.chownSync(path.join(base, "theirs"), 65534, 65534);
    assert.equal(isOwnFolder(path.join(base, "theirs")), false);
  });
});

describe("the log of a deployment", () => {
  let state: string;
  beforeEach(() => (state = temporaryFolder()));
  afterEach(() => fs.rmSync(state, { recursive: true }));

  it("is for its owner alone, and has no line of the key", () => {
    const { privateKeyOpenssh } = newKey();
    const log = new Log({ XDG_STATE_HOME: state }, privateKeyOpenssh);
    log.write(`before ${privateKeyOpenssh.replaceAll("\n", " ")} after`);
    assert.equal(fs.statSync(log.path).mode & 0o777, 0o600);
    const text = fs.readFileSync(log.path, "utf8");
    assert.match(text, /before .*\[secret\].* after/);
    for (const line of privateKeyOpenssh.split("\n").filter(({ length }) => length >= 16)) {
      assert.equal(text.includes(line), false);
    }
  });

  it("has no token that another program repeats", () => {
    const log = new Log({ XDG_STATE_HOME: state }, "");
    const tokens = [`ghp_${"a1B2".repeat(9)}`, `ghs_12345_eyJ${"a1B2".repeat(9)}.eyJ${"c3D4".repeat(9)}.e5F6`];
    for (const token of tokens) log.heard(`fatal: unable to access 'https://x-access-token:${token}@github.com/o/s/'`);
    const text = fs.readFileSync(log.path, "utf8");
    for (const token of tokens) assert.equal(text.includes(token.slice(5)), false);
    assert.match(text, /x-access-token:\[secret\]@github\.com/);
  });

  it("is in the place for state, and only the newest twenty are kept", () => {
    const folder = path.join(state, "pulumi-nixos/logs");
    fs.mkdirSync(folder, { recursive: true });
    for (let day = 10; day < 40; day++) fs.writeFileSync(path.join(folder, `deploy-2020-01-${day}.log`), "");
    const log = new Log({ XDG_STATE_HOME: state }, "");
    assert.equal(path.dirname(log.path), folder);
    const left = fs.readdirSync(folder).sort();
    assert.equal(left.length, 20);
    assert.equal(left.at(-1), path.basename(log.path));
    assert.equal(left[0], "deploy-2020-01-21.log");
  });

  it("that cannot be written does not stop a deployment", () => {
    fs.writeFileSync(path.join(state, "file"), "");
    const log = new Log({ XDG_STATE_HOME: path.join(state, "file") }, "");
    log.write("nothing");
    assert.equal(log.path, "");
  });

  /** What is written to standard error meanwhile. */
  async function printedBy(act: (log: Log) => Promise<void>): Promise<string[]> {
    const lines: string[] = [];
    const write = process.stderr.write.bind(process.stderr);
    process.stderr.write = (text: string | Uint8Array) => lines.push(String(text)) > 0;
    try {
      await act(new Log({ XDG_STATE_HOME: state }, ""));
    } finally {
      process.stderr.write = write;
    }
    return lines;
  }
  const build = (say: (result: string) => void) => Promise.resolve((say("the system"), 7));

  it("says one line a phase, with its seconds and what it came to, also when it fails", async () => {
    const lines = await printedBy(async (log) => {
      assert.equal(await log.phase("build", build), 7);
      await failureOf(() => log.phase("switch", () => Promise.reject(new Error("no"))));
    });
    assert.equal(lines.length, 2);
    assert.match(lines[0] ?? "", /^build: the system \(\d+\.\d s\)\n$/);
    assert.match(lines[1] ?? "", /^switch: failed \(\d+\.\d s\)\n$/);
  });

  it("says in the end what has changed on the machine, and how long each phase took", async () => {
    const lines = await printedBy(async (log) => {
      await log.phase("build", build);
      await log.phase("switch", () => Promise.resolve());
      log.summary(
        "/nix/store/a",
        "/nix/store/b",
        Array.from({ length: 12 }, (_, at) => `package ${at}`),
      );
    });
    assert.match(lines[2] ?? "", /^done: the machine runs another system, after \d+\.\d s\n$/);
    assert.deepEqual(lines.slice(3, 6), ["  - /nix/store/a\n", "  + /nix/store/b\n", "  package 0\n"]);
    assert.equal(lines[15], "  … (2 more lines)\n");
    assert.match(lines[16] ?? "", /^ {2}build \d+\.\d s, switch \d+\.\d s\n$/);
  });

  it("has nothing that a terminal obeys, and an end, whatever other programs say", () => {
    const log = new Log({ XDG_STATE_HOME: state }, "");
    log.heard("\u001b[2J\u009b31m\u202e\r\0 words");
    log.heard("x".repeat(100_000));
    for (let line = 0; line < 6000; line++) log.heard("y".repeat(10_000));
    log.write("the end");
    const text = fs.readFileSync(log.path, "utf8");
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    assert.match(text, / words$/m);
    assert.ok(text.length < 17 * 2 ** 20, `${text.length}`);
    assert.match(text, /is left out\n.* the end\n$/);
    assert.ok(text.split("\n").every((line) => line.length < 5000));
  });

  it("lets nothing that a machine says move the cursor or colour the terminal", async () => {
    const lines = await printedBy((log) => Promise.resolve(log.progress("wait: \u001b[31mno\u001b[2J\r")));
    assert.deepEqual(lines, ["wait: no\\u{1b}[2J\\r\n"]);
  });
});
