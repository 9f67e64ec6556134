import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { adopt } from "../../cli/adopt/run";
import { heard } from "../support/heard";
import { realContext } from "../../cli/common/context";
import { type ImportRow, importTable } from "../life/tables";
import type { Properties } from "../../cli/rehearse/emulators/values";
import { newKey } from "../../cli/rehearse/keys";
import { findings, forms } from "./forms";
import { pulumi } from "./pulumi";
import { EngineStack } from "./stack";

// docs/from-terraform.md, followed with a world in which the book's Terraform and its reader have left bare resources.
// Cannot prove: that the real providers find no other difference at an import. `npm run adopt` looks, and tells.

const REPOSITORY = "todo-app";
const key = newKey();
const hostKey = newKey();

/** What is there, by the book's names. */
interface Left {
  machine: string;
  group: string;
  keyPair: string;
  /** An Elastic IP that the machine was given by hand, so that its address would not change. */
  address: string;
  /** What the table's import takes as ids. */
  ids: Record<string, string>;
}

describe("the engine: a machine that the book's Terraform made", function () {
  let stack: EngineStack;
  let left: Left;
  const said: string[] = [];
  const fakes = () => structuredClone([machine(), [...stack.fakes.github.repositories.values()]]);
  const adopted = async (...wanted: string[]) => {
    // Writes the stack's configuration.
    await stack.succeed("config");
    const before = fakes();
    const context = realContext({ folder: stack.project, env: stack.environment });
    const code = await adopt([...wanted, "--stack", "suite"], context, heard(said));
    assert.equal(code, 0, said.join("\n"));
    assert.deepEqual(fakes(), before);
  };
  const idOf = ({ left: name, place }: ImportRow) => `${place}=${left.ids[name]}`;
  const isRepository = ({ place }: ImportRow) => place === "nixos-repository";
  const machine = () => stack.fakes.ec2.instances.get(left.machine)!;
  const exported = () => pulumi(stack, ["stack", "export", "--stack", "suite"]);

  before(async function () {
    stack = await EngineStack.start(this);
    stack.editRepositoryFile({ name: REPOSITORY });
    // As setup proposes for a repository that is there.
    stack.configure({ "repository.create": "false" });
    left = await terraformed(stack);
  });
  after(() => stack?.stop());

  it("gives its keys to the stack's configuration, encrypted", async () => {
    for (const [name, { privateKeyOpenssh }] of [["adoptedKey", key] as const, ["adoptedHostKey", hostKey] as const])
      await pulumi(stack, ["config", "set", "--secret", name, "--stack", "suite"], privateKeyOpenssh);
    // What Terraform has made is there, and is to be adopted, not made again.
    const { errors } = await stack.fail("preview");
    assert.match(errors, /npm run adopt -- nixos-repository-protection=todo-app:main/);
    assert.ok(!stack.printed.join("\n").includes("PRIVATE KEY"));
  });

  it("is imported by the table, into the program's components, and nothing in the cloud changes", async () => {
    const rows = importTable().filter((row) => !isRepository(row));
    assert.equal(rows.length, 2);
    await adopted(...rows.map(idOf), `nixos-address=${left.address}`);
    for (const { place, within } of rows)
      assert.match(await stack.urn(place), new RegExp(`${within.replaceAll("$", "\\$")}\\$[^$]*::${place}$`));
  });

  it("is told what the next update does to it: nothing that replaces it, and no value", () => {
    assert.match(said.join("\n"), /^the next update would update nixos: .*instanceType.*userData/m);
    assert.match(said.at(-1)!, /^Nothing is replaced or deleted/);
    assert.ok(!said.join("\n").includes("PRIVATE KEY"));
  });

  it("until that update its user data, key included, stands in the state in plain text, as the page says", async () => {
    assert.equal(findings(await exported(), forms(key.privateKeyOpenssh)), true);
  });

  it("is updated in place: one stop and start, its own security group, its disk, a deployment under its own keys", async () => {
    const { changes } = await stack.up();
    const named = (kind: string) => Object.keys(changes).filter((name) => changes[name] === kind);
    assert.deepEqual(named("update").sort(), ["nixos", "nixos-address", "nixos-repository-protection"]);
    assert.equal(named("create").length + 3, Object.keys(changes).length);
    assert.ok(!("nixos-key" in changes) && !("nixos-host-key" in changes), "a key was made");
    assert.equal(stack.fakes.ec2.instances.size, 1);
    const { boots, root, groupIds, type } = machine();
    assert.deepEqual([boots, root.volumeSize, type], [2, 20, "t3.small"]);
    assert.notDeepEqual(groupIds, [left.group]);
    const [told, ...more] = stack.deployments.all;
    assert.deepEqual(more, []);
    assert.equal(told!.environment["DEPLOY_HOST"], stack.fakes.ec2.addresses.get(left.address)!.publicIp);
    assert.equal(told!.environment["DEPLOY_HOST_KEY"], hostKey.publicKeyOpenssh.trim());
    assert.equal(told!.environment["DEPLOY_MACHINE_PUBLIC_KEY"], key.publicKeyOpenssh.trim());
    assert.equal(told!.privateKeyHash, createHash("sha256").update(key.privateKeyOpenssh).digest("hex"));
    await stack.succeed("preview", "--expect-no-changes");
  });

  it("then keeps its repository, with one rule for main, and no key in plain text in the state", async () => {
    assert.deepEqual([...stack.fakes.github.repositories.keys()], [REPOSITORY]);
    const { protections, deployKeys, archived } = stack.fakes.github.repository(REPOSITORY)!;
    assert.deepEqual([protections.size, deployKeys.size, archived], [1, 1, false]);
    const text = await exported();
    for (const { privateKeyOpenssh } of [key, hostKey]) assert.equal(findings(text, forms(privateKeyOpenssh)), false);
  });

  it("takes the repository's own settings into the stack too, where that is wanted", async () => {
    stack.configure({ "repository.create": "true" });
    await adopted(...importTable().filter(isRepository).map(idOf));
    assert.deepEqual((await stack.up()).changes, { "nixos-repository": "update" });
    assert.deepEqual([...stack.fakes.github.repositories.keys()], [REPOSITORY]);
  });

  it("no longer needs what Terraform still has: its group and its key pair can be destroyed", async () => {
    const aws = stack.fakes.providers["aws"]!;
    await aws.delete("aws:ec2/securityGroup:SecurityGroup", left.group, {});
    await aws.delete("aws:ec2/keyPair:KeyPair", left.keyPair, {});
    await stack.succeed("refresh", "--yes");
    await stack.succeed("preview", "--expect-no-changes");
  });

  it("leaves the adopted key by a rotation, after which the stack needs it no more", async () => {
    for (const generations of ["[1, 2]", "[2, 1]", "[2]"]) {
      stack.configure({ keyVersions: generations });
      assert.notEqual((await stack.up()).changes["nixos"], "replace");
    }
    assert.notEqual(
      stack.deployments.all.at(-1)!.environment["DEPLOY_MACHINE_PUBLIC_KEY"],
      key.publicKeyOpenssh.trim(),
    );
    await pulumi(stack, ["config", "rm", "adoptedKey", "--stack", "suite"]);
    assert.deepEqual((await stack.up()).changes, {});
    assert.ok(machine() !== undefined && machine().boots === 3);
  });

  it("is followed, when it is replaced, by one with an encrypted disk and the same host key", async () => {
    assert.equal(machine().root["encrypted"], undefined);
    stack.configure({ "machine.subnetId": stack.fakes.ec2.subnets[1]!.id });
    assert.equal((await stack.up()).changes["nixos"], "replace");
    const [made] = stack.fakes.ec2.instances.values();
    assert.equal(made!.root["encrypted"], true);
    assert.notEqual(made!.imageId, stack.fakes.ec2.images.find(({ name }) => name.includes("/25.11"))!.id);
    assert.equal(stack.deployments.all.at(-1)!.environment["DEPLOY_HOST_KEY"], hostKey.publicKeyOpenssh.trim());
  });
});

