import assert from "node:assert/strict";
import { EngineStack } from "./stack";
import { assertGone, assertWhole, GROUP, INSTANCE } from "./whole";

// The life of one stack, each test on what the one before left.

describe("the engine: the life of a stack", function () {
  let stack: EngineStack;
  before(async function () {
    stack = await EngineStack.start(this);
  });
  after(() => stack?.stop());

  const deployed = () => stack.deployments.all.length;
  const ec2 = () => stack.fakes.ec2;
  const repository = () => stack.fakes.github.repository("pulumi-nixos")!;

  it("creates everything that the preview tells, and deploys once", async () => {
    const told = await stack.succeed("preview");
    assert.equal(ec2().instances.size + stack.fakes.github.repositories.size + deployed(), 0);
    const { changes } = await stack.up();
    assert.deepEqual(changes, told.changes);
    assert.deepEqual([...new Set(Object.values(changes))], ["create"]);
    assert.equal(deployed(), 1);
  });

  it("then has nothing to do: no command runs, and the flake is evaluated once a run", async () => {
    const evaluations = stack.deployments.evaluations;
    assert.deepEqual((await stack.succeed("preview", "--expect-no-changes")).changes, {});
    assert.deepEqual((await stack.up("--expect-no-changes")).changes, {});
    assert.equal(deployed(), 1);
    assert.equal(stack.deployments.evaluations, evaluations + 2);
  });

  it("a refresh of what nobody touched finds nothing", async () => {
    await stack.succeed("refresh", "--yes", "--expect-no-changes");
    assert.equal(deployed(), 1);
  });

  // Fault 48
  it("after drift, a refresh and an up repair what was taken away by hand, and nothing else", async () => {
    const machine = [...ec2().instances.keys()];
    repository().protections.clear();
    repository().deployKeys.clear();
    ec2().keys.clear();
    const [group] = [...ec2().groups.values()];
    const [rule] = [...group!.rules].find(([, { fromPort }]) => fromPort === 80)!;
    group!.rules.delete(rule);
    await stack.succeed("refresh", "--yes");
    const { changes } = await stack.up();
    const [opened, ...others] = Object.keys(changes).sort();
    assert.match(opened!, /^nixos-http-/);
    assert.deepEqual(others, ["nixos-key-key-pair", "nixos-repository-deploy-key", "nixos-repository-protection"]);
    assert.deepEqual([...new Set(Object.values(changes))], ["create"]);
    await assertWhole(stack);
    assert.deepEqual([...ec2().instances.keys()], machine);
    assert.equal(deployed(), 1);
  });

  // Fault 49
  it("after a change by hand, a refresh sees it and an up takes it back", async () => {
    [...ec2().instances.values()][0]!.type = "t3.large";
    repository().visibility = "public";
    const [protection] = [...repository().protections.values()];
    protection!.inputs = { ...protection!.inputs, allowsForcePushes: true };
    await stack.succeed("refresh", "--yes");
    assert.deepEqual((await stack.up()).changes, {
      nixos: "update",
      "nixos-repository": "update",
      "nixos-repository-protection": "update",
    });
    assert.equal([...ec2().instances.values()][0]!.type, "t3.small");
    assert.equal(repository().visibility, "private");
    assert.equal([...repository().protections.values()][0]!.inputs["allowsForcePushes"], false);
    assert.equal(deployed(), 1);
  });

  // Fault 50
  it("a repository that was deleted by hand is made anew, with its protection and its key", async () => {
    stack.fakes.github.repositories.clear();
    stack.fakes.github.formerNames.clear();
    await stack.succeed("refresh", "--yes");
    assert.deepEqual((await stack.up()).changes, {
      "nixos-repository": "create",
      "nixos-repository-protection": "create",
      "nixos-repository-deploy-key": "create",
    });
    await assertWhole(stack);
    assert.equal(deployed(), 1);
  });

  // Fault 51
  it("an address that was released by hand is another one afterwards, and the deployment goes there", async () => {
    ec2().addresses.clear();
    await stack.succeed("refresh", "--yes");
    const { changes } = await stack.up();
    assert.deepEqual(changes, { "nixos-address": "create", "nixos-deployment": "update" });
    await assertWhole(stack);
    assert.equal(deployed(), 2);
    assert.equal(stack.deployments.all.at(-1)!.environment["DEPLOY_HOST"], [...ec2().addresses.values()][0]!.publicIp);
  });

  // Fault 52
  it("a machine that was terminated by hand is made anew under its address, and deployed", async () => {
    const address = [...ec2().addresses.values()][0]!;
    ec2().instances.clear();
    Object.assign(address, { instanceId: undefined, associationId: undefined });
    await stack.succeed("refresh", "--yes");
    const { changes } = await stack.up();
    assert.deepEqual(changes, { nixos: "create", "nixos-address": "update", "nixos-deployment": "replace" });
    assert.equal(deployed(), 3);
    assert.equal(stack.deployments.all.at(-1)!.environment["DEPLOY_HOST"], address.publicIp);
  });

  // Fault 46
  it("a deployment that failed is what the next up does, and only that", async () => {
    stack.editSystem();
    stack.deployments.behave("fail");
    const failed = await stack.fail("up", "--yes", "--skip-preview");
    assert.match(failed.errors, /The machine does not answer/);
    stack.deployments.behave("succeed");
    assert.deepEqual((await stack.up()).changes, { "nixos-deployment": "replace" });
    assert.equal(deployed(), 5);
    await stack.succeed("preview", "--expect-no-changes");
  });

  // Fault 47
  it("two ups at once: the second says that the stack is locked, and changes nothing", async () => {
    stack.editSystem();
    stack.deployments.behave("hold");
    const before = deployed();
    const first = stack.begin("up", "--yes", "--skip-preview");
    await stack.deployments.started(before + 1);
    const second = await stack.fail("up", "--yes", "--skip-preview");
    assert.match(second.printed, /the stack is currently locked by 1 lock/);
    assert.equal(deployed(), before + 1);
    stack.deployments.behave("succeed");
    const { code, printed, changes } = await first.end;
    assert.equal(code, 0, printed);
    assert.deepEqual(changes, { "nixos-deployment": "replace" });
  });

  // Fault 45
  it("a destruction that fails half-way is finished by the next, which deploys nothing", async () => {
    const before = deployed();
    stack.watch.refuse("delete", GROUP, "DependencyViolation: resource has a dependent object");
    const failed = await stack.fail("destroy", "--yes", "--skip-preview");
    assert.match(failed.errors, /DependencyViolation/);
    const left = (await stack.state()).filter(({ custom, type }) => custom && !type.startsWith("pulumi:"));
    assert.ok(
      left.some(({ type }) => type === GROUP),
      "the group is forgotten",
    );
    assert.ok(!left.some(({ type }) => type === INSTANCE), "the machine is still there");
    await stack.succeed("destroy", "--yes", "--skip-preview");
    await assertGone(stack);
    assert.equal(deployed(), before);
  });
});
