import * as ec2 from "@pulumi/aws/ec2";
import * as vpc from "@pulumi/aws/vpc";
import * as pulumi from "@pulumi/pulumi";
import { unique, httpPorts, rootVolumeGiB, subnetId } from "./values/rules";
import { cidrOf } from "./values/cidr";
import { DEFAULTS, withDefaults } from "./values/defaults";
import { ArgumentRules, type ValueRule, problem } from "./values/errors";
import {
  extraOpenings,
  extraRules,
  onlyOnce,
  type Opening,
  ownRules,
  refuseTakenRules,
  revokeOthers,
  ruleName,
  RULE_TAGS,
  securityGroupRuleId,
  warnOfForeignRules,
} from "./firewallRules";
import { look } from "./foreign";
import { isShortOfMemory, x86InstanceType } from "./values/instanceType";
import { answerOf } from "./lookUp";
import { amiId, newestAmi, NIXOS_AMI_OWNER, nixosAmiFilters, nixosRelease } from "./values/nixosAmi";
import { outputsOf } from "./values/outputs";
import { ed25519PrivateKey, publicKeyOf } from "./keys/openssh";
import { FOREIGN } from "./signals";
import { renderUserData } from "./keys/userData";

/** What a stack may choose about its machine. */
export interface MachineSettings {
  /**
   * NixOS release of the image that a new machine starts from, `YY.05` or `YY.11`. A running machine is not touched:
   * its release comes from the flake.
   * @default "26.05"
   */
  release?: pulumi.Input<string>;
  /**
   * Image to start from, instead of the newest official one of `release`. A change replaces the machine. Without it
   * the image is looked up for a new machine and then frozen: images are published weekly and deleted after 90 days.
   * @default the newest official x86_64 image of `release`
   */
  amiId?: pulumi.Input<string>;
  /**
   * EC2 instance type, x86_64. A change stops and starts the machine (about a minute) and keeps disk and address.
   * @default "t3.small"
   */
  instanceType?: pulumi.Input<string>;
  /**
   * Size of the encrypted gp3 root volume in GiB, at least 8. It can grow in place and never shrink. Below 20 a second
   * generation of the system may not fit beside the running one.
   * @default 20
   */
  rootVolumeGiB?: pulumi.Input<number>;
  /**
   * IPv4 networks that may reach SSH (port 22). The computer that runs `pulumi up` must be in one of them.
   * @default ["0.0.0.0/0"]
   */
  sshCidrBlocks?: pulumi.Input<string>[];
  /**
   * IPv6 networks that may reach SSH (port 22).
   * @default ["::/0"]
   */
  sshIpv6CidrBlocks?: pulumi.Input<string>[];
  /**
   * IPv4 networks that may reach the web server.
   * @default ["0.0.0.0/0"]
   */
  httpCidrBlocks?: pulumi.Input<string>[];
  /**
   * IPv6 networks that may reach the web server.
   * @default ["::/0"]
   */
  httpIpv6CidrBlocks?: pulumi.Input<string>[];
  /**
   * TCP ports of the web server that the security group opens. The machine's own firewall must open them too.
   * @default [80]
   */
  httpPorts?: number[];
  /**
   * More that the security group lets in, such as `udp/51820 0.0.0.0/0` or `tcp/6000-6010 2001:db8::/32`. The machine's
   * own firewall must open them too.
   * @default []
   */
  extraRules?: string[];
  /**
   * Ids (`sgr-…`) of rules of the security group that are made elsewhere and shall stay. Others that are not of this
   * stack are named in a warning at each preview.
   * @default []
   */
  allowedRuleIds?: pulumi.Input<string>[];
  /**
   * Whether updates revoke every rule of the security group that is neither of this stack nor in `allowedRuleIds`. The
   * first update does so at once; its preview names what would be revoked. Later ones see a rule after a refresh.
   * @default false
   */
  exclusiveRules?: boolean;
  /**
   * Subnet of the machine; its VPC is the security group's. A change replaces the machine.
   * @default a default subnet of the region's default VPC
   */
  subnetId?: pulumi.Input<string>;
  /**
   * Whether the machine has no public IPv4 address: one IPv6 address of `subnetId` instead of an Elastic IP. The subnet
   * needs an IPv6 network and, for the metadata service, a private IPv4 one. GitHub has no IPv6 address: the machine
   * reaches it by NAT64 and DNS64 only. A replaced machine gets another address. A change replaces the machine.
   * @default false
   */
  ipv6Only?: boolean;
  /**
   * Name of an IAM instance profile of the machine, such as `readerProfileName` of BinaryCache. Only root on the machine
   * can use its credentials.
   * @default none
   */
  instanceProfile?: pulumi.Input<string>;
  /**
   * Tags of the machine, security group and address, beside `Name`. Its volume gets them when the machine is made.
   * @default {}
   */
  tags?: { [key: string]: pulumi.Input<string> };
}

