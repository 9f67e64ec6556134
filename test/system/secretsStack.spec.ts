/**
 * What the secrets' subcommands ask of the Pulumi CLI, with the real one: outputs, a secret output, and a list of numbers
 * in the configuration that stays one.
 * Cannot prove: that the program has these outputs (test/program.spec.ts does); here a program of a few lines has them.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { realContext, type Context } from "../../cli/common/context";
import { pulumiStack } from "../../cli/secrets/stack";
import { engineEnvironment } from "../../cli/rehearse/drivers/engineRun";
import { requireEngine } from "../support/engine";

describe("the stack, asked with the real Pulumi CLI", () => {
  let cli: string;
  let folder: string;
  let context: Context;

  before(async function () {
    cli = await requireEngine(this);
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "secrets-stack-"));
    const env = engineEnvironment(cli, folder, { PATH: process.env["PATH"], HOME: folder }, []);
    context = realContext({ folder, env });
    fs.symlinkSync(path.resolve("node_modules"), path.join(folder, "node_modules"));
    write("package.json", '{ "name": "stack", "main": "index.js" }');
    write("Pulumi.yaml", "name: stack\nruntime: { name: nodejs, options: { typescript: false } }\n");
    write(
      "index.js",
      `const pulumi = require("@pulumi/pulumi");
const config = new pulumi.Config();
const former = config.getObject("keyGenerations");
const versions = config.getObject("keyVersions") ?? former ?? [1];
exports[former === undefined ? "keyVersions" : "keyGenerations"] = versions;
exports.ageRecipients = versions.map((number) => "recipient " + number);
exports.loginPublicKeys = versions.map((number) => "key " + number);
exports.url = "http://machine.example";
exports[former === undefined ? "machineKey" : "identityKey"] = pulumi.secret("the private key");
`,
    );
    pulumi("stack", "init", "dev");
  });
  after(() => {
    // Absent when the suite was skipped.
    if (folder) fs.rmSync(folder, { recursive: true, force: true });
  });

  function write(file: string, text: string): void {
    fs.writeFileSync(path.join(folder, file), text);
  }

  function pulumi(...args: string[]): void {
    execFileSync(cli, ["--cwd", folder, "--non-interactive", ...args], { env: context.env, stdio: "pipe" });
  }

  it("has no keys before the first update, and the default in its configuration", async () => {
    assert.equal(await pulumiStack(context).keys(), undefined);
    assert.deepEqual(await pulumiStack(context).configuredVersions(), [1]);
  });

  const stateOf = (versions: number[]) => ({
    versions,
    recipients: versions.map((number) => `recipient ${number}`),
    loginPublicKeys: versions.map((number) => `key ${number}`),
    url: "http://machine.example",
  });

  it("reads what the last version left, and goes on from it under the names of today", async () => {
    const stack = pulumiStack(context);
    pulumi("config", "set", "--path", "keyGenerations[0]", "3");
    pulumi("up", "--yes", "--skip-preview");
    assert.deepEqual(await stack.keys(), stateOf([3]));
    assert.equal((await stack.machineKey()).trim(), "the private key");
    assert.deepEqual(await stack.configuredVersions(), [3]);
    await stack.configureVersions([3, 4]);
    assert.deepEqual(await stack.configuredVersions(), [3, 4]);
    assert.doesNotMatch(fs.readFileSync(path.join(folder, "Pulumi.dev.yaml"), "utf8"), /keyGenerations/);
  });

  it("takes every step of a rotation, each followed by an update", async () => {
    const stack = pulumiStack(context);
    for (const versions of [[1], [1, 2], [2, 1], [2]]) {
      await stack.configureVersions(versions);
      assert.deepEqual(await stack.configuredVersions(), versions);
      pulumi("up", "--yes", "--skip-preview");
      assert.deepEqual(await stack.keys(), stateOf(versions));
    }
  });

  it("shows the private key when it is asked for", async () => {
    assert.equal((await pulumiStack(context).machineKey()).trim(), "the private key");
  });

  it("says what to do when no stack is selected", async () => {
    pulumi("stack", "unselect");
    await assert.rejects(pulumiStack(context).keys(), {
      name: "UserError",
      message: /Select it with `npx pulumi stack select`/,
    });
  });
});
