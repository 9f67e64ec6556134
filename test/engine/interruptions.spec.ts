import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { eventually } from "./eventually";
import { EngineStack, type RunningCli } from "./stack";

// Updates that are interrupted while the engine waits for one of their steps. Deployments that are interrupted in each
// of their own phases: test/system/deploy-interrupted.spec.ts and deploy-killed.spec.ts.

/** One step at a time, so that the one that is held is the only one that goes on. */
const UP = ["up", "--yes", "--skip-preview", "--parallel", "1"] as const;

const KEY_PAIR = "aws:ec2/keyPair:KeyPair";
const PROTECTION = "github:index/branchProtection:BranchProtection";
const ADDRESS = "aws:ec2/eip:Eip";
const REPOSITORY = "github:index/repository:Repository";
const INSTANCE = "aws:ec2/instance:Instance";

describe("the engine: an update that is interrupted", function () {
  let stack: EngineStack;
  beforeEach(async function () {
    stack = await EngineStack.start(this);
  });
  afterEach(() => stack?.stop());

  /** What there is of each kind. */
  const inTheCloud = () => {
    const { keys, groups, instances, addresses } = stack.world.ec2;
    const repositories = [...stack.world.github.repositories.values()];
    return {
      keys: keys.size,
      groups: groups.size,
      instances: instances.size,
      addresses: addresses.size,
      repositories: repositories.length,
      protections: repositories.flatMap(({ protections }) => [...protections]).length,
      deployKeys: repositories.flatMap(({ deployKeys }) => [...deployKeys]).length,
    };
  };
  const ONE_OF_EACH = {
    keys: 1,
    groups: 1,
    instances: 1,
    addresses: 1,
    repositories: 1,
    protections: 1,
    deployKeys: 1,
  };

  /** Begins an update and waits until it stands still; fails when it ends before. */
  async function until(what: string, reached: Promise<void>): Promise<RunningCli> {
    const running = stack.begin(...UP);
    const tooEarly = running.end.then(({ printed }) => {
      throw new Error(`the update ended before ${what}:\n${printed}`);
    });
    await Promise.race([reached, tooEarly]);
    tooEarly.catch(() => {});
    return running;
  }

  it("by SIGINT, at any step: what was begun is finished and remembered, and the next one goes on from there", async () => {
    // Whichever comes next is held; each kind once.
    const kinds = [KEY_PAIR, REPOSITORY, PROTECTION, INSTANCE, ADDRESS];
    while (kinds.length > 0) {
      const held = stack.watch.hold("create", kinds, "before");
      const running = await until(kinds.join(" or "), held.reached);
      kinds.splice(kinds.indexOf(held.type()), 1);
      running.signal("SIGINT");
      await saying(running, /cancel/i);
      held.release();
      const { code, printed } = await running.end;
      assert.notEqual(code, 0);
      assert.doesNotMatch(printed, /panic|goroutine/);
      assert.deepEqual(await stack.pending(), [], held.type());
    }
    assert.equal(stack.deployments.all.length, 0);
    await stack.up();
    assert.deepEqual(inTheCloud(), ONE_OF_EACH);
    assert.equal(stack.deployments.all.length, 1);
    await stack.succeed("preview", "--expect-no-changes");
  });

  it("by SIGINT in the deployment: nothing is left running, and the next one deploys", async () => {
    stack.deployments.behave("hold");
    const running = await until("the deployment", stack.deployments.started(1));
    running.signal("SIGINT");
    const { code, printed } = await running.end;
    assert.notEqual(code, 0);
    // The command provider lets a program do nothing more when the engine is interrupted.
    assert.match(printed, /signal: (killed|SIGKILL)/);
    await goneWithin(10, stack.deployments.all[0]!.pid);
    stack.deployments.behave("succeed");
    assert.deepEqual((await stack.up()).changes, { "nixos-deployment": "create" });
    assert.deepEqual(inTheCloud(), ONE_OF_EACH);
  });

  it("by SIGKILL before the services hear of it: after `pulumi cancel` the next one goes on from there", async () => {
    const kinds = [KEY_PAIR, PROTECTION, ADDRESS];
    while (kinds.length > 0) {
      const held = stack.watch.hold("create", kinds, "before");
      const running = await until(kinds.join(" or "), held.reached);
      kinds.splice(kinds.indexOf(held.type()), 1);
      running.signal("SIGKILL");
      await running.end;
      held.lose();
      await stack.succeed("cancel", "--yes");
    }
    stack.deployments.behave("hold");
    const running = await until("the deployment", stack.deployments.started(1));
    running.signal("SIGKILL");
    await running.end;
    stack.deployments.behave("fail");
    assert.match((await stack.fail(...UP)).printed, /currently locked by 1 lock/);
    await stack.succeed("cancel", "--yes");
    stack.deployments.behave("succeed");
    assert.deepEqual((await stack.up()).changes, { "nixos-deployment": "create" });
    assert.deepEqual(inTheCloud(), ONE_OF_EACH);
    assert.equal(stack.deployments.all.length, 2);
  });

  it("by SIGKILL after the services did it: what the engine could not remember is imported, not made twice", async () => {
    const kinds = [REPOSITORY, INSTANCE];
    while (kinds.length > 0) {
      const held = stack.watch.hold("create", kinds, "after");
      const running = await until(kinds.join(" or "), held.reached);
      kinds.splice(kinds.indexOf(held.type()), 1);
      running.signal("SIGKILL");
      await running.end;
      held.release();
      await stack.succeed("cancel", "--yes");
      const [pending] = await stack.pending();
      assert.equal(pending!.resource.type, held.type());
      await stack.succeed("refresh", "--yes", "--skip-preview", "--clear-pending-creates");
      if (held.type() === REPOSITORY) await stack.adopt(REPOSITORY, "nixos-repository", "pulumi-nixos");
      else await stack.adopt(INSTANCE, "nixos", [...stack.world.ec2.instances.keys()][0]!);
    }
    await stack.up();
    assert.deepEqual(inTheCloud(), ONE_OF_EACH);
    assert.deepEqual(await stack.pending(), []);
    await stack.succeed("preview", "--expect-no-changes");
  });

  it("by SIGINT in the real deployment program, which is killed: the next one removes its key's folder", async () => {
    stack.deployments.behave("real");
    stack.configure({ allowDirty: "true" });
    const folders = () =>
      readdirSync(stack.environment["TMPDIR"]!).filter((name) => name.startsWith("pulumi-nixos-deploy."));
    const deploying = () => folders().filter((name) => isRunning(Number(name.split(".")[2])));
    const first = await until(
      "the deployment",
      eventually("the key's folder", () => deploying().length === 1),
    );
    const [left] = folders();
    first.signal("SIGINT");
    assert.notEqual((await first.end).code, 0);
    await eventually("the end of the program", () => deploying().length === 0, 10);
    const second = await until(
      "the deployment",
      eventually("the next folder", () => deploying().length === 1),
    );
    await eventually("the end of the first folder", () => !folders().includes(left!), 10);
    second.signal("SIGINT");
    await second.end;
  });
});

async function saying({ printed }: RunningCli, text: RegExp): Promise<void> {
  await eventually(`the CLI says ${text}`, () => text.test(printed()));
}

/** Waits until a process has ended. */
async function goneWithin(seconds: number, pid: number): Promise<void> {
  await eventually(`the end of process ${pid}`, () => !isRunning(pid), seconds);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
