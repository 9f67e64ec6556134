import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { EngineStack } from "./stack";

// What a rotation of the keys does in the cloud; what it does to secrets and machines: test/system/secretsRotation.spec.ts.

describe("the engine: a rotation of the keys", function () {
  let stack: EngineStack;
  before(async function () {
    stack = await EngineStack.settled(this);
  });
  after(() => stack?.stop());

  const deployKeys = () =>
    [...stack.fakes.github.repository("pulumi-nixos")!.deployKeys.values()].map(({ key }) => key);
  const machine = () => [...stack.fakes.ec2.instances.values()];
  const output = async (name: string) => {
    const { printed } = await stack.succeed("stack", "output", "--json", "--show-secrets");
    return (JSON.parse(printed) as Record<string, unknown>)[name];
  };
  let [first, second] = ["", ""];

  it("[1, 2] makes the new key and touches nothing that runs", async () => {
    [first = ""] = (await output("loginPublicKeys")) as string[];
    stack.configure({ keyVersions: "[1, 2]" });
    assert.deepEqual((await stack.up()).changes, { "nixos-key-2": "create" });
    [, second = ""] = (await output("loginPublicKeys")) as string[];
    assert.ok(second !== "" && second !== first);
    assert.equal(stack.deployments.all.length, 1);
    assert.deepEqual(deployKeys(), [first]);
  });

  it("[2, 1] gives it to the machine, GitHub and EC2, and keeps the old one", async () => {
    const { id, boots } = machine()[0]!;
    stack.configure({ keyVersions: "[2, 1]" });
    assert.deepEqual((await stack.up()).changes, {
      "nixos-key-key-pair": "replace",
      "nixos-repository-deploy-key": "delete",
      "nixos-repository-deploy-key-2": "create",
      nixos: "update",
      "nixos-deployment": "update",
    });
    assert.deepEqual(
      machine().map((one) => [one.id, one.boots]),
      [[id, boots + 1]],
    );
    assert.deepEqual(deployKeys(), [second]);
    const last = stack.deployments.all.at(-1)!;
    assert.equal(
      last.privateKeyHash,
      createHash("sha256")
        .update((await output("loginKey")) as string)
        .digest("hex"),
    );
    assert.equal(last.environment["DEPLOY_MACHINE_PUBLIC_KEY"], second);
    assert.deepEqual(await output("loginPublicKeys"), [second, first]);
  });

  it("[2] destroys the old one and touches nothing that runs", async () => {
    const before = stack.deployments.all.length;
    stack.configure({ keyVersions: "[2]" });
    assert.deepEqual((await stack.up()).changes, { "nixos-key": "delete" });
    assert.equal(stack.deployments.all.length, before);
  });

  it("a machine that is replaced afterwards is made with the new key pair and the newest image", async () => {
    const newest = stack.fakes.ec2.publishNixos("26.05", "2026-11-01T00:00:00.000Z");
    const { changes } = await stack.up("--replace", await stack.urn("nixos"));
    assert.deepEqual(changes, { nixos: "replace", "nixos-address": "update", "nixos-deployment": "replace" });
    const [made] = machine();
    assert.equal(made!.imageId, newest.id);
    assert.equal(stack.fakes.ec2.keys.get(made!.keyName!)?.publicKey, second);
  });
});
