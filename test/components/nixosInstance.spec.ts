/**
 * NixosInstance against mocks: every resource that it registers, with every input.
 * Cannot prove: that AWS takes these inputs, that the image boots, or that a stop and start keeps the address.
 */
import assert from "node:assert/strict";
import * as ec2 from "@pulumi/aws/ec2";
import { Provider } from "@pulumi/aws/provider";
import * as pulumi from "@pulumi/pulumi";
import { NixosInstance, type NixosInstanceArgs } from "../../components/index";
import { renderUserData } from "../../components/keys/userData";
import { awaited, awaitedFacts } from "../support/awaited";
import { cloud, IMAGES } from "../support/cloud";
import { newKey } from "../../cli/rehearse/keys";
import { cloudResources, only, plainTextsOf, refusal, type Registered, run, table } from "../support/mocks";
import { secret, UNKNOWN } from "../support/wire";

const identity = newKey();
const host = newKey();
const keys = { keyName: "login", machineKey: identity.privateKeyOpenssh, hostKey: host.privateKeyOpenssh };

const INSTANCE = "aws:ec2/instance:Instance";
/** An imported machine keeps a disk that is not encrypted; encrypting it would replace the machine. */
const DISK = ["rootBlockDevice.encrypted", "rootBlockDevice.tags", "volumeTags"];
const GROUP = "aws:ec2/securityGroup:SecurityGroup";
const INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule";
const EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule";
const ADDRESS = "aws:ec2/eip:Eip";
const LOOKUP = "aws:ec2/getAmiIds:getAmiIds";
const LOOK = "aws:vpc/getSecurityGroupRules:getSecurityGroupRules";
const OURS = { ManagedBy: "pulumi-nixos" };

/** A machine named "web" with these arguments, made in a cloud in which everything works. */
function machine(args: Partial<NixosInstanceArgs> = {}, preview = false, answers = cloud()) {
  return run(answers, () => new NixosInstance("web", { ...keys, ...args }), preview);
}

function rules(resources: Registered[], type: string) {
  return Object.fromEntries(
    resources.filter((resource) => resource.type === type).map(({ name, inputs }) => [name, inputs]),
  );
}

