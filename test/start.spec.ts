/**
 * How `nodeargs` in Pulumi.yaml starts the program: each test starts a Node of its own in a small project.
 * Cannot prove: that an engine starts it so, which the engine's suite does with every update; or how long a start takes,
 * which `npm run speed` measures.
 */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { parse } from "yaml";
import { type Result, run } from "../cli/rehearse/processes";
import { ROOT } from "../cli/rehearse/project";

let folder: string;

const write = (file: string, text: string) => writeFileSync(path.join(folder, file), text);
const cached = () => readdirSync(path.join(folder, "node_modules/.cache/pulumi-nixos")).sort();

/** Starts `index.ts` with the arguments of Pulumi.yaml. */
function start(environment: NodeJS.ProcessEnv = {}): Promise<Result> {
  const { runtime } = parse(readFileSync(path.join(ROOT, "Pulumi.yaml"), "utf8")) as {
    runtime: { options: { typescript: boolean; nodeargs: string } };
  };
  assert.equal(runtime.options.typescript, false);
  const args = [...runtime.options.nodeargs.split(" "), "index.ts"];
  return run(process.execPath, args, { cwd: folder, env: { ...process.env, ...environment } });
}

async function printed(environment?: NodeJS.ProcessEnv): Promise<string> {
  const { code, stdout, stderr } = await start(environment);
  assert.equal(code, 0, stderr);
  return stdout.trim();
}

describe("start of the program", () => {
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "start-"));
    cpSync(path.join(ROOT, ".pulumi"), path.join(folder, ".pulumi"), { recursive: true });
    // A folder of its own, so that its cache is its own.
    mkdirSync(path.join(folder, "node_modules"));
    for (const name of readdirSync(path.join(ROOT, "node_modules")).filter((entry) => entry !== ".cache"))
      symlinkSync(path.join(ROOT, "node_modules", name), path.join(folder, "node_modules", name));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("runs TypeScript, of several files", async () => {
    write(
      "index.ts",
      'import { type Name, greet } from "./greet";\nconst name: Name = "you";\nconsole.log(greet(name));',
    );
    write("greet.ts", "export type Name = string;\nexport const greet = (name: Name): string => `hello ${name}`;");
    assert.equal(await printed(), "hello you");
  });

  it("loads the compiler for changed files only", async () => {
    const text = "console.log(Object.keys(require.cache).some((file) => file.endsWith('/typescript.js')) as boolean);";
    write("index.ts", text);
    assert.equal(await printed(), "true");
    assert.equal(await printed(), "false");
    write("index.ts", `${text}\n// changed`);
    assert.equal(await printed(), "true");
  });

  it("keeps machine code for the next start, which finds all of it", async () => {
    write("index.ts", 'import { x25519 } from "@noble/curves/ed25519.js";\nconsole.log(typeof x25519);');
    assert.equal(await printed(), "object");
    // The compiler was in the first run only.
    assert.equal(await printed(), "object");
    const before = cached();
    assert.ok(before.length > 1, `only ${before.join()}`);
    assert.equal(await printed(), "object");
    assert.deepEqual(cached(), before);
  });

  it("does without a cache that cannot be written, or holds nonsense", async () => {
    write("index.ts", "const word: string = 'works';\nconsole.log(word);");
    write("node_modules/.cache", "no folder");
    assert.equal(await printed(), "works");
    rmSync(path.join(folder, "node_modules/.cache"));
    assert.equal(await printed(), "works");
    for (const name of cached().filter((entry) => entry.startsWith("code-")))
      write(`node_modules/.cache/pulumi-nixos/${name}`, "nonsense");
    assert.equal(await printed(), "works");
  });

  it("names the line of the TypeScript file in errors, at the start and later", async () => {
    const types = "interface Long {\n  name: string;\n}\n";
    write("index.ts", `${types}const fail = (): void => {\n  throw new Error("broken" as Long["name"]);\n};\nfail();`);
    const now = await start();
    assert.notEqual(now.code, 0);
    assert.match(now.stderr, /Error: broken\n {4}at fail \(.*\/index\.ts:5:9\)\n {4}at .*\/index\.ts:7:1/);
    write("index.ts", `${types}setTimeout((): void => {\n  (undefined as unknown as Long).name;\n}, 1);`);
    assert.match((await start()).stderr, /TypeError: .*\n {4}at .*index\.ts:5:34/);
  });

  it("tells file, line and column of a syntax error", async () => {
    write("index.ts", "const fine = 1;\nconst wrong = ;");
    const { code, stderr } = await start();
    assert.notEqual(code, 0);
    assert.match(stderr, /SyntaxError: index\.ts\(2,15\): error TS1109: Expression expected\./);
  });

  it("tells which file imports what is not there", async () => {
    write("index.ts", 'import "./greet";');
    write("greet.ts", '\nimport "./nowhere";');
    const { code, stderr } = await start();
    assert.notEqual(code, 0);
    assert.match(stderr, /Cannot find module '\.\/nowhere'/);
    assert.match(stderr, /greet\.ts:2:1/);
  });

  it("loads the SDK without what turns functions into resources, until that is used", async () => {
    write(
      "index.ts",
      `import * as pulumi from "@pulumi/pulumi";
const loaded = () =>
  ["/typescript.js", "/arborist/lib/node.js"].map((end) => Object.keys(require.cache).some((file) => file.endsWith(end)));
console.log(JSON.stringify(loaded()));
const number = 7;
void (async () => {
  const { text } = await pulumi.runtime.serializeFunction(() => number + 1);
  console.log(/return number \\+ 1|number \\+ 1/.test(text));
  const paths = await pulumi.runtime.computeCodePaths({});
  console.log(paths instanceof Map);
  console.log(JSON.stringify(loaded()));
})();`,
    );
    write("package.json", JSON.stringify({ name: "small", dependencies: {} }));
    await printed();
    assert.deepEqual((await printed()).split("\n"), ["[false,false]", "true", "true", "[true,true]"]);
  });

  it("notes no stack for each promise of the SDK, unless leaks are looked for", async () => {
    write(
      "index.ts",
      `import * as debuggable from "@pulumi/pulumi/runtime/debuggable";
setImmediate(() => {
  const promise = Promise.resolve(1);
  void debuggable.debuggablePromise(promise, "context");
  const { _debugStackTrace: stack } = promise as unknown as { _debugStackTrace: string };
  console.log(stack.includes("index.ts:4"), new Error("after").stack!.includes("index.ts:6"));
});`,
    );
    assert.equal(await printed(), "false true");
    assert.equal(await printed({ PULUMI_DEBUG_PROMISE_LEAKS: "true" }), "true true");
  });
});
