import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { EngineStack } from "./stack";

// The way through to the resources beneath a component, as docs/packages.md shows it.

describe("the engine: transforms", function () {
  let stack: EngineStack;
  before(async function () {
    stack = await EngineStack.settled(this);
  });
  after(() => stack?.stop());

  it("of a component change the resources beneath it, in place", async () => {
    const page = readFileSync(path.resolve("docs/packages.md"), "utf8");
    const [options] = /\{\n {2}transforms: \[.*?\n {2}\],\n\}/s.exec(page) ?? assert.fail("the page has no transforms");
    stack.edit("index.ts", (text) => text.replace(/^\);$/m, `  ${options},\n$&`));
    assert.deepEqual((await stack.up()).changes, { nixos: "update" });
    const machine = (await stack.state()).find(({ type }) => type === "aws:ec2/instance:Instance")!;
    const { rootBlockDevice, tags } = machine.inputs as { rootBlockDevice: object; tags: Record<string, string> };
    assert.deepEqual(rootBlockDevice, { ...rootBlockDevice, encrypted: true, volumeType: "io2", iops: 3000 });
    assert.deepEqual(tags, { ...tags, Name: "nixos", team: "web" });
    await stack.succeed("preview", "--expect-no-changes");
  });
});