/** Arguments of NixosInstance. */
export interface NixosInstanceArgs extends MachineSettings {
  /**
   * Name of the EC2 key pair that may log in as root. EC2 hands it over at the first boot only, so a change concerns
   * the next machine: the running one is neither replaced nor told.
   */
  keyName: pulumi.Input<string>;
  /**
   * The machine's own private key (ed25519, OpenSSH form), written to /var/lib/id_ed25519. Secret. A change stops and
   * starts the machine, which then has the new key.
   */
  identityKey: pulumi.Input<string>;
  /**
   * Private host key of the machine's SSH server (ed25519, OpenSSH form). Secret. The machine takes it at its first
   * boot only: to change it, replace the machine.
   */
  hostKey: pulumi.Input<string>;
  /**
   * Whether the engine refuses to delete or replace machine and Elastic IP.
   * @default false
   */
  protect?: boolean;
}

/**
 * An x86_64 EC2 machine that runs NixOS, with a security group and an address that outlives a stop.
 *
 * @example
 * ```ts
 * const login = new SshKeyPair("login");
 * const host = new PrivateKey("host", { algorithm: "ED25519" });
 *
 * const machine = new NixosInstance("server", {
 *   keyName: login.keyName,
 *   identityKey: login.privateKeyOpenssh,
 *   hostKey: host.privateKeyOpenssh,
 *   sshCidrBlocks: ["203.0.113.0/24"],
 *   sshIpv6CidrBlocks: [],
 * });
 * export const address = machine.publicIp;
 * ```
 */
export class NixosInstance extends pulumi.ComponentResource {
  /** Id of the EC2 instance. */
  public readonly instanceId: pulumi.Output<string>;
  /** IPv4 address: the Elastic IP, once it is the machine's. With `ipv6Only` the IPv6 address. */
  public readonly publicIp: pulumi.Output<string>;
  /** DNS name of the Elastic IP, once it is the machine's. With `ipv6Only` the address: EC2 gives it no public name. */
  public readonly publicDns: pulumi.Output<string>;
  /** Image that the machine was started from. */
  public readonly amiId: pulumi.Output<string>;
  /** Id of the security group. */
  public readonly securityGroupId: pulumi.Output<string>;
  /** Public half of the host key, `ssh-ed25519 AAAA…`: what to pin in known_hosts. */
  public readonly hostPublicKey: pulumi.Output<string>;

