/**
 * The firewall of a NixosInstance against mocks: rules of a person's own, the look for foreign ones, and revoking them.
 * Cannot prove: what EC2 does; test/rehearsal/foreignRules.spec.ts runs it on the emulated one, update by update.
 */
import assert from "node:assert/strict";
import { NixosInstance, type NixosInstanceArgs } from "../../components/index";
import { cloud } from "../support/cloud";
import { newKey } from "../../cli/rehearse/keys";
import { cloudResources, only, refusal, run } from "../support/mocks";

const INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule";
const EXCLUSIVE = "aws:ec2/vpcSecurityGroupRulesExclusive:VpcSecurityGroupRulesExclusive";
const RULES = "aws:vpc/getSecurityGroupRules:getSecurityGroupRules";
const RULE = "aws:vpc/getSecurityGroupRule:getSecurityGroupRule";
const keys = { keyName: "login", machineKey: newKey().privateKeyOpenssh, hostKey: newKey().privateKeyOpenssh };

interface Found {
  cidrIpv4?: string;
  cidrIpv6?: string;
  referencedSecurityGroupId?: string;
  ipProtocol: string;
  fromPort: number;
  toPort: number;
  isEgress?: boolean;
  description?: string;
  /** Whether it has the tag of the program's rules. */
  ours?: true;
}

/** A cloud whose security group has these rules. */
function cloudWith(found: Record<string, Found>) {
  const answers = cloud();
  answers.invokes[RULES] = ({ tags }) => ({
    ids: Object.keys(found).filter((id) => tags === undefined || found[id]!.ours),
  });
  answers.invokes[RULE] = ({ securityGroupRuleId }) => ({
    ...{ cidrIpv4: "", cidrIpv6: "", referencedSecurityGroupId: "", prefixListId: "", description: "" },
    ...{ isEgress: false, id: securityGroupRuleId as string, securityGroupRuleId: securityGroupRuleId as string },
    ...found[securityGroupRuleId as string],
  });
  return answers;
}

const machine = (args: Partial<NixosInstanceArgs> = {}, found: Record<string, Found> = {}) =>
  run(cloudWith(found), () => new NixosInstance("web", { ...keys, ...args }));

const tcp = (port: number, network: object) => ({ ipProtocol: "tcp", fromPort: port, toPort: port, ...network });
const everyone = { cidrIpv4: "0.0.0.0/0" };
const BY_HAND = { "sgr-0123456789abcdef0": { ...tcp(8080, everyone), description: "quick test" } };

