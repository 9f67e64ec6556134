import assert from "node:assert/strict";
import { cpSync, mkdirSync } from "node:fs";
import * as path from "node:path";
import { pulumi } from "./pulumi";
import { EngineStack } from "./stack";

// The same resources under another parent, in another state and in another stack: docs/life-cycle.md. Under another
// name: adoption.spec.ts.

describe("the engine: moves", function () {
  let stack: EngineStack;
  before(async function () {
    stack = await EngineStack.start(this);
    stack.configure({ protect: "true" });
    await stack.up();
  });
  after(() => stack?.stop());

  const resources = async () => (await stack.state()).filter(({ type }) => !type.startsWith("pulumi:"));

  it("under another parent, with an alias, nothing changes, and the alias may go afterwards", async () => {
    const before = await resources();
    stack.edit("index.ts", (text) =>
      text
        .replace("const server = ", 'const site = new pulumi.ComponentResource("example:index:Site", "site");\n\n$&')
        .replace(/^\);$/m, "  { parent: site, aliases: [{ parent: pulumi.rootStackResource }] },\n$&"),
    );
    assert.deepEqual((await stack.up()).changes, {});
    const after = await resources();
    assert.equal(after.length, before.length + 1);
    assert.ok(after.every(({ urn }) => urn.includes("::example:index:Site")));
    stack.edit("index.ts", (text) => text.replace(", aliases: [{ parent: pulumi.rootStackResource }]", ""));
    await stack.succeed("preview", "--expect-no-changes");
  });

  it("in another state, everything is known there, secrets too", async () => {
    const state = path.join(stack.folder, "other-state");
    mkdirSync(state);
    const there = {
      project: stack.project,
      environment: { ...stack.environment, PULUMI_BACKEND_URL: `file://${state}` },
    };
    const exported = await pulumi(stack, ["stack", "export", "--stack", "suite"]);
    await pulumi(there, ["stack", "init", "suite"]);
    await pulumi(there, ["stack", "import", "--stack", "suite"], exported);
    assert.match(await pulumi(there, ["preview", "--expect-no-changes", "--stack", "suite"]), /\d+ unchanged/);
    const key = ["stack", "output", "loginKey", "--show-secrets", "--stack", "suite"];
    assert.equal(await pulumi(there, key), await pulumi(stack, key));
  });

  it("in another stack of the program, the component takes its children along, protected as they are", async () => {
    const component = (await stack.state()).find(({ type }) => type === "example:index:Site")!;
    cpSync(path.join(stack.project, "Pulumi.suite.yaml"), path.join(stack.project, "Pulumi.other.yaml"));
    await pulumi(stack, ["stack", "init", "other", "--no-select"]);
    await pulumi(stack, ["state", "move", "--source", "suite", "--dest", "other", "--yes", component.urn]);
    assert.deepEqual(await resources(), []);
    assert.match(await pulumi(stack, ["preview", "--expect-no-changes", "--stack", "other"]), /\d+ unchanged/);
    await assert.rejects(pulumi(stack, ["destroy", "--yes", "--stack", "other"]), /because it is protected/);
  });
});