  /**
   * @param name name of the resource; the names of those beneath it in the cloud begin with it
   * @param args its arguments
   * @param opts options of Pulumi's; `transforms` reach the resources beneath (docs/packages.md)
   */
  constructor(name: string, args: NixosInstanceArgs, opts?: pulumi.ComponentResourceOptions) {
    const secrets = { identityKey: pulumi.secret(args.identityKey), hostKey: pulumi.secret(args.hostKey) };
    // The inputs of a component are kept in the state too.
    super("nixos:index:NixosInstance", name, { ...args, ...secrets }, opts);

    const checked = checkedArgs(this, name, args);
    const tags = { Name: name, ...args.tags };
    const image = lookUpImage(this, args.amiId === undefined, checked);
    const securityGroup = createSecurityGroup(this, name, checked, tags);

    const instance = new ec2.Instance(
      name,
      {
        ami: image,
        instanceType: checked.instanceType,
        keyName: args.keyName,
        subnetId: checked.subnetId,
        // Otherwise left to the subnet's own settings: the Elastic IP takes the place of an address lent at the start.
        ...(checked.ipv6Only ? { associatePublicIpAddress: false, ipv6AddressCount: 1 } : {}),
        iamInstanceProfile: args.instanceProfile,
        vpcSecurityGroupIds: [securityGroup.id],
        userData: userDataOf(checked),
        // A changed key stops and starts the machine; replacing it would lose its disk.
        userDataReplaceOnChange: false,
        // User data holds the machine's key: no version 1 requests, and none from containers, a hop further away.
        metadataOptions: { httpEndpoint: "enabled", httpTokens: "required", httpPutResponseHopLimit: 1 },
        rootBlockDevice: { volumeType: "gp3", volumeSize: checked.rootVolumeGiB, encrypted: true },
        tags,
        // With the start itself: a role that may tag a volume later may tag anybody's.
        volumeTags: tags,
      },
      {
        parent: this,
        protect: args.protect,
        // Every new image would otherwise replace the machine, and so would a rotated key, which reaches it by user
        // data. An image that the user chose is not frozen. An imported machine may have a disk that is not encrypted,
        // which only a new machine changes. Machines of earlier versions have their volume's tags in rootBlockDevice, and
        // AWS's provider would take them away if they moved.
        ignoreChanges: [
          ...(args.amiId === undefined ? ["ami"] : []),
          "keyName",
          "rootBlockDevice.encrypted",
          "rootBlockDevice.tags",
          "volumeTags",
        ],
        additionalSecretOutputs: ["userData", "userDataBase64"],
      },
    );

    warnOfForeignProfile(this, instance, args.instanceProfile !== undefined);

    const address = checked.ipv6Only
      ? ownIpv6Address(instance)
      : createAddress(this, name, instance, { tags, protect: args.protect });

    this.instanceId = instance.id;
    this.publicIp = address.publicIp;
    this.publicDns = address.publicDns;
    this.amiId = instance.ami;
    this.securityGroupId = securityGroup.id;
    this.hostPublicKey = pulumi.unsecret(pulumi.output(checked.hostKey).apply(publicKeyOf));

    this.registerOutputs(outputsOf(this));
  }
}

type CheckedArgs = ReturnType<typeof checkedArgs>;

type NetworkSetting = "sshIpv4" | "sshIpv6" | "httpIpv4" | "httpIpv6" | "httpPorts";

type NetworkList = "sshCidrBlocks" | "sshIpv6CidrBlocks" | "httpCidrBlocks" | "httpIpv6CidrBlocks";

/** Checks what a stack may choose; ContinuousDeployment does so before it makes its first part. */
export function checkMachineSettings(checks: ArgumentRules, given: MachineSettings) {
  const args = withDefaults(given, DEFAULTS.machine);
  const networks = (property: NetworkList, family: "ipv4" | "ipv6") =>
    checks.inputs(property, checks.plain(property, args[property], unique), cidrOf(family));
  const ipv6Only = args.ipv6Only ?? false;
  checks.plain("ipv6Only", ipv6Only, hasSubnet(args.subnetId));
  const settings = {
    ipv6Only,
    release: checks.input("release", args.release, nixosRelease),
    amiId: args.amiId === undefined ? undefined : checks.input("amiId", args.amiId, amiId),
    instanceType: checks.input("instanceType", args.instanceType, x86InstanceType),
    rootVolumeGiB: checks.input("rootVolumeGiB", args.rootVolumeGiB, rootVolumeGiB),
    subnetId: args.subnetId === undefined ? undefined : checks.input("subnetId", args.subnetId, subnetId),
    sshIpv4: networks("sshCidrBlocks", "ipv4"),
    sshIpv6: networks("sshIpv6CidrBlocks", "ipv6"),
    httpIpv4: networks("httpCidrBlocks", "ipv4"),
    httpIpv6: networks("httpIpv6CidrBlocks", "ipv6"),
    httpPorts: checks.plain("httpPorts", args.httpPorts, httpPorts),
    extraRules: checks.plain("extraRules", args.extraRules, extraRules),
    allowedRuleIds: checks.inputs("allowedRuleIds", args.allowedRuleIds, securityGroupRuleId),
    exclusiveRules: args.exclusiveRules,
  };
  checks.plain("extraRules", settings.extraRules, onlyOnce(webAndSsh(settings)));
  return settings;
}