describe("a rule that somebody added by hand", () => {
  it("is named in a warning, with what it opens and what to do", async () => {
    const { warnings } = await machine({}, BY_HAND);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]!, /security group web-security-group-id has rules that are not of this stack:/);
    assert.match(warnings[0]!, /\n {2}sgr-0123456789abcdef0: tcp 8080 from 0\.0\.0\.0\/0 \("quick test"\)\n/);
    assert.match(warnings[0]!, /allowedRuleIds; .* set exclusiveRules to true\.$/);
  });

  for (const [what, rule, shown] of [
    ["out", { ...tcp(25, everyone), isEgress: true }, "tcp 25 to 0.0.0.0/0"],
    ["for another group", { ...tcp(22, {}), referencedSecurityGroupId: "sg-1" }, "tcp 22 from sg-1"],
    ["for IPv6", { ...tcp(8080, {}), cidrIpv6: "::/0" }, "tcp 8080 from ::/0"],
    ["of a range", { ipProtocol: "udp", fromPort: 1, toPort: 9, ...everyone }, "udp 1-9 from 0.0.0.0/0"],
    ["for everything", { ipProtocol: "-1", fromPort: -1, toPort: -1, ...everyone }, "everything from 0.0.0.0/0"],
    ["of a known port for another network", tcp(22, { cidrIpv4: "192.0.2.0/24" }), "tcp 22 from 192.0.2.0/24"],
  ] as const) {
    it(`is named when it is ${what}`, async () => {
      const { warnings } = await machine({}, { "sgr-12345678": rule });
      assert.ok(warnings[0]?.includes(`sgr-12345678: ${shown}`), warnings[0]);
    });
  }

  it("is the only one that is named: not ours, not one that the program has given up, not an allowed one", async () => {
    const found = {
      // Of an earlier version, which gave its rules no tag.
      "sgr-00000001": tcp(22, everyone),
      "sgr-00000002": { ipProtocol: "-1", fromPort: -1, toPort: -1, isEgress: true, cidrIpv6: "::/0" },
      // The update removes it.
      "sgr-00000003": { ...tcp(443, everyone), ours: true as const },
      "sgr-00000004": tcp(9100, { cidrIpv4: "10.0.0.0/8" }),
    };
    assert.deepEqual((await machine({ allowedRuleIds: ["sgr-00000004"] }, found)).warnings, []);
    const { warnings } = await machine({ allowedRuleIds: ["sgr-00000004"] }, { ...found, ...BY_HAND });
    assert.deepEqual(warnings[0]!.match(/sgr-\w+/g), ["sgr-0123456789abcdef0"]);
  });

  it("is not looked at before there is a group, and stops nothing where it may not be looked at", async () => {
    const unseen = cloud();
    unseen.invokes[RULES] = () => assert.fail("asked for the rules of a group that is not there");
    assert.deepEqual((await run(unseen, () => new NixosInstance("web", keys), true)).warnings, []);
    const refused = cloud();
    refused.invokes[RULES] = () => {
      throw new Error("UnauthorizedOperation: not authorized to perform: ec2:DescribeSecurityGroupRules");
    };
    const { warnings } = await run(refused, () => new NixosInstance("web", keys));
    assert.match(
      warnings[0]!,
      /could not be seen whether somebody added rules to the firewall by hand: .*Unauthorized/,
    );
  });
});

describe("exclusiveRules", () => {
  it("is off by default: nothing is revoked that nobody asked to revoke", async () => {
    assert.deepEqual(
      cloudResources((await machine()).resources).filter((resource) => resource.startsWith(EXCLUSIVE)),
      [],
    );
  });

  it("lists all rules of the stack and the allowed ones, each where EC2 has it, and no other", async () => {
    const allowed = {
      "sgr-00000001": tcp(9100, { cidrIpv4: "10.0.0.0/8" }),
      "sgr-00000002": { ...tcp(25, everyone), isEgress: true },
    };
    const args = { exclusiveRules: true, allowedRuleIds: Object.keys(allowed), sshIpv6CidrBlocks: [] };
    const { resources } = await machine(args, { ...allowed, ...BY_HAND });
    assert.deepEqual(only(resources, EXCLUSIVE, "web-exclusive-rules").inputs, {
      securityGroupId: "web-security-group-id",
      ingressRuleIds: ["web-ssh-0.0.0.0_0-id", "web-http-0.0.0.0_0-id", "web-http---_0-id", "sgr-00000001"],
      egressRuleIds: ["web-out-ipv4-id", "web-out-ipv6-id", "sgr-00000002"],
    });
  });

  it("says what the update revokes, which its preview alone does not show", async () => {
    const { warnings } = await machine({ exclusiveRules: true }, BY_HAND);
    assert.match(warnings[0]!, /sgr-0123456789abcdef0: tcp 8080[^]*The update revokes them/);
  });

  it("says in a sentence which allowed rule is not there any more", async () => {
    const answers = cloudWith({});
    answers.invokes[RULE] = () => {
      throw new Error("reading Security Group Rule: couldn't find resource");
    };
    const args = { ...keys, exclusiveRules: true, allowedRuleIds: ["sgr-00000009"] };
    const { error } = await refusal(answers, () => new NixosInstance("web", args));
    assert.match(
      error.message,
      /allowedRuleIds: EC2 did not tell of the rule sgr-00000009: .*couldn't find resource\n/,
    );
    assert.match(error.message, /Take it out of allowedRuleIds/);
  });
});

