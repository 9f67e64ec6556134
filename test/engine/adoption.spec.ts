import assert from "node:assert/strict";
import { adopt } from "../../cli/adopt/run";
import { heard } from "../support/heard";
import { realContext } from "../../cli/common/context";
import { EngineStack } from "./stack";

// Stacks that take over what is there: an existing repository, and their own resources under another name.

describe("the engine: adoption", function () {
  let stack: EngineStack;
  before(async function () {
    stack = await EngineStack.settled(this);
  });
  after(() => stack?.stop());

  const repository = () => stack.fakes.github.repository("pulumi-nixos")!;

  it("a retained repository can leave the stack; protection and deploy key stay", async () => {
    stack.configure({ "repository.onDestroy": "retain" });
    assert.deepEqual((await stack.up()).changes, { "nixos-repository": "update" });
    stack.configure({ "repository.create": "false" });
    const { changes } = await stack.up();
    assert.deepEqual(Object.keys(changes), ["nixos-repository"]);
    assert.equal(repository().archived, false);
    assert.deepEqual([repository().protections.size, repository().deployKeys.size], [1, 1]);
  });

  it("without an import, taking it back is refused by GitHub", async () => {
    stack.configure({ "repository.create": "true" });
    assert.match((await stack.fail("up", "--yes", "--skip-preview")).errors, /name already exists on this account/);
  });

  it("an import takes it back, and the next up has nothing to do", async () => {
    const context = realContext({ folder: stack.project, env: stack.environment });
    const said: string[] = [];
    const code = await adopt(["nixos-repository=pulumi-nixos", "--stack", "suite"], context, heard(said));
    assert.deepEqual([code, said[0]], [0, "imported nixos-repository (github.Repository) pulumi-nixos"]);
    await stack.up();
    await stack.succeed("preview", "--expect-no-changes");
    assert.equal(repository().archived, false);
  });

  it("renamed with an alias, nothing is replaced but the deploy key, whose title tells the name", async () => {
    const before = stack.deployments.all.length;
    stack.edit("index.ts", (text) =>
      text
        .replace('"nixos",', '"server",')
        .replace(/(stackConfig\([^;]*\)),?\n\);/, '$1,\n  { aliases: [{ name: "nixos" }] },\n);'),
    );
    const { changes } = await stack.up();
    assert.deepEqual(changes, {
      // Removed under its old name, added under its new one: GitHub takes a key only once.
      "nixos-repository-deploy-key": "replace",
      "server-repository-deploy-key": "replace",
      // The tag Name follows.
      server: "update",
      "server-security-group": "update",
      "server-address": "update",
    });
    assert.equal(stack.deployments.all.length, before);
    await stack.succeed("preview", "--expect-no-changes");
  });
});
