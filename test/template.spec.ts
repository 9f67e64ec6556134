/**
 * The project as a template: the section of Pulumi.yaml that `pulumi new` reads, and the files that it would copy.
 * Cannot prove: what it makes of them (test/system/template.spec.ts by Pulumi's rules, test/engine/template.spec.ts by
 * Pulumi itself).
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { parse } from "yaml";
import { ROOT } from "../cli/rehearse/project";
import { requireCommands } from "./require";
import { repositoryFiles } from "./support/template";

interface Template {
  description: string;
  quickstart: string;
  config: Record<string, { description: string; default: string }>;
}

const { template } = parse(readFileSync(path.join(ROOT, "Pulumi.yaml"), "utf8")) as { template: Template };

describe("the template section of Pulumi.yaml", () => {
  it("asks only for what it can set: `pulumi new` sets no key of a group", () => {
    for (const [key, { description }] of Object.entries(template.config)) assert.ok(description.length > 5, key);
    assert.deepEqual(Object.keys(template.config), ["aws:region"]);
  });

  it("names no project in its keys: the new one has a name of its own", () => {
    assert.ok(Object.keys(template.config).every((key) => !key.startsWith("pulumi-nixos:")));
    const stack = parse(readFileSync(path.join(ROOT, "Pulumi.dev.yaml"), "utf8")) as { config: object };
    assert.ok(Object.keys(stack.config).every((key) => !key.startsWith("pulumi-nixos:")));
  });

  it("names scripts that there are in its quick start", () => {
    const { scripts } = JSON.parse(readFileSync(path.join(ROOT, "package.json"), "utf8")) as { scripts: object };
    const named = [...template.quickstart.matchAll(/npm run (\S+)/g)].map(([, script]) => script!);
    assert.deepEqual(named, ["setup", "rehearse"]);
    for (const script of named) assert.ok(script in scripts, script);
  });
});

describe("the files of the repository", () => {
  before(function () {
    requireCommands(this, "git", "git");
  });

  it("have no text in which `pulumi new` would put a project's name or description", () => {
    // In two parts, or this file would be one.
    const placeholders = ["PROJECT", "DESCRIPTION"].map((name) => `$\{${name}}`);
    const found = repositoryFiles().filter((file) => {
      const text = readFileSync(path.join(ROOT, file), "latin1");
      return placeholders.some((placeholder) => text.includes(placeholder) || file.includes(placeholder));
    });
    assert.deepEqual(found, []);
  });
});
