/**
 * The files of the examples: short programs, and READMEs whose commands, keys, outputs and links there are.
 * Cannot prove: that the prices are still these.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { parse } from "yaml";
import { ROOT } from "../../cli/rehearse/project";
import { EXAMPLES } from "./definitions";

const FOLDER = path.join(ROOT, "examples");
const SECTIONS = ["What it makes", "Run it", "What it costs", "What to change"];

interface Manifest {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  scripts?: Record<string, string>;
}

const read = (...names: string[]) => readFileSync(path.join(FOLDER, ...names), "utf8");
const manifest = (name: string) => JSON.parse(read(name, "package.json")) as Manifest;
const rootScripts = (JSON.parse(readFileSync(path.join(ROOT, "package.json"), "utf8")) as Manifest).scripts!;
const matches = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, found]) => found!);

describe("the files of the examples", () => {
  it("are all rehearsed: every folder with a TypeScript program is among the definitions", () => {
    const folders = readdirSync(FOLDER).filter((name) => existsSync(path.join(FOLDER, name, "package.json")));
    assert.deepEqual(folders.sort(), EXAMPLES.map(({ name }) => name).sort());
  });

  it("are in the list, which has links to all folders", () => {
    const folders = readdirSync(FOLDER, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    const linked = matches(read("README.md"), /\]\(([a-z0-9-]+)\)/g);
    assert.deepEqual(linked.sort(), folders.map(({ name }) => name).sort());
  });

  it("have one and the same tsconfig.json", () => {
    assert.equal(new Set(EXAMPLES.map(({ name }) => read(name, "tsconfig.json"))).size, 1);
  });

  for (const example of EXAMPLES) {
    describe(example.name, () => {
      const programs = [...new Set(example.programs.map(({ folder }) => folder))];
      const readme = read(example.name, "README.md");
      const source = programs.map((folder) => read(folder, "index.ts")).join("\n");
      const projects = programs.map(
        (folder) => parse(read(folder, "Pulumi.yaml")) as { name: string; config?: Record<string, object> },
      );

      it("has programs under 60 lines", () => {
        for (const folder of programs) assert.ok(read(folder, "index.ts").trimEnd().split("\n").length < 60, folder);
      });

      it("depends on what it imports, and on the components as others do", () => {
        const { dependencies, devDependencies } = manifest(example.name);
        const imported = matches(source, /from "((?:@pulumi\/)?[a-z]+)/g).filter((name) => name !== "node");
        for (const name of imported) assert.ok(name in dependencies, name);
        assert.equal(dependencies["nixos"], "file:../../components");
        // Copied out, it would be compiled by the TypeScript 3.8 that Pulumi brings, which does not know its tsconfig.json.
        assert.ok("typescript" in devDependencies);
      });

      it("reads every key that it describes, and describes every key that it reads", () => {
        const described = projects.flatMap(({ config = {} }) => Object.keys(config));
        const used = matches(source, /(?:config|Config\(\))\.(?:get|require)\w*(?:<[^>]+>)?\("(\w+)"\)/g);
        assert.deepEqual([...new Set(used)].sort(), [...new Set(described)].sort());
      });

      it("has a README with every section", () => {
        for (const section of SECTIONS) assert.match(readme, new RegExp(`^## ${section}$`, "m"));
      });

      it("names keys, scripts and outputs in its README that there are", () => {
        const keys = matches(readme, /pulumi config set (?:--path ')?([\w:]+)/g);
        const known = projects.flatMap(({ config = {} }) => Object.keys(config));
        for (const key of keys) assert.ok(known.includes(key) || key === "aws:region", key);
        const scripts = { ...rootScripts, ...manifest(example.name).scripts };
        for (const script of matches(readme, /npm run ([\w:-]+)/g)) assert.ok(script in scripts, script);
        for (const output of matches(readme, /pulumi stack output (\w+)/g))
          assert.match(source, new RegExp(`^export const ${output} =`, "m"));
      });

      it("links to files that there are", () => {
        for (const link of matches(readme, /\]\((?!https?:)([^)#]+)/g))
          assert.ok(existsSync(path.join(FOLDER, example.name, link)), link);
      });
    });
  }
});
