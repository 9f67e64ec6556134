import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { ROOT } from "../../../cli/rehearse/project";

/** One call of the engine, and what the host answered. */
export interface Call {
  /** Which of the hosts; each command of the CLI starts one, or several. */
  host: number;
  call: string;
  request: Record<string, unknown>;
  answer: Record<string, unknown>;
}

/** A program that the host has run: of its environment what it adds itself. */
export interface RunProgram {
  arguments: string[];
  environment: Record<string, string>;
  directory: string;
}

/** What an engine and its hosts said to each other, and what the hosts did. */
export interface Conversation {
  /** The folder that each host was started in. */
  hosts: string[];
  calls: Call[];
  programs: RunProgram[];
}

const PULUMI = JSON.stringify({ resource: true, name: "two", version: "v2.0.0", server: "https://plugins.example" });

/** In npm's own form: Pulumi's host reads it by lines. */
const LOCK = JSON.stringify(
  {
    name: "typed",
    lockfileVersion: 3,
    packages: {
      "": { name: "typed", dependencies: { one: "1.0.0" } },
      "node_modules/one": { version: "1.0.0" },
      "node_modules/one/node_modules/two": { version: "1.5.0" },
    },
  },
  null,
  2,
);

/** Programs, a policy pack and a plugin, each with something that a host has to heed. */
const FILES: Record<string, string> = {
  // Pulumi's own TypeScript, with a configuration elsewhere than it is looked for.
  "typed/Pulumi.yaml": `name: typed\nruntime: { name: nodejs, options: { tsconfig: config/tsconfig.json, packagemanager: npm } }\n`,
  "typed/config/tsconfig.json": `{ "compilerOptions": { "target": "es2020", "module": "nodenext", "moduleResolution": "nodenext", "rootDir": ".." } }`,
  "typed/index.ts": `import { Config } from "@pulumi/pulumi";\nexport const value: string = new Config().require("plain");\n`,
  "typed/package.json": `{ "name": "typed", "dependencies": { "one": "1.0.0" } }`,
  "typed/package-lock.json": LOCK,
  "typed/node_modules/@pulumi/aws/package.json": `{ "name": "@pulumi/aws", "version": "7.0.0", "pulumi": { "resource": true } }`,
  "typed/node_modules/one/package.json": `{ "name": "one", "version": "1.0.0" }`,
  "typed/node_modules/one/node_modules/two/package.json": `{ "name": "two", "version": "1.5.0", "pulumi": ${PULUMI} }`,
  // JavaScript in a folder of its own, with arguments for Node of which one has a blank.
  "plain/Pulumi.yaml": `name: plain\nmain: lib/\nruntime: { name: nodejs, options: { typescript: false, nodeargs: '--max-old-space-size=512 --require "../start here.cjs"' } }\n`,
  "plain/start here.cjs": `global.started = true;\n`,
  "plain/package.json": `{ "name": "plain" }`,
  "plain/lib/index.js": `exports.started = global.started;\n`,
  // One that ends by itself, and one whose fault Pulumi tells the user.
  "failed/Pulumi.yaml": `name: failed\nruntime: { name: nodejs, options: { typescript: false } }\n`,
  "failed/index.js": `process.exit(3);\n`,
  "failed/package.json": `{ "name": "failed" }`,
  "told/Pulumi.yaml": `name: told\nruntime: { name: nodejs, options: { typescript: false } }\n`,
  "told/index.js": `throw new Error("no");\n`,
  "told/package.json": `{ "name": "told" }`,
  "pack/PulumiPolicy.yaml": `runtime: { name: nodejs, options: { typescript: false } }\n`,
  "pack/index.js": `new (require("@pulumi/policy").PolicyPack)("pack", { policies: [] });\n`,
  "pack/package.json": `{ "name": "pack", "version": "1.0.0" }`,
  "plugin/PulumiPlugin.yaml": `runtime: nodejs\n`,
  "plugin/index.ts": `import { ComponentResource } from "@pulumi/pulumi";\nexport class Part extends ComponentResource {\n  constructor(name: string, args: PartArgs) {\n    super("plugin:index:Part", name, args);\n  }\n}\nexport interface PartArgs {\n  size?: number;\n}\n`,
  "plugin/package.json": `{ "name": "plugin", "version": "1.0.0", "main": "index.ts" }`,
  "plugin/tsconfig.json": `{ "compilerOptions": { "target": "es2020", "module": "commonjs" } }`,
};

