import assert from "node:assert/strict";
import * as sshpk from "sshpk";
import { ProviderClient, type Resource } from "../../cli/rehearse/client";
import { awsProvider, Ec2 } from "../../cli/rehearse/emulators/aws";
import { type Properties, secret, UNKNOWN } from "../../cli/rehearse/emulators/values";

// What these tests cannot prove: that EC2 refuses the same things in the same words. The refusals follow its
// documentation and the sources of the real provider.

const EIP = "aws:ec2/eip:Eip";
const GROUP = "aws:ec2/securityGroup:SecurityGroup";
const INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule";
const EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule";
const INSTANCE = "aws:ec2/instance:Instance";
const KEY_PAIR = "aws:ec2/keyPair:KeyPair";

const publicKey = sshpk.generatePrivateKey("ed25519").toPublic().toString("ssh");

describe("emulated aws provider", () => {
  let ec2: Ec2;
  let aws: ProviderClient;

  beforeEach(async () => {
    ec2 = new Ec2();
    aws = await ProviderClient.of(awsProvider(ec2));
  });
  afterEach(() => aws.stop());

  const newest = () =>
    ec2.images.find(({ name }) => name.startsWith("nixos/26.05") && name.endsWith("x86_64-linux"))!.id;
  const machine = (inputs: Properties = {}) => ({ ami: newest(), instanceType: "t3.small", ...inputs });

  /** Asserts that the check refuses, before anything is created. */
  const refusesCheck = async (type: string, inputs: Properties, reason: RegExp) => {
    const { failures } = await aws.check(type, inputs);
    assert.match(failures.map(({ property, reason }) => `${property}: ${reason}`).join("\n"), reason);
  };

  describe("provider", () => {
    it("refuses a region of unknown form", async () => {
      assert.deepEqual(await aws.checkConfig({ region: "us-east-1" }), []);
      assert.equal((await aws.checkConfig({ region: "useast1" }))[0]?.reason, "invalid AWS Region: useast1");
    });

    it("refuses types and functions that it does not emulate", async () => {
      await assert.rejects(aws.create("aws:ec2/vpc:Vpc", {}), /no resource type aws:ec2\/vpc:Vpc/);
      await assert.rejects(aws.invoke("aws:ec2/getVpc:getVpc", {}), /no function aws:ec2\/getVpc:getVpc/);
    });

    it("says that it previews and takes secrets", async () => {
      const response = await aws.configure({ region: "eu-central-1" });
      assert.deepEqual([response.getAcceptsecrets(), response.getSupportspreview()], [true, true]);
      assert.equal(ec2.region, "eu-central-1");
    });

    it("refuses a property that the type does not have, and a value of the wrong type", async () => {
      await refusesCheck(GROUP, { descripton: "x" }, /descripton: .* has no property "descripton"/);
      await refusesCheck(INSTANCE, machine({ instanceType: 3 }), /instanceType: expected string, got number/);
    });
  });

  describe("images", () => {
    const find = (filters: object[], more: Properties = {}) =>
      aws.invoke("aws:ec2/getAmiIds:getAmiIds", { owners: ["427812963091"], filters, ...more });
    const byName = (name: string) => [
      { name: "name", values: [name] },
      { name: "architecture", values: ["x86_64"] },
    ];

    it("are found by owner, name and architecture, the newest first", async () => {
      const { ids } = await find(byName("nixos/26.05*"));
      const found = (ids as string[]).map((id) => ec2.images.find((image) => image.id === id)!);
      assert.deepEqual(
        found.map(({ created }) => created.slice(0, 10)),
        ["2026-09-08", "2026-09-01"],
      );
      assert.deepEqual(
        (await find(byName("nixos/26.05*"), { sortAscending: true }))["ids"],
        (ids as string[]).reverse(),
      );
    });

    it("that do not exist give an empty list, not an error", async () => {
      assert.deepEqual((await find(byName("nixos/27.05*")))["ids"], []);
      assert.deepEqual((await find(byName("nixos/26.05*"), { owners: ["999999999999"] }))["ids"], []);
    });

    it("are not looked up without owners or by an unknown filter", async () => {
      await assert.rejects(find([], { owners: [] }), /owners: at least one is required/);
      await assert.rejects(find([{ name: "nam", values: ["x"] }]), /The filter 'nam' is invalid/);
    });
  });

  describe("subnets", () => {
    const find = (args: Properties) => aws.invoke("aws:ec2/getSubnet:getSubnet", args);

    it("tell their VPC", async () => {
      const { id, vpcId } = ec2.subnets[2]!;
      assert.equal((await find({ id }))["vpcId"], vpcId);
    });

    it("that are missing or ambiguous are errors", async () => {
      await assert.rejects(find({ id: "subnet-00000000000000000" }), /no matching EC2 Subnet found/);
      await assert.rejects(find({ defaultForAz: true }), /multiple EC2 Subnets matched/);
    });
  });

  describe("key pair", () => {
    it("keeps the public key without its newline, under a name with a random suffix", async () => {
      const { id, state } = await aws.create(KEY_PAIR, { publicKey: `${publicKey}\n` });
      assert.match(id, /^it-[0-9a-f]{7}$/);
      assert.equal(state["publicKey"], publicKey);
      assert.equal(state["keyType"], "ed25519");
    });

    it("is refused for key material that is no OpenSSH public key", async () => {
      const pem = sshpk.parseKey(publicKey, "ssh").toString("pkcs8");
      for (const wrong of ["", "ssh-ed25519 AAAA", pem]) {
        await assert.rejects(aws.create(KEY_PAIR, { publicKey: wrong }), /InvalidKey\.Format/);
      }
    });

    it("is refused for a name that is taken", async () => {
      await aws.create(KEY_PAIR, { keyName: "mine", publicKey });
      await assert.rejects(aws.create(KEY_PAIR, { keyName: "mine", publicKey }), /InvalidKeyPair\.Duplicate/);
    });

    it("is replaced for another key, the named one deleted first; not for another newline", async () => {
      const other = sshpk.generatePrivateKey("ed25519").toPublic().toString("ssh");
      const named = await aws.create(KEY_PAIR, { keyName: "mine", publicKey });
      const diff = await aws.diff(KEY_PAIR, named, { ...named.inputs, publicKey: other });
      assert.deepEqual([diff.replaces, diff.deleteBeforeReplace], [["publicKey"], true]);
      assert.deepEqual(diff.detailed, { publicKey: "UPDATE_REPLACE" });
      const random = await aws.create(KEY_PAIR, { publicKey: other });
      assert.equal((await aws.diff(KEY_PAIR, random, { ...random.inputs, publicKey })).deleteBeforeReplace, false);
      assert.equal((await aws.diff(KEY_PAIR, named, { ...named.inputs, publicKey: `${publicKey}\n` })).changed, false);
    });

    it("keeps its random name from one check to the next", async () => {
      const { inputs } = await aws.check(KEY_PAIR, { publicKey });
      assert.equal((await aws.check(KEY_PAIR, { publicKey }, inputs)).inputs["keyName"], inputs["keyName"]);
    });

    it("is gone after its deletion", async () => {
      const pair = await aws.create(KEY_PAIR, { publicKey });
      assert.notEqual(await aws.read(KEY_PAIR, pair), undefined);
      await aws.delete(KEY_PAIR, pair);
      assert.equal(await aws.read(KEY_PAIR, pair), undefined);
    });
  });

  describe("security group", () => {
    it("is refused for a duplicate name in its VPC, an unknown VPC, and a reserved name", async () => {
      await aws.create(GROUP, { name: "web" });
      await assert.rejects(aws.create(GROUP, { name: "web" }), /InvalidGroup\.Duplicate/);
      await aws.create(GROUP, { name: "web", vpcId: ec2.subnets[2]!.vpcId });
      await assert.rejects(aws.create(GROUP, { vpcId: "vpc-00000000000000000" }), /InvalidVpcID\.NotFound/);
      await refusesCheck(GROUP, { name: "sg-web" }, /cannot begin with sg-/);
    });

    it("has no inline rules here", async () => {
      await refusesCheck(GROUP, { ingress: [] }, /no property "ingress"/);
    });

    it("is replaced for another description, changed in place for other tags", async () => {
      const group = await aws.create(GROUP, { description: "one" });
      assert.deepEqual((await aws.diff(GROUP, group, { ...group.inputs, description: "two" })).replaces, [
        "description",
      ]);
      const diff = await aws.diff(GROUP, group, { ...group.inputs, tags: { Name: "x" } });
      assert.deepEqual([diff.changed, diff.replaces], [true, []]);
    });

    it("is not deleted while a machine uses it", async () => {
      const group = await aws.create(GROUP, {});
      const user = await aws.create(INSTANCE, machine({ vpcSecurityGroupIds: [group.id] }));
      await assert.rejects(aws.delete(GROUP, group), /DependencyViolation/);
      await aws.delete(INSTANCE, user);
      await aws.delete(GROUP, group);
      assert.equal(ec2.groups.size, 0);
    });
  });

  describe("security group rule", () => {
    let group: Resource;
    const ssh = (more: Properties) => ({
      securityGroupId: group.id,
      ipProtocol: "tcp",
      fromPort: 22,
      toPort: 22,
      ...more,
    });
    beforeEach(async () => {
      group = await aws.create(GROUP, {});
    });

    it("is refused for networks that are none, or not in the form that EC2 stores", async () => {
      for (const cidr of ["10.0.0.0/33", "0.0.0.0", "10.0/8", "::/0", "everyone", "10.0.0.0/-1"]) {
        await refusesCheck(INGRESS, ssh({ cidrIpv4: cidr }), /not a valid ipv4 CIDR block/);
      }
      await refusesCheck(INGRESS, ssh({ cidrIpv4: "10.0.0.1/8" }), /did you mean "10\.0\.0\.0\/8"/);
      await refusesCheck(INGRESS, ssh({ cidrIpv6: "0.0.0.0/0" }), /not a valid ipv6 CIDR block/);
      await refusesCheck(INGRESS, ssh({ cidrIpv6: "2001:db8::1/32" }), /did you mean "2001:db8::\/32"/);
    });

    it("is refused for bad ports", async () => {
      await refusesCheck(INGRESS, ssh({ cidrIpv4: "0.0.0.0/0", toPort: 70000 }), /between -1 and 65535, got: 70000/);
      await refusesCheck(INGRESS, ssh({ cidrIpv4: "0.0.0.0/0", toPort: 21 }), /invalid port range 22-21/);
      await refusesCheck(EGRESS, ssh({ cidrIpv4: "0.0.0.0/0", ipProtocol: "-1" }), /no ports/);
      await refusesCheck(
        INGRESS,
        { securityGroupId: group.id, ipProtocol: "tcp", cidrIpv4: "0.0.0.0/0" },
        /required for tcp/,
      );
    });

    it("is refused without one other side, or with two", async () => {
      await refusesCheck(INGRESS, ssh({}), /Exactly one of .* got 0/);
      await refusesCheck(INGRESS, ssh({ cidrIpv4: "0.0.0.0/0", cidrIpv6: "::/0" }), /Exactly one of .* got 2/);
    });

    it("is refused for a missing group and for a duplicate, in its direction", async () => {
      await assert.rejects(
        aws.create(INGRESS, ssh({ cidrIpv4: "0.0.0.0/0", securityGroupId: "sg-0" })),
        /InvalidGroup\.NotFound/,
      );
      await aws.create(INGRESS, ssh({ cidrIpv4: "0.0.0.0/0", description: "one" }));
      const again = aws.create(INGRESS, ssh({ cidrIpv4: "0.0.0.0/0", description: "two" }));
      await assert.rejects(
        again,
        /InvalidPermission\.Duplicate: .*"peer: 0\.0\.0\.0\/0, TCP, from port: 22, to port: 22, ALLOW"/,
      );
      await aws.create(EGRESS, ssh({ cidrIpv4: "0.0.0.0/0" }));
      await aws.create(INGRESS, ssh({ cidrIpv6: "::/0" }));
      assert.equal(ec2.groups.get(group.id)!.rules.size, 3);
    });

    it("is changed in place for another network, replaced for another kind of other side", async () => {
      const rule = await aws.create(INGRESS, ssh({ cidrIpv4: "0.0.0.0/0" }));
      assert.deepEqual((await aws.diff(INGRESS, rule, { ...rule.inputs, cidrIpv4: "10.0.0.0/8" })).replaces, []);
      const others = ssh({});
      assert.deepEqual((await aws.diff(INGRESS, rule, { ...others, cidrIpv6: "::/0" })).replaces, [
        "cidrIpv4",
        "cidrIpv6",
      ]);
      await aws.update(INGRESS, rule, ssh({ cidrIpv4: "10.0.0.0/8" }));
      await aws.create(INGRESS, ssh({ cidrIpv4: "0.0.0.0/0" }));
    });
  });

  describe("machine", () => {
    it("is refused for an unknown or malformed image; the malformed one is repeated", async () => {
      await assert.rejects(aws.create(INSTANCE, machine({ ami: "ami-0123456789abcdef0" })), /InvalidAMIID\.NotFound/);
      await assert.rejects(
        aws.create(INSTANCE, machine({ ami: "no-image" })),
        /InvalidAMIID\.Malformed: Invalid id: "no-image"/,
      );
    });

    it("is refused for user data over 16 KB, counted in bytes", async () => {
      await aws.create(INSTANCE, machine({ userData: "x".repeat(16384) }));
      await assert.rejects(
        aws.create(INSTANCE, machine({ userData: "ä".repeat(8193) })),
        /User data is limited to 16384 bytes/,
      );
    });

    it("is refused for a root volume under the snapshot's size", async () => {
      const small = aws.create(INSTANCE, machine({ rootBlockDevice: { volumeSize: 3 } }));
      await assert.rejects(
        small,
        /InvalidBlockDeviceMapping: Volume of size 3GB is smaller than snapshot .*, expect size >= 4GB/,
      );
    });

    it("is refused for an unknown type and for one of another architecture", async () => {
      await assert.rejects(
        aws.create(INSTANCE, machine({ instanceType: "t3" })),
        /Invalid value 't3' for InstanceType/,
      );
      await assert.rejects(
        aws.create(INSTANCE, machine({ instanceType: "t4g.small" })),
        /architecture 'arm64' .* 'x86_64' of the specified AMI/,
      );
      const arm = ec2.images.find(({ architecture }) => architecture === "arm64")!.id;
      await assert.rejects(
        aws.create(INSTANCE, machine({ ami: arm })),
        /architecture 'x86_64' .* 'arm64' of the specified AMI/,
      );
    });

    it("is refused for a missing key pair, subnet or group, and for a group of another network", async () => {
      const group = await aws.create(GROUP, {});
      await assert.rejects(aws.create(INSTANCE, machine({ keyName: "none" })), /InvalidKeyPair\.NotFound/);
      await assert.rejects(aws.create(INSTANCE, machine({ subnetId: "subnet-0" })), /InvalidSubnetID\.NotFound/);
      await assert.rejects(aws.create(INSTANCE, machine({ vpcSecurityGroupIds: ["sg-0"] })), /InvalidGroup\.NotFound/);
      const elsewhere = machine({ subnetId: ec2.subnets[2]!.id, vpcSecurityGroupIds: [group.id] });
      await assert.rejects(aws.create(INSTANCE, elsewhere), /belong to different networks/);
    });

    it("is refused for metadata options and volumes that do not exist", async () => {
      await refusesCheck(
        INSTANCE,
        machine({ metadataOptions: { httpTokens: "yes" } }),
        /httpTokens to be one of optional, required/,
      );
      await refusesCheck(INSTANCE, machine({ metadataOptions: { httpPutResponseHopLimit: 65 } }), /range \(1 - 64\)/);
      await refusesCheck(
        INSTANCE,
        machine({ rootBlockDevice: { volumeType: "gp4" } }),
        /expected volume_type to be one of/,
      );
      await refusesCheck(INSTANCE, machine({ rootBlockDevice: { size: 20 } }), /no property "size"/);
      await refusesCheck(INSTANCE, {}, /ami: one of it and launchTemplate must be specified/);
    });

    it("is replaced for what EC2 cannot change, and changed in place for the rest", async () => {
      const { inputs, ...rest } = await aws.create(
        INSTANCE,
        machine({ userData: "#!", rootBlockDevice: { encrypted: true, volumeSize: 8 } }),
      );
      const replacedFor = async (more: Properties) =>
        (await aws.diff(INSTANCE, { inputs, ...rest }, { ...inputs, ...more })).replaces;
      assert.deepEqual(await replacedFor({ ami: "ami-0123456789abcdef0" }), ["ami"]);
      assert.deepEqual(await replacedFor({ keyName: "k" }), ["keyName"]);
      assert.deepEqual(await replacedFor({ subnetId: "subnet-0" }), ["subnetId"]);
      assert.deepEqual(await replacedFor({ rootBlockDevice: { encrypted: false, volumeSize: 8 } }), [
        "rootBlockDevice",
      ]);
      assert.deepEqual(await replacedFor({ rootBlockDevice: { encrypted: true, volumeSize: 9 } }), []);
      assert.deepEqual(await replacedFor({ instanceType: "t3.medium" }), []);
      assert.deepEqual(await replacedFor({ userData: "#!/bin/sh" }), []);
      assert.deepEqual(await replacedFor({ userData: "#!/bin/sh", userDataReplaceOnChange: true }), ["userData"]);
    });

    it("stops and starts for another type or user data: a new lent address, the same Elastic IP", async () => {
      const made = await aws.create(INSTANCE, machine({ userData: "#!" }));
      const eip = await aws.create(EIP, { domain: "vpc", instance: made.id });
      const lent = ec2.instances.get(made.id)!.lentAddress;
      const larger = await aws.update(INSTANCE, made, machine({ userData: "#!", instanceType: "t3.medium" }));
      assert.notEqual(ec2.instances.get(made.id)!.lentAddress, lent);
      assert.equal(larger.state["publicIp"], eip.state["publicIp"]);
      await aws.update(INSTANCE, larger, machine({ userData: "#!", instanceType: "t3.medium", tags: { a: "b" } }));
      assert.equal(ec2.instances.get(made.id)!.boots, 2);
    });

    it("does not shrink its volume", async () => {
      const made = await aws.create(INSTANCE, machine({ rootBlockDevice: { volumeSize: 20 } }));
      await assert.rejects(
        aws.update(INSTANCE, made, machine({ rootBlockDevice: { volumeSize: 10 } })),
        /New size cannot be smaller than existing size 20/,
      );
    });

    it("is not terminated while protected from it", async () => {
      const made = await aws.create(INSTANCE, machine({ disableApiTermination: true }));
      await assert.rejects(aws.delete(INSTANCE, made), /OperationNotPermitted/);
    });

    it("gives back secret user data as a secret, and only that", async () => {
      const { state } = await aws.create(INSTANCE, machine({ userData: secret("#!") }));
      assert.deepEqual(state["userData"], secret("#!"));
      assert.equal(typeof state["publicIp"], "string");
    });

    it("has unknown outputs in a preview, and is not made", async () => {
      const { id, state } = await aws.create(INSTANCE, machine({ subnetId: UNKNOWN }), true);
      assert.deepEqual([id, state["publicIp"], state["instanceType"]], ["", UNKNOWN, "t3.small"]);
      assert.equal(ec2.instances.size, 0);
    });
  });

  describe("Elastic IP", () => {
    it("moves from machine to machine and keeps its address", async () => {
      const [one, other] = [await aws.create(INSTANCE, machine()), await aws.create(INSTANCE, machine())];
      const eip = await aws.create(EIP, { domain: "vpc", instance: one.id });
      assert.deepEqual((await aws.diff(EIP, eip, { ...eip.inputs, instance: other.id })).replaces, []);
      const moved = await aws.update(EIP, eip, { domain: "vpc", instance: other.id });
      assert.equal(moved.state["publicIp"], eip.state["publicIp"]);
      assert.notEqual(moved.state["associationId"], eip.state["associationId"]);
      assert.equal((await aws.read(INSTANCE, other))?.["publicIp"], eip.state["publicIp"]);
    });

    it("is imported with its machine and its address", async () => {
      const made = await aws.create(INSTANCE, machine());
      const { id, state } = await aws.create(EIP, { domain: "vpc", instance: made.id });
      const found = await aws.read(EIP, { id, inputs: {}, state: {} });
      assert.deepEqual([found?.["instance"], found?.["publicIp"]], [made.id, state["publicIp"]]);
    });

    it("is refused for a missing machine and another domain, and freed when its machine goes", async () => {
      await assert.rejects(aws.create(EIP, { instance: "i-0" }), /InvalidInstanceID\.NotFound/);
      await refusesCheck(EIP, { domain: "standard" }, /expected domain to be "vpc"/);
      const made = await aws.create(INSTANCE, machine());
      const eip = await aws.create(EIP, { instance: made.id });
      await aws.delete(INSTANCE, made);
      assert.equal((await aws.read(EIP, eip))?.["instance"], "");
    });
  });
});