/** What the security group lets in beside `extraRules`. */
function webAndSsh(settings: Pick<CheckedArgs, NetworkSetting>): Opening[] {
  const { sshIpv4, sshIpv6, httpIpv4, httpIpv6, httpPorts } = settings;
  const allow = (port: number, description: string, ipv4: pulumi.Input<string>[], ipv6: pulumi.Input<string>[]) => {
    const rule = { protocol: "tcp", fromPort: port, toPort: port, description };
    return [
      ...ipv4.map((network, index) => ({ ...rule, network, ipv6: false, index })),
      ...ipv6.map((network, index) => ({ ...rule, network, ipv6: true, index })),
    ];
  };
  return [
    ...allow(22, "ssh", sshIpv4, sshIpv6),
    ...httpPorts.flatMap((port) => allow(port, port === 80 ? "http" : `http-${port}`, httpIpv4, httpIpv6)),
  ];
}

/** The subnets of a default VPC have no IPv6 network unless somebody gave them one. */
function hasSubnet(subnet: pulumi.Input<string> | undefined): ValueRule<boolean> {
  return (property, wanted) =>
    wanted && subnet === undefined
      ? [problem(property, "true without subnetId", "true with the id of a subnet that has an IPv6 network")]
      : [];
}

function checkedArgs(component: NixosInstance, name: string, args: NixosInstanceArgs) {
  const checks = new ArgumentRules(component, `NixosInstance ${JSON.stringify(name)}`);
  const checked = {
    ...checkMachineSettings(checks, args),
    identityKey: checks.input("identityKey", args.identityKey, ed25519PrivateKey),
    hostKey: checks.input("hostKey", args.hostKey, ed25519PrivateKey),
  };
  checks.refuseProblems();
  warnOfLittleMemory(component, checked.instanceType);
  return checked;
}

function warnOfLittleMemory(component: NixosInstance, instanceType: pulumi.Input<string>): void {
  if (typeof instanceType === "string" && isShortOfMemory(instanceType)) {
    void pulumi.log.warn(
      `${instanceType} has 1 GiB of memory or less; evaluating NixOS takes about 1.1 GB, so upgrades may be killed. ` +
        `Use t3.small or larger, or build elsewhere (buildOn).`,
      component,
    );
  }
}

function lookUpImage(component: NixosInstance, lookUp: boolean, checked: CheckedArgs): pulumi.Input<string> {
  if (!lookUp) return checked.amiId!;
  return pulumi.output(checked.release).apply(async (wanted) => {
    const answer = ec2.getAmiIds(
      { owners: [NIXOS_AMI_OWNER], filters: nixosAmiFilters(wanted), sortAscending: false },
      { parent: component },
    );
    const remedy = "Credentials and region must be right: npm run doctor.";
    const { ids } = await answerOf(component, answer, "The images of NixOS could not be looked up", remedy);
    if (ids.length === 0) {
      void pulumi.log.warn(
        `No official NixOS ${wanted} image is published in this region now. A running machine is not affected; ` +
          `a new one cannot be created until you set amiId or another release.`,
        component,
      );
    }
    return newestAmi(ids, wanted);
  });
}