/** Notes how it was started, but not Node's version and the small scripts by which Pulumi's host resolves modules. */
const NOTE = `
const [, , ...args] = process.argv;
const own = ([name]) => /^PULUMI_(NODEJS_.*|CONFIG|CONFIG_SECRET_KEYS)$/.test(name);
const environment = Object.fromEntries(Object.entries(process.env).filter(own).sort());
const line = JSON.stringify({ arguments: args, environment, directory: process.cwd() });
if (!/^(-e|--version)$/.test(args[0])) require("node:fs").appendFileSync(__dirname + "/programs.jsonl", line + "\\n");
`;

/** Folders of programs for a host to run, and a `node` and an `npm` before those of PATH that note what it runs. */
export class Stage {
  readonly bin: string;

  /**
   * @param folder an empty one
   * @param really whether Node then runs; else it ends as it would have
   */
  constructor(
    readonly folder: string,
    really: boolean,
  ) {
    this.bin = path.join(folder, "bin");
    for (const [name, text] of Object.entries(FILES)) write(path.join(folder, name), text);
    for (const name of ["typed", "plain", "failed", "told", "pack", "plugin"]) {
      const packages = path.join(folder, name, "node_modules/@pulumi");
      mkdirSync(packages, { recursive: true });
      for (const one of name === "pack" ? ["pulumi", "policy"] : ["pulumi"])
        symlinkSync(path.join(ROOT, "node_modules/@pulumi", one), path.join(packages, one), "junction");
    }
    write(path.join(this.bin, "note.cjs"), NOTE);
    const node = `'${process.execPath}'`;
    const ends = `case "$*" in *run-plugin*) echo 54321 ;; *run-policy-pack*) exec ${node} "$@" ;; *'--project failed'*) exit 3 ;; *'--project told'*) exit 32 ;; esac`;
    const runs = `case $1 in -e | --version) exec ${node} "$@" ;; esac\n${really ? `exec ${node} "$@"` : ends}`;
    this.program("node", `${node} '${this.bin}/note.cjs' "$@"\n${runs}`);
    this.program(
      "npm",
      `[ "$1" = --version ] && echo 10.0.0 && exit\n${node} '${this.bin}/note.cjs' npm "$@"\necho installed`,
    );
  }

  programs(): RunProgram[] {
    const lines = readFileSync(path.join(this.bin, "programs.jsonl"), "utf8").trimEnd().split("\n");
    return lines.map((line) => JSON.parse(line) as RunProgram);
  }

  /** A conversation without what is different each time, and what Pulumi's host adds for old versions of its SDK. */
  normalised({ hosts, calls, programs }: Conversation): Conversation {
    const text = JSON.stringify({
      hosts,
      calls: calls.map((one) => (one.call === "getPluginInfo" ? { ...one, answer: {} } : one)),
      programs: programs.map((one) => ({ ...one, arguments: withoutFlag(one.arguments, "--sync") })),
    });
    const general = text
      .replaceAll(this.folder, "<stage>")
      .replaceAll(ROOT, "<repository>")
      .replaceAll(process.version, "<node>")
      .replaceAll(/127\.0\.0\.1:\d+/g, "<address>")
      .replaceAll(/"stdout":"\d+\\n/g, '"stdout":"<port>\\n');
    return JSON.parse(general) as Conversation;
  }

  private program(name: string, script: string): void {
    const file = path.join(this.bin, name);
    write(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, 0o755);
  }
}

function withoutFlag(args: string[], flag: string): string[] {
  const at = args.indexOf(flag);
  return at < 0 ? args : [...args.slice(0, at), ...args.slice(at + 2)];
}

function write(file: string, text: string): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
}