describe("extraRules", () => {
  it("are rules of their own, named after what they open", async () => {
    const { resources } = await machine({ extraRules: ["udp/51820 0.0.0.0/0", "tcp/6000-6010 2001:db8::/32"] });
    const rule = { securityGroupId: "web-security-group-id", tags: { ManagedBy: "pulumi-nixos" } };
    assert.deepEqual(only(resources, INGRESS, "web-udp-51820-0.0.0.0_0").inputs, {
      ...rule,
      ...{ ipProtocol: "udp", fromPort: 51820, toPort: 51820, cidrIpv4: "0.0.0.0/0", description: "udp 51820" },
    });
    assert.deepEqual(only(resources, INGRESS, "web-tcp-6000-6010-2001-db8--_32").inputs, {
      ...rule,
      ...{ ipProtocol: "tcp", fromPort: 6000, toPort: 6010, cidrIpv6: "2001:db8::/32", description: "tcp 6000-6010" },
    });
  });

  it("keep their name when they move from httpPorts, for EC2 takes no second rule of the same content", async () => {
    const names = async (args: Partial<NixosInstanceArgs>) =>
      (await machine(args)).resources
        .filter(({ type }) => type === INGRESS)
        .map(({ name }) => name)
        .sort();
    const web = { httpIpv6CidrBlocks: [] };
    const moved = await names({ ...web, httpPorts: [80], extraRules: ["tcp/8080 0.0.0.0/0"] });
    assert.deepEqual(moved, await names({ ...web, httpPorts: [80, 8080] }));
  });

  for (const [what, rule, message] of [
    ["no protocol", "51820 0.0.0.0/0", 'got "51820 0.0.0.0/0"; allowed: a rule such as "udp/51820 0.0.0.0/0"'],
    ["no network", "udp/51820", "allowed: a rule such as"],
    ["a host address", "udp/51820 192.0.2.1/24", 'The network of this address is "192.0.2.0/24"'],
    ["a port too high", "udp/99999 0.0.0.0/0", "a TCP port, a whole number from 1 to 65535"],
    ["ports backwards", "tcp/90-80 0.0.0.0/0", "the lower port first"],
    ["what SSH opens already", "tcp/22 0.0.0.0/0", 'tcp 22 for "0.0.0.0/0" twice'],
  ] as const) {
    it(`refuse ${what}, before any cloud call`, async () => {
      const program = () => new NixosInstance("web", { ...keys, extraRules: [rule] });
      const { error, resources } = await refusal(cloud(), program);
      assert.ok(error.message.includes(message), error.message);
      assert.deepEqual(cloudResources(resources), []);
    });
  }
});

describe("a machine whose instance profile somebody changed by hand", () => {
  const INSTANCE = "aws:ec2/instance:Instance";
  it("is named where the stack gives it none", async () => {
    const answers = cloud();
    answers.resources[INSTANCE] = () => ({ iamInstanceProfile: "admin" });
    const { warnings } = await run(answers, () => new NixosInstance("web", keys));
    assert.match(warnings[0]!, /The machine web-id has the instance profile admin, which is not of this stack/);
  });
});

describe("an unknown subnet", () => {
  // Fault 109
  it("is a sentence with EC2's words and what to do, not an exception with a stack", async () => {
    const answers = cloud();
    answers.invokes["aws:ec2/getSubnet:getSubnet"] = () => {
      throw new Error("reading EC2 Subnet: no matching EC2 Subnet found");
    };
    const program = () => new NixosInstance("web", { ...keys, subnetId: "subnet-12345678" });
    const { error } = await refusal(answers, program);
    assert.equal(error.constructor.name, "ResourceError");
    assert.match(
      error.message,
      /subnetId: EC2 did not tell the VPC of subnet-12345678: .*no matching EC2 Subnet found\n/,
    );
    assert.match(error.message, /Correct it .* aws:region/);
  });
});
