import assert from "node:assert/strict";
import { pageOf } from "../life/tables";
import { pulumi } from "./pulumi";
import { EngineStack } from "./stack";

// What `protect` stops, what it lets through, and how one goes on. Each test follows on the one before.

/** Whether a message is there, and word for word on the page, where its URNs are cut. */
function shows(errors: string, message: RegExp): boolean {
  const [found] = message.exec(errors) ?? assert.fail(`another message: ${errors}`);
  return pageOf("life-cycle.md").includes(found.replace(/urn:.*::/, "urn:pulumi:live::…::"));
}

const KEPT = [
  "nixos",
  "nixos-address",
  "nixos-cache",
  "nixos-cache-signing-key",
  "nixos-host-key",
  "nixos-key",
  "nixos-repository",
];

describe("the engine: a protected stack", function () {
  let stack: EngineStack;
  before(async function () {
    stack = await EngineStack.start(this);
    stack.configure({ protect: "true", "integration.cache": "true" });
    await stack.up();
  });
  after(() => stack?.stop());

  const namesOf = async () =>
    (await stack.state()).filter(({ custom }) => custom).map(({ urn }) => urn.split("::").pop()!);

  it("refuses to be destroyed by name of what is protected, and destroys nothing", async () => {
    const before = await namesOf();
    const { errors } = await stack.fail("destroy", "--yes");
    assert.ok(shows(errors, /Preview failed: resource "urn:.*::nixos-address" cannot be deleted\n.*/));
    const refused = [...errors.matchAll(/resource "urn:[^"]*::([^":]+)" cannot be deleted/g)].map(([, name]) => name!);
    assert.ok(refused.length > 0);
    assert.deepEqual(
      refused.filter((name) => !KEPT.includes(name)),
      [],
    );
    assert.deepEqual(await namesOf(), before);
    assert.equal(stack.fakes.ec2.instances.size, 1);
  });

  for (const [what, ask] of [
    ["a person asks for it", async () => ["--replace", await stack.urn("nixos")]],
    [
      "another subnet needs it",
      () => {
        stack.configure({ "machine.subnetId": stack.fakes.ec2.subnets[1]!.id });
        return Promise.resolve([]);
      },
    ],
  ] as const) {
    it(`refuses to replace the machine when ${what}, and changes nothing`, async () => {
      const machines = [...stack.fakes.ec2.instances.keys()];
      const { errors } = await stack.fail("up", "--yes", ...(await ask()));
      assert.ok(shows(errors, /unable to replace resource "urn:.*::nixos"\n.*/));
      stack.configure({ "machine.subnetId": undefined });
      assert.deepEqual([...stack.fakes.ec2.instances.keys()], machines);
    });
  }

  it("refuses to give up its repository", async () => {
    stack.configure({ "repository.create": "false" });
    const { errors } = await stack.fail("up", "--yes");
    assert.match(errors, /::nixos-repository" cannot be deleted\nbecause it is protected/);
    stack.configure({ "repository.create": undefined });
    await stack.succeed("preview", "--expect-no-changes");
  });

  it("has what was unprotected in the state protected again by the next update", async () => {
    const held = async () => (await stack.state()).filter((one) => (one as { protect?: boolean }).protect).length;
    assert.equal(await held(), KEPT.length);
    await pulumi(stack, ["state", "unprotect", await stack.urn("nixos"), "--yes", "--stack", "suite"]);
    assert.equal(await held(), KEPT.length - 1);
    await stack.up();
    assert.equal(await held(), KEPT.length);
  });

  it("lets everyday changes through: another system, type, network and check", async () => {
    stack.editSystem();
    stack.configure({
      "machine.instanceType": "t3.medium",
      "machine.sshCidrBlocks": '["192.0.2.0/24"]',
      "repository.enforceAdmins": "true",
    });
    assert.deepEqual((await stack.up()).changes, {
      nixos: "update",
      "nixos-deployment": "replace",
      "nixos-repository-protection": "update",
      "nixos-ssh-0.0.0.0_0": "delete",
      "nixos-ssh-192.0.2.0_24": "create",
    });
  });

  it("lets a rotation through, to the destruction of the old key", async () => {
    for (const generations of ["[1, 2]", "[2, 1]"]) {
      stack.configure({ keyVersions: generations });
      await stack.up();
    }
    stack.configure({ keyVersions: "[2]" });
    assert.deepEqual((await stack.up()).changes, { "nixos-key": "delete" });
  });

  it("without the preview a destruction takes what is not protected; the next update makes that anew", async () => {
    const repository = stack.fakes.github.repository("pulumi-nixos")!;
    const [machine] = stack.fakes.ec2.instances.keys();
    await stack.fail("destroy", "--yes", "--skip-preview");
    const left = await namesOf();
    for (const name of KEPT) assert.ok(left.includes(name === "nixos-key" ? "nixos-key-2" : name), `${name} is gone`);
    assert.ok(!left.includes("nixos-deployment"));
    assert.deepEqual([...new Set(Object.values((await stack.up()).changes))], ["create"]);
    assert.deepEqual([...stack.fakes.ec2.instances.keys()], [machine]);
    assert.equal(repository.archived, false);
  });

  it("is destroyed after an update that takes the protection away, and does nothing else", async () => {
    stack.configure({ protect: "false" });
    assert.deepEqual((await stack.up()).changes, {});
    await stack.succeed("destroy", "--yes");
    assert.equal(stack.fakes.ec2.instances.size, 0);
    assert.equal(stack.fakes.github.repository("pulumi-nixos")!.archived, true);
  });
});