/** The world as the book leaves it. */
async function terraformed({ fakes }: EngineStack): Promise<Left> {
  const make = async (name: string, type: string, inputs: Properties) => {
    const aws = fakes.providers["aws"]!;
    const { inputs: checked } = aws.check(type, name, {}, inputs);
    return (await aws.create(type, name, checked, false)).id;
  };
  const keyPair = await make("terraform", "aws:ec2/keyPair:KeyPair", { publicKey: key.publicKeyOpenssh });
  const group = await make("terraform", "aws:ec2/securityGroup:SecurityGroup", { description: "Managed by Terraform" });
  const machine = await make("todo", "aws:ec2/instance:Instance", {
    // An image that is no longer the newest.
    ami: fakes.ec2.images.find(({ name }) => name.includes("/25.11"))!.id,
    instanceType: "t3.micro",
    keyName: keyPair,
    vpcSecurityGroupIds: [group],
    rootBlockDevice: { volumeSize: 7 },
    userData: `#!/bin/sh\n(umask 377; echo '${key.privateKeyOpenssh}' > /var/lib/id_ed25519)\n`,
  });
  const address = await make("by-hand", "aws:ec2/eip:Eip", { domain: "vpc", instance: machine });
  const repository = fakes.github.addRepository(REPOSITORY, { visibility: "private" });
  const rule = { repositoryId: repository.nodeId, pattern: "main" };
  await fakes.providers["github"]!.create("github:index/branchProtection:BranchProtection", "by-hand", rule, false);
  const ids = {
    "aws_instance.todo": machine,
    "the repository": REPOSITORY,
    "the branch protection rule": `${REPOSITORY}:main`,
  };
  return { machine, group, keyPair, address, ids };
}