describe("NixosInstance", () => {
  it("registers the machine, its group, four ways in, two ways out and its address, all its children", async () => {
    const { resources } = await machine();
    assert.deepEqual(table(resources), [
      `${ADDRESS} web-address in web`,
      `${INSTANCE} web in web`,
      `${GROUP} web-security-group in web`,
      `${EGRESS} web-out-ipv4 in web`,
      `${EGRESS} web-out-ipv6 in web`,
      `${INGRESS} web-http---_0 in web`,
      `${INGRESS} web-http-0.0.0.0_0 in web`,
      `${INGRESS} web-ssh---_0 in web`,
      `${INGRESS} web-ssh-0.0.0.0_0 in web`,
      "nixos:index:NixosInstance web in -",
    ]);
  });

  it("starts the newest image with the defaults, hardened, and with secret user data", async () => {
    const { resources } = await machine();
    assert.deepEqual(only(resources, INSTANCE).inputs, {
      ami: IMAGES[0],
      instanceType: "t3.small",
      keyName: "login",
      vpcSecurityGroupIds: ["web-security-group-id"],
      userData: secret(renderUserData({ machineKey: identity.privateKeyOpenssh, hostKey: host.privateKeyOpenssh })),
      userDataReplaceOnChange: false,
      metadataOptions: { httpEndpoint: "enabled", httpTokens: "required", httpPutResponseHopLimit: 1 },
      rootBlockDevice: { volumeType: "gp3", volumeSize: 20, encrypted: true },
      tags: { Name: "web" },
      volumeTags: { Name: "web" },
    });
  });

  it("takes the other choices of a stack as they are", async () => {
    const { resources } = await machine({
      instanceType: "m7i.large",
      rootVolumeGiB: 64,
      tags: { Team: "infra" },
      instanceProfile: "cache-reader",
    });
    const { inputs } = only(resources, INSTANCE);
    const tags = { Name: "web", Team: "infra" };
    assert.equal(inputs["instanceType"], "m7i.large");
    assert.equal(inputs["iamInstanceProfile"], "cache-reader");
    assert.deepEqual(inputs["rootBlockDevice"], { volumeType: "gp3", volumeSize: 64, encrypted: true });
    assert.deepEqual(inputs["volumeTags"], tags);
    for (const type of [INSTANCE, GROUP, ADDRESS]) assert.deepEqual(only(resources, type).inputs["tags"], tags, type);
  });

  it("looks the image up once, by release, owner, architecture and state, newest first", async () => {
    const { invokes } = await machine({ release: "25.11" });
    assert.deepEqual(
      invokes.filter(({ token }) => token !== LOOK),
      [
        {
          token: LOOKUP,
          args: {
            owners: ["427812963091"],
            filters: [
              { name: "name", values: ["nixos/25.11*"] },
              { name: "architecture", values: ["x86_64"] },
              { name: "state", values: ["available"] },
            ],
            sortAscending: false,
          },
          provider: "",
        },
      ],
    );
  });

  it("freezes an image that was looked up", async () => {
    const { resources } = await machine();
    assert.deepEqual(only(resources, INSTANCE).options.ignoreChanges, ["ami", "keyName", ...DISK]);
  });

  it("looks nothing up for an image that was chosen, and does not freeze it", async () => {
    const { resources, invokes } = await machine({ amiId: "ami-12345678" });
    assert.equal(only(resources, INSTANCE).inputs["ami"], "ami-12345678");
    assert.deepEqual(only(resources, INSTANCE).options.ignoreChanges, ["keyName", ...DISK]);
    assert.deepEqual(
      invokes.filter(({ token }) => token !== LOOK),
      [],
    );
  });

  it("survives a lookup that finds nothing, with a warning and an image id that AWS refuses", async () => {
    const answers = cloud();
    answers.invokes[LOOKUP] = () => ({ ids: [] });
    const { resources, warnings } = await machine({}, false, answers);
    assert.match(only(resources, INSTANCE).inputs["ami"] as string, /^no-official-NixOS-26\.05-image-in-this-region/);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]!, /No official NixOS 26\.05 image is published in this region now\. A running machine/);
  });

  it("keeps user data secret among the machine's outputs", async () => {
    const { resources } = await machine();
    assert.deepEqual(only(resources, INSTANCE).options.additionalSecretOutputs, ["userData", "userDataBase64"]);
  });

  it("makes a security group with a description and no rules of its own", async () => {
    const { resources } = await machine();
    assert.deepEqual(only(resources, GROUP).inputs, {
      description: "SSH and web in, everything out",
      tags: { Name: "web" },
    });
  });

  it("opens SSH and the web to everyone, each network by a rule", async () => {
    const { resources } = await machine();
    const rule = { securityGroupId: "web-security-group-id", ipProtocol: "tcp", tags: OURS };
    const ssh = { ...rule, fromPort: 22, toPort: 22, description: "ssh" };
    const http = { ...rule, fromPort: 80, toPort: 80, description: "http" };
    assert.deepEqual(rules(resources, INGRESS), {
      "web-ssh-0.0.0.0_0": { ...ssh, cidrIpv4: "0.0.0.0/0" },
      "web-ssh---_0": { ...ssh, cidrIpv6: "::/0" },
      "web-http-0.0.0.0_0": { ...http, cidrIpv4: "0.0.0.0/0" },
      "web-http---_0": { ...http, cidrIpv6: "::/0" },
    });
  });

  it("lets everything out, by IPv4 and IPv6", async () => {
    const { resources } = await machine();
    const out = { securityGroupId: "web-security-group-id", ipProtocol: "-1", tags: OURS };
    const rule = { ...out, description: "everything" };
    assert.deepEqual(rules(resources, EGRESS), {
      "web-out-ipv4": { ...rule, cidrIpv4: "0.0.0.0/0" },
      "web-out-ipv6": { ...rule, cidrIpv6: "::/0" },
    });
  });

  it("opens each port of the web to each of its networks, and only those", async () => {
    const { resources } = await machine({
      sshCidrBlocks: ["203.0.113.0/24"],
      sshIpv6CidrBlocks: [],
      httpCidrBlocks: ["192.0.2.0/24", "198.51.100.0/24"],
      httpIpv6CidrBlocks: ["2001:db8::/32"],
      httpPorts: [80, 443],
    });
    const found = Object.entries(rules(resources, INGRESS)).map(([name, rule]) => [
      name,
      rule["fromPort"] as number,
      rule["toPort"] as number,
      (rule["cidrIpv4"] ?? rule["cidrIpv6"]) as string,
    ]);
    assert.deepEqual(
      found.sort(),
      [
        ["web-ssh-203.0.113.0_24", 22, 22, "203.0.113.0/24"],
        ["web-http-192.0.2.0_24", 80, 80, "192.0.2.0/24"],
        ["web-http-198.51.100.0_24", 80, 80, "198.51.100.0/24"],
        ["web-http-2001-db8--_32", 80, 80, "2001:db8::/32"],
        ["web-http-443-192.0.2.0_24", 443, 443, "192.0.2.0/24"],
        ["web-http-443-198.51.100.0_24", 443, 443, "198.51.100.0/24"],
        ["web-http-443-2001-db8--_32", 443, 443, "2001:db8::/32"],
      ].sort(),
    );
  });

  it("opens nothing where there are no networks", async () => {
    const none = { sshCidrBlocks: [], sshIpv6CidrBlocks: [], httpCidrBlocks: [], httpIpv6CidrBlocks: [] };
    const { resources } = await machine(none);
    assert.deepEqual(rules(resources, INGRESS), {});
    assert.equal(Object.keys(rules(resources, EGRESS)).length, 2);
  });

  it("keeps the other rules when one network is removed", async () => {
    const names = async (sshCidrBlocks: string[]) =>
      Object.keys(rules((await machine({ sshCidrBlocks })).resources, INGRESS));
    const before = await names(["192.0.2.0/24", "203.0.113.0/24"]);
    const after = await names(["203.0.113.0/24"]);
    assert.deepEqual(
      before.filter((name) => !after.includes(name)),
      ["web-ssh-192.0.2.0_24"],
    );
    assert.deepEqual(
      after.filter((name) => !before.includes(name)),
      [],
    );
  });

  it("names a rule by its place when its network is an output", async () => {
    const { resources } = await machine({ sshCidrBlocks: [pulumi.output("192.0.2.0/24")] });
    assert.equal(only(resources, INGRESS, "web-ssh-ipv4-0").inputs["cidrIpv4"], "192.0.2.0/24");
  });

  it("puts machine and group into the subnet's VPC", async () => {
    const { resources, invokes } = await machine({ subnetId: "subnet-12345678" });
    assert.equal(only(resources, INSTANCE).inputs["subnetId"], "subnet-12345678");
    assert.equal(only(resources, GROUP).inputs["vpcId"], "vpc-of-subnet-12345678");
    assert.deepEqual(
      invokes.filter(({ token }) => token !== LOOKUP && token !== LOOK),
      [{ token: "aws:ec2/getSubnet:getSubnet", args: { id: "subnet-12345678" }, provider: "" }],
    );
  });

  it("asks for no subnet when none is given", async () => {
    const { resources, invokes } = await machine();
    assert.ok(!("subnetId" in only(resources, INSTANCE).inputs));
    assert.ok(!("vpcId" in only(resources, GROUP).inputs));
    assert.deepEqual(
      invokes.map(({ token }) => token).filter((token) => token !== LOOK),
      [LOOKUP],
    );
  });

  it("gives the machine an Elastic IP, made after it", async () => {
    const { resources } = await machine();
    const address = only(resources, ADDRESS);
    assert.deepEqual(address.inputs, { domain: "vpc", instance: "web-id", tags: { Name: "web" } });
    assert.ok(address.dependencies.includes("web"));
  });

  it("hands on the address of the Elastic IP, never the machine's first one", async () => {
    const { result } = await machine();
    assert.equal(await awaited(result.publicIp), "192.0.2.7");
    assert.equal(await awaited(result.publicDns), "ec2-192-0-2-7.compute-1.amazonaws.com");
  });

  it("registers exactly its outputs", async () => {
    const { resources } = await machine();
    assert.deepEqual(only(resources, "nixos:index:NixosInstance").outputs, {
      instanceId: "web-id",
      publicIp: "192.0.2.7",
      publicDns: "ec2-192-0-2-7.compute-1.amazonaws.com",
      amiId: IMAGES[0],
      securityGroupId: "web-security-group-id",
      hostPublicKey: host.publicKeyOpenssh.trim(),
    });
  });

  it("hands on the public half of the host key, which is no secret", async () => {
    const { result } = await machine({ hostKey: pulumi.secret(host.privateKeyOpenssh) });
    const { value, secret } = await awaitedFacts(result.hostPublicKey);
    assert.deepEqual({ value, secret }, { value: host.publicKeyOpenssh.trim(), secret: false });
  });

  describe("with ipv6Only", () => {
    const ADDRESSES = ["2001:db8::7"];
    const build = (preview = false) => {
      const answers = cloud();
      answers.resources[INSTANCE] = () => ({ ipv6Addresses: ADDRESSES });
      return machine({ ipv6Only: true, subnetId: "subnet-12345678" }, preview, answers);
    };

    it("has an IPv6 address of its subnet, no address lent by EC2, and no Elastic IP", async () => {
      const { resources } = await build();
      const { ipv6AddressCount, associatePublicIpAddress } = only(resources, INSTANCE).inputs;
      assert.deepEqual([ipv6AddressCount, associatePublicIpAddress], [1, false]);
      assert.ok(!resources.some(({ type }) => type === ADDRESS));
    });

    it("tells that address, for want of a public name too", async () => {
      const { result } = await build();
      for (const told of [result.publicIp, result.publicDns]) assert.equal(await awaited(told), ADDRESSES[0]);
    });

    it("registers the same in a preview", async () => {
      assert.deepEqual(table((await build(true)).resources), table((await build()).resources));
    });
  });

  it("keeps plain keys secret in its own inputs", async () => {
    const { resources } = await machine();
    const { machineKey, hostKey } = only(resources, "nixos:index:NixosInstance").inputs;
    assert.deepEqual(machineKey, secret(identity.privateKeyOpenssh));
    assert.deepEqual(hostKey, secret(host.privateKeyOpenssh));
  });

  it("shows no private key in any plain text", async () => {
    const texts = plainTextsOf(await machine());
    assert.ok(texts.includes("t3.small"));
    assert.deepEqual(
      texts.filter((text) => text.includes("PRIVATE KEY")),
      [],
    );
  });

  it("registers the same in a preview, where keys and addresses are unknown", async () => {
    const unknownKey = () => pulumi.output(Promise.resolve(pulumi.unknown as string));
    const args = { machineKey: unknownKey(), hostKey: unknownKey() };
    const preview = await machine(args, true);
    const update = await machine();
    assert.deepEqual(table(preview.resources), table(update.resources));
    assert.deepEqual(only(preview.resources, ADDRESS).inputs["instance"], UNKNOWN);
    assert.equal((await awaitedFacts(preview.result.publicIp)).known, false);
  });

  it("warns of a size with too little memory, and only of those", async () => {
    const small = await machine({ instanceType: "t3.micro" });
    assert.equal(small.warnings.length, 1);
    assert.match(
      small.warnings[0]!,
      /t3\.micro has 1 GiB of memory or less; .* Use t3\.small or larger, or build elsewhere/,
    );
    assert.deepEqual((await machine({ instanceType: "t3.small" })).warnings, []);
  });

  it("passes an explicit provider on to every resource and lookup", async () => {
    const answers = cloud();
    answers.resources["pulumi:providers:aws"] = () => ({});
    const { resources, invokes } = await run(answers, () => {
      const aws = new Provider("elsewhere", { region: "eu-central-1" });
      return new NixosInstance("web", { ...keys, subnetId: "subnet-12345678" }, { providers: { aws } });
    });
    const used = [...resources.filter(({ parent, custom }) => custom && parent === "web"), ...invokes];
    assert.equal(used.length, 13);
    for (const { provider } of used) assert.match(provider, /::elsewhere::elsewhere-id$/);
  });

  it("lets two of them live in one stack", async () => {
    const { resources } = await run(cloud(), () => [new NixosInstance("a", keys), new NixosInstance("b", keys)]);
    assert.equal(cloudResources(resources).length, 18);
  });

  const bad: [string, Partial<NixosInstanceArgs>, string][] = [
    ["a release with one digit", { release: "26.5" }, 'release: got "26.5"; allowed: a NixOS release'],
    ["the release latest", { release: "latest" }, 'release: got "latest"; allowed: a NixOS release'],
    ["an image id of another form", { amiId: "ami-1" }, 'amiId: got "ami-1"; allowed: an image id'],
    [
      "an ARM machine",
      { instanceType: "t4g.small" },
      'instanceType: got "t4g.small", which is an ARM (aarch64) machine',
    ],
    ["another ARM machine", { instanceType: "m7g.large" }, 'instanceType: got "m7g.large", which is an ARM'],
    [
      "a network-optimized ARM machine",
      { instanceType: "c8gn.large" },
      'instanceType: got "c8gn.large", which is an ARM',
    ],
    ["a volume under 8 GiB", { rootVolumeGiB: 7 }, "rootVolumeGiB: got 7; allowed: a whole number of GiB from 8"],
    ["a network twice", { httpCidrBlocks: ["0.0.0.0/0", "0.0.0.0/0"] }, 'httpCidrBlocks: got "0.0.0.0/0" twice'],
    ["the port of SSH for the web", { httpPorts: [22] }, "httpPorts: got 22"],
    ["a prefix over 32", { sshCidrBlocks: ["10.0.0.0/33"] }, 'sshCidrBlocks[0]: got "10.0.0.0/33"'],
    ["an address without prefix", { httpCidrBlocks: ["0.0.0.0"] }, 'httpCidrBlocks[0]: got "0.0.0.0"'],
    ["IPv6 in the IPv4 list", { sshCidrBlocks: ["::/0"] }, 'sshCidrBlocks[0]: got "::/0"'],
    ["IPv4 in the IPv6 list", { httpIpv6CidrBlocks: ["0.0.0.0/0"] }, 'httpIpv6CidrBlocks[0]: got "0.0.0.0/0"'],
    ["port 0", { httpPorts: [0] }, "httpPorts[0]: got 0; allowed: a TCP port"],
    ["port 70000", { httpPorts: [70000] }, "httpPorts[0]: got 70000; allowed: a TCP port"],
    ["an IPv6 machine in a default subnet", { ipv6Only: true }, "ipv6Only: got true without subnetId; allowed: true"],
    ["a subnet id of another form", { subnetId: "vpc-1" }, 'subnetId: got "vpc-1"; allowed: a subnet id'],
    [
      "a machine key with CRLF",
      { machineKey: identity.privateKeyOpenssh.replaceAll("\n", "\r\n") },
      "machineKey: got a key with carriage returns (CRLF); allowed: an ed25519 private key",
    ],
    [
      "a host key with CRLF",
      { hostKey: host.privateKeyOpenssh.replaceAll("\n", "\r\n") },
      "hostKey: got a key with carriage returns (CRLF); allowed: an ed25519 private key",
    ],
    ["a host key of another type", { hostKey: newKey("ecdsa").privateKeyOpenssh }, "hostKey: got a key of type ecdsa"],
  ];
  for (const [what, args, message] of bad) {
    it(`refuses ${what} before any cloud call`, async () => {
      const { error, resources, invokes } = await refusal(
        cloud(),
        () => new NixosInstance("web", { ...keys, ...args }),
      );
      assert.ok(pulumi.ResourceError.isInstance(error));
      assert.ok(error.message.startsWith(`NixosInstance "web" has 1 problem:\n  - ${message}`), error.message);
      assert.deepEqual(cloudResources(resources), []);
      assert.deepEqual(invokes, []);
    });
  }

  it("reports all problems at once", async () => {
    const { error } = await refusal(
      cloud(),
      () => new NixosInstance("web", { ...keys, release: "latest", rootVolumeGiB: 1, httpPorts: [0, 80, 70000] }),
    );
    assert.match(error.message, /^NixosInstance "web" has 4 problems:\n/);
    assert.deepEqual(error.message.match(/^ {2}- [^:]+/gm), [
      "  - release",
      "  - rootVolumeGiB",
      "  - httpPorts[0]",
      "  - httpPorts[2]",
    ]);
  });

  it("makes no machine when an output turns out bad", async () => {
    const { error, resources } = await refusal(
      cloud(),
      () => new NixosInstance("web", { ...keys, instanceType: pulumi.output("t4g.small") }),
    );
    assert.match(error.message, /got "t4g\.small", which is an ARM/);
    assert.deepEqual(
      resources.filter(({ type }) => type === INSTANCE || type === ADDRESS),
      [],
    );
  });

  it("uses the SDK's types of the tokens above", () => {
    assert.equal((ec2.Instance as unknown as { __pulumiType: string }).__pulumiType, INSTANCE);
    assert.equal((ec2.Eip as unknown as { __pulumiType: string }).__pulumiType, ADDRESS);
  });
});
