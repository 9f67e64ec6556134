import assert from "node:assert/strict";
import { EngineStack } from "./stack";

describe("the engine: the life of a stack", function () {
  let stack: EngineStack;
  before(async function () {
    stack = await EngineStack.start(this);
  });
  after(() => stack?.stop());

  it("creates everything, and deploys once", async () => {
    const { changes } = await stack.up();
    assert.deepEqual([...new Set(Object.values(changes))], ["create"]);
    assert.equal(stack.deployments.all.length, 1);
  });

  it("then has nothing to do, runs no command and evaluates once", async () => {
    const evaluations = stack.deployments.evaluations;
    const { changes } = await stack.succeed("preview", "--expect-no-changes");
    assert.deepEqual(changes, {});
    assert.deepEqual((await stack.up("--expect-no-changes")).changes, {});
    assert.equal(stack.deployments.all.length, 1);
    assert.equal(stack.deployments.evaluations, evaluations + 2);
  });
});
