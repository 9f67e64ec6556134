import assert from "node:assert/strict";
import { partsOfUrn } from "../../cli/render/change";
import { type CliRun, EngineStack } from "./stack";
import { interrupt, kill, standingStill } from "./standstill";
import { ADDRESS, assertWhole, DEPLOY_KEY, INSTANCE, inTheCloud, KEY, PROTECTION, REPOSITORY, SERVED } from "./whole";

// The first update, interrupted while the engine waits for one of its steps, and then made to its end.

const PARTS = { "a key": KEY, ...SERVED };

/** What may not be made anew after it was imported; a key pair or a group, whose names Pulumi makes, may. */
const PRECIOUS = [REPOSITORY, INSTANCE, ADDRESS, PROTECTION, DEPLOY_KEY];

describe("the engine: a first update that is interrupted", function () {
  let stack: EngineStack;
  beforeEach(async function () {
    stack = await EngineStack.start(this);
  });
  afterEach(() => stack?.stop());

  const pendingUrns = async () => (await stack.pending()).map(({ resource }) => resource.urn);

  /** The next update does the rest, and the deployment once. */
  async function finish(): Promise<CliRun> {
    const run = await stack.up();
    await assertWhole(stack);
    assert.equal(stack.deployments.all.length, 1);
    // What a killed update had begun is warned of until somebody says that they have looked.
    await stack.succeed("refresh", "--yes", "--skip-preview", "--clear-pending-creates", "--expect-no-changes");
    assert.deepEqual(await stack.pending(), []);
    return run;
  }

  for (const [part, type] of Object.entries(PARTS)) {
    // Fault 38
    it(`killed before the service hears of ${part}, then interrupted at it: the third goes on from there`, async () => {
      const lost = stack.watch.hold("create", [type], "before");
      await kill(stack, await standingStill(stack, "up", part, lost.reached));
      lost.lose();
      const pending = await pendingUrns();
      const held = stack.watch.hold("create", [type], "before");
      const running = await standingStill(stack, "up", part, held.reached);
      await interrupt(running);
      held.release();
      const { code, printed } = await running.end;
      assert.notEqual(code, 0);
      assert.doesNotMatch(printed, /panic|goroutine/);
      // Ctrl-C ends an update in order: what was begun is finished and remembered.
      assert.deepEqual(await pendingUrns(), pending);
      assert.match((await finish()).printed, /pending operations from previous deployment/);
    });
  }

  // Fault 39
  it("killed in the evaluation, then interrupted in it: the third goes on from there", async () => {
    const release = stack.deployments.holdEvaluations();
    const evaluating = () => stack.deployments.evaluated(stack.deployments.evaluations + 1);
    await kill(stack, await standingStill(stack, "up", "the evaluation", evaluating()));
    const running = await standingStill(stack, "up", "the evaluation", evaluating());
    running.signal("SIGINT");
    assert.notEqual((await running.end).code, 0);
    release();
    assert.equal(stack.deployments.all.length, 0);
    await finish();
  });

  for (const [part, type] of Object.entries(PARTS).filter(([, each]) => each !== KEY)) {
    // Fault 40
    it(`killed after the service made ${part}: it is imported, and not made twice`, async () => {
      const held = stack.watch.hold("create", [type], "after");
      await kill(stack, await standingStill(stack, "up", part, held.reached));
      held.release();
      const [pending] = await stack.pending();
      assert.equal(pending!.resource.type, type);
      const [id] = inTheCloud(stack.fakes)[type]!;
      await stack.succeed("refresh", "--yes", "--skip-preview", "--clear-pending-creates");
      const { urn, parent } = pending!.resource;
      await stack.adopt(type, partsOfUrn(urn).name, importId(type, id!), parent);
      await finish();
      if (PRECIOUS.includes(type)) assert.deepEqual(inTheCloud(stack.fakes)[type], [id]);
    });
  }
});

/** A protection is imported by its branch. */
function importId(type: string, id: string): string {
  return type === PROTECTION ? "pulumi-nixos:main" : id;
}
