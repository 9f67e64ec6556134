import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { eventually } from "./eventually";
import { EngineStack } from "./stack";
import { kill, standingStill } from "./standstill";
import { assertWhole, INSTANCE } from "./whole";

// A stack whose next update is interrupted: in its deployment, and while its machine is changed or replaced.
// Deployments that are interrupted in each of their own phases: test/system/deploy-interrupted.spec.ts and
// deploy-killed.spec.ts.

describe("the engine: a later update that is interrupted", function () {
  let stack: EngineStack;
  beforeEach(async function () {
    stack = await EngineStack.settled(this);
  });
  afterEach(() => stack?.stop());

  const machine = () => [...stack.fakes.ec2.instances.values()][0]!;

  describe("in its deployment", () => {
    beforeEach(() => {
      stack.editSystem();
      stack.deployments.behave("hold");
    });

    it("by Ctrl-C: nothing is left running, and the next one deploys", async () => {
      const running = await standingStill(stack, "up", "the deployment", stack.deployments.started(2));
      running.signal("SIGINT");
      const { code, printed } = await running.end;
      assert.notEqual(code, 0);
      // The command provider lets a program do nothing more when the engine is interrupted.
      assert.match(printed, /signal: (killed|SIGKILL)/);
      const { pid } = stack.deployments.all[1]!;
      await eventually(`the end of process ${pid}`, () => !isRunning(pid));
      stack.deployments.behave("succeed");
      assert.deepEqual((await stack.up()).changes, { "nixos-deployment": "replace" });
      await assertWhole(stack);
    });

    // Fault 41
    it("killed: the next one is refused until the lock is removed, and then deploys", async () => {
      const running = await standingStill(stack, "up", "the deployment", stack.deployments.started(2));
      running.signal("SIGKILL");
      await running.end;
      stack.deployments.behave("succeed");
      const refused = await stack.fail("up", "--yes", "--skip-preview");
      assert.match(refused.printed, /the stack is currently locked by 1 lock/);
      await stack.succeed("cancel", "--yes");
      assert.deepEqual((await stack.up()).changes, { "nixos-deployment": "replace" });
      assert.equal(stack.deployments.all.length, 3);
      await assertWhole(stack);
    });
  });

  it("by Ctrl-C in the real deployment program, which is killed: the next one removes its key's folder", async () => {
    stack.deployments.behave("real");
    stack.editSystem();
    stack.configure({ "deployment.allowDirty": "true" });
    const folders = () =>
      readdirSync(stack.environment["TMPDIR"]!).filter((name) => name.startsWith("pulumi-nixos-deploy."));
    const deploying = () => folders().filter((name) => isRunning(Number(name.split(".")[2])));
    const inFolder = () => eventually("the key's folder", () => deploying().length === 1);
    const first = await standingStill(stack, "up", "the deployment", inFolder());
    const [left] = folders();
    first.signal("SIGINT");
    assert.notEqual((await first.end).code, 0);
    await eventually("the end of the program", () => deploying().length === 0);
    const second = await standingStill(stack, "up", "the deployment", inFolder());
    await eventually("the end of the first folder", () => !folders().includes(left!));
    second.signal("SIGINT");
    await second.end;
  });

  for (const moment of ["before", "after"] as const) {
    // Fault 42
    it(`killed ${moment} EC2 changed the machine: the next one finds it, and changes no more than asked for`, async () => {
      const { id, boots } = machine();
      stack.configure({ "machine.instanceType": "t3.medium" });
      const held = stack.watch.hold("update", [INSTANCE], moment);
      await kill(stack, await standingStill(stack, "up", "the change", held.reached));
      if (moment === "before") held.lose();
      else held.release();
      await stack.up();
      assert.deepEqual([machine().id, machine().type, machine().boots], [id, "t3.medium", boots + 1]);
      await assertWhole(stack);
    });

    // Fault 43
    it(`killed ${moment} EC2 deleted the machine that was replaced: the next one leaves the new machine alone`, async () => {
      const old = machine().id;
      stack.configure({ "machine.amiId": stack.fakes.ec2.images[0]!.id });
      const held = stack.watch.hold("delete", [INSTANCE], moment);
      await kill(stack, await standingStill(stack, "up", "the deletion", held.reached));
      const made = [...stack.fakes.ec2.instances.keys()].find((id) => id !== old);
      if (moment === "before") held.lose();
      else held.release();
      await stack.up();
      assert.deepEqual([...stack.fakes.ec2.instances.keys()], [made]);
      await assertWhole(stack);
      assert.equal(stack.deployments.all.at(-1)!.environment["DEPLOY_HOST"], address());
    });
  }

  it("killed before EC2 made the new machine: the old one stays until the next one has made another", async () => {
    const old = machine().id;
    stack.configure({ "machine.amiId": stack.fakes.ec2.images[0]!.id });
    const held = stack.watch.hold("create", [INSTANCE], "before");
    await kill(stack, await standingStill(stack, "up", "the new machine", held.reached));
    held.lose();
    assert.deepEqual([...stack.fakes.ec2.instances.keys()], [old]);
    await stack.up();
    assert.notEqual(machine().id, old);
    await assertWhole(stack);
  });

  it("killed after EC2 made the new machine: terminated by hand, nothing of it is left", async () => {
    const old = machine().id;
    stack.configure({ "machine.amiId": stack.fakes.ec2.images[0]!.id });
    const held = stack.watch.hold("create", [INSTANCE], "after");
    await kill(stack, await standingStill(stack, "up", "the new machine", held.reached));
    held.release();
    const [pending] = await stack.pending();
    assert.equal(pending!.resource.type, INSTANCE);
    for (const id of stack.fakes.ec2.instances.keys()) if (id !== old) stack.fakes.ec2.instances.delete(id);
    await stack.succeed("refresh", "--yes", "--skip-preview", "--clear-pending-creates");
    await stack.up();
    await assertWhole(stack);
    assert.deepEqual(await stack.pending(), []);
  });

  const address = () => [...stack.fakes.ec2.addresses.values()][0]!.publicIp;
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