function createSecurityGroup(
  component: NixosInstance,
  name: string,
  checked: CheckedArgs,
  tags: { [key: string]: pulumi.Input<string> },
): ec2.SecurityGroup {
  const parent = { parent: component };
  const group = new ec2.SecurityGroup(
    `${name}-security-group`,
    {
      description: "SSH and web in, everything out",
      vpcId: checked.subnetId === undefined ? undefined : vpcOf(component, checked.subnetId),
      tags,
    },
    parent,
  );
  const openings = [...webAndSsh(checked), ...extraOpenings(checked.extraRules)];
  const ofGroup = { securityGroupId: group.id, tags: RULE_TAGS };
  const ingress = openings.map((opening) => {
    const { protocol: ipProtocol, fromPort, toPort, network, ipv6, description } = opening;
    const peer = ipv6 ? { cidrIpv6: network } : { cidrIpv4: network };
    const rule = { ...ofGroup, ipProtocol, fromPort, toPort, description, ...peer };
    const called = `${name}-${ruleName(opening)}`;
    return { opening, name: called, resource: new vpc.SecurityGroupIngressRule(called, rule, parent) };
  });

  // A security group made by Pulumi has no way out by itself, and the machine must reach GitHub and its caches.
  const out = { ...ofGroup, ipProtocol: "-1", description: "everything" };
  const outIpv4 = new vpc.SecurityGroupEgressRule(`${name}-out-ipv4`, { ...out, cidrIpv4: "0.0.0.0/0" }, parent);
  const outIpv6 = new vpc.SecurityGroupEgressRule(`${name}-out-ipv6`, { ...out, cidrIpv6: "::/0" }, parent);
  const egress = [
    { name: `${name}-out-ipv4`, resource: outIpv4, peer: "0.0.0.0/0" },
    { name: `${name}-out-ipv6`, resource: outIpv6, peer: "::/0" },
  ];

  const { allowedRuleIds: allowedIds, exclusiveRules: exclusive } = checked;
  refuseTakenRules(component, group.id, ownRules(ingress, egress));
  warnOfForeignRules(component, group.id, { openings, allowedIds, exclusive });
  if (exclusive) {
    const idsOf = (rules: { resource: pulumi.CustomResource }[]) => rules.map(({ resource }) => resource.id);
    const own = { ingress: idsOf(ingress), egress: idsOf(egress) };
    revokeOthers(component, `${name}-exclusive-rules`, group.id, own, allowedIds);
  }
  return group;
}

function vpcOf(component: NixosInstance, subnet: pulumi.Input<string>): pulumi.Output<string> {
  return pulumi.output(subnet).apply(async (id) => {
    const remedy =
      "Correct it (the VPC console lists the subnets of the region), or leave it out for a default one. aws:region and " +
      "the account must be those of the subnet.";
    const answer = ec2.getSubnet({ id }, { parent: component });
    return (await answerOf(component, answer, `subnetId: EC2 did not tell the VPC of ${id}`, remedy)).vpcId;
  });
}

/** A profile gives whoever is root on the machine the rights of its role; where none is set, no update takes one away. */
function warnOfForeignProfile(component: NixosInstance, instance: ec2.Instance, given: boolean): void {
  if (given) return;
  look(component, "an instance profile", pulumi.all([instance.id, instance.iamInstanceProfile]), ([id, profile]) => {
    const text =
      `The machine ${id} has the instance profile ${profile}, which is ${FOREIGN}: root on it has the rights of its ` +
      `role. Detach it in the EC2 console (Actions, Security, Modify IAM role), or name it in instanceProfile.`;
    return Promise.resolve(profile ? text : undefined);
  });
}

interface Address {
  publicIp: pulumi.Output<string>;
  publicDns: pulumi.Output<string>;
}

/** Keeps the address over a stop, a start and a replacement; its outputs resolve after the association. */
function createAddress(
  component: NixosInstance,
  name: string,
  instance: ec2.Instance,
  { tags, protect }: Pick<NixosInstanceArgs, "tags" | "protect">,
): Address {
  return new ec2.Eip(`${name}-address`, { domain: "vpc", instance: instance.id, tags }, { parent: component, protect });
}

/** Stays with the machine over a stop and a start, and goes with it. */
function ownIpv6Address(instance: ec2.Instance): Address {
  const address = instance.ipv6Addresses.apply(([first]) => first!);
  return { publicIp: address, publicDns: address };
}

function userDataOf(checked: CheckedArgs): pulumi.Output<string> {
  const keys = pulumi.all([checked.identityKey, checked.hostKey]);
  return pulumi.secret(keys.apply(([identityKey, hostKey]) => renderUserData({ identityKey, hostKey })));
}
