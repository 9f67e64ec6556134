import assert from "node:assert/strict";
import { EngineStack } from "./stack";
import { interrupt, kill, standingStill } from "./standstill";
import { assertGone, SERVED } from "./whole";

// A stack whose destruction is interrupted while the engine waits for one of its steps.

describe("the engine: a destruction that is interrupted", function () {
  let stack: EngineStack;
  beforeEach(async function () {
    stack = await EngineStack.settled(this);
  });
  afterEach(() => stack?.stop());

  async function finish(): Promise<void> {
    await stack.succeed("destroy", "--yes", "--skip-preview");
    await assertGone(stack);
    assert.equal(stack.deployments.all.length, 1);
  }

  for (const [part, type] of Object.entries(SERVED)) {
    // Fault 44
    it(`killed before and after the service deleted ${part}: the next one finishes the job`, async () => {
      const lost = stack.watch.hold("delete", [type], "before");
      await kill(stack, await standingStill(stack, "destroy", part, lost.reached));
      lost.lose();
      const done = stack.watch.hold("delete", [type], "after");
      await kill(stack, await standingStill(stack, "destroy", part, done.reached));
      done.release();
      await finish();
    });
  }

  it("by Ctrl-C at any step: each goes on where the one before has stopped", async () => {
    const types = Object.values(SERVED);
    while (types.length > 0) {
      const held = stack.watch.hold("delete", types, "before");
      const running = await standingStill(stack, "destroy", "the next step", held.reached);
      types.splice(types.indexOf(held.type()), 1);
      await interrupt(running);
      held.release();
      assert.doesNotMatch((await running.end).printed, /panic|goroutine/);
      assert.deepEqual(await stack.pending(), []);
    }
    await finish();
  });
});
