import { randomBytes } from "node:crypto";
import type { Properties } from "../values";

/** What AWS answers when it refuses a call: its error code and its message. */
export class AwsError extends Error {
  constructor(code: string, message: string, operation: string) {
    super(`${operation}: api error ${code}: ${message}`);
  }
}

export interface Image {
  id: string;
  name: string;
  owner: string;
  architecture: "x86_64" | "arm64";
  created: string;
  snapshotGiB: number;
}

export interface Subnet {
  id: string;
  vpcId: string;
  availabilityZone: string;
  cidrBlock: string;
  /** Such as 2001:db8:1:2::/64; the default ones have none. */
  ipv6CidrBlock?: string;
  defaultForAz: boolean;
}

export interface Group {
  id: string;
  name: string;
  description: string;
  vpcId: string;
  rules: Map<string, GroupRule>;
}

export type GroupRule = Properties & { direction: "ingress" | "egress" };

export interface Instance {
  id: string;
  type: string;
  imageId: string;
  subnet: Subnet;
  keyName: string | undefined;
  groupIds: string[];
  userData: string;
  /** The root volume, as the provider describes it: what is false is left out. */
  root: Properties & { volumeSize: number };
  /** The address that EC2 lends; it changes at every stop and start. */
  lentAddress: string;
  privateIp: string;
  /** They stay with the machine as long as it lives. */
  ipv6Addresses: string[];
  /** How often the machine has booted. */
  boots: number;
}

export interface Address {
  id: string;
  publicIp: string;
  instanceId: string | undefined;
  associationId: string | undefined;
}

export const ACCOUNT = "123456789012";

/** The emulated EC2 of one account and region. Its state lives as long as the process. */
export class Ec2 {
  region = "us-east-1";
  readonly images: Image[] = [];
  readonly subnets: Subnet[];
  readonly keys = new Map<string, { id: string; publicKey: string }>();
  readonly groups = new Map<string, Group>();
  readonly instances = new Map<string, Instance>();
  readonly addresses = new Map<string, Address>();
  private hosts = 0;

  constructor() {
    this.subnets = ["a", "b"].map((zone, at) => ({
      id: newId("subnet"),
      vpcId: "vpc-0d0d0d0d0d0d0d0d0",
      availabilityZone: `${this.region}${zone}`,
      cidrBlock: `172.31.${16 * at}.0/20`,
      defaultForAz: true,
    }));
    this.subnets.push({
      id: newId("subnet"),
      vpcId: "vpc-0e0e0e0e0e0e0e0e0",
      availabilityZone: `${this.region}a`,
      cidrBlock: "10.20.0.0/24",
      defaultForAz: false,
    });
    this.publishNixos("26.05", "2026-09-01T00:00:00.000Z");
    this.publishNixos("26.05", "2026-09-08T00:00:00.000Z");
    this.publishNixos("25.11", "2026-04-01T00:00:00.000Z");
    // What the account also holds, and no one should get: another architecture, and images that are not official.
    this.publish({
      name: "nixos/26.05.300.0000000-aarch64-linux",
      architecture: "arm64",
      created: "2026-09-10T00:00:00.000Z",
    });
    this.publish({ name: "smoketest/nixos/26.05.301.0000000-x86_64-linux", created: "2026-09-11T00:00:00.000Z" });
  }

  get defaultVpc(): string {
    return this.subnets[0]!.vpcId;
  }

  /** Adds an image to the account of the NixOS project, as it does each week. */
  publishNixos(release: string, created: string): Image {
    return this.publish({ name: `nixos/${release}.${this.images.length + 100}.0000000-x86_64-linux`, created });
  }

  private publish(image: Pick<Image, "name" | "created"> & Partial<Image>): Image {
    const complete = {
      id: newId("ami"),
      owner: "427812963091",
      architecture: "x86_64" as const,
      snapshotGiB: 4,
      ...image,
    };
    this.images.push(complete);
    return complete;
  }

  /** A lent address and a private one, each used once. */
  newAddresses(): { lentAddress: string; privateIp: string } {
    this.hosts += 1;
    return { lentAddress: `198.51.100.${this.hosts}`, privateIp: `172.31.0.${this.hosts}` };
  }

  newIpv6Addresses(subnet: Subnet, count: number): string[] {
    const block = subnet.ipv6CidrBlock;
    if (count > 0 && block === undefined) {
      const message = `The subnet '${subnet.id}' does not have an associated IPv6 CIDR block.`;
      throw new AwsError("InvalidParameterValue", message, "creating EC2 Instance");
    }
    return Array.from({ length: count }, () => block!.replace("/64", (this.hosts += 1).toString(16)));
  }

  /** A rule that somebody adds in the console, past every stack. */
  addRuleByHand(groupId: string, rule: GroupRule): string {
    const id = newId("sgr");
    this.groups.get(groupId)!.rules.set(id, { securityGroupId: groupId, ...rule });
    return id;
  }

  /** A group, which must be there. */
  group(id: string, operation: string): Group {
    const group = this.groups.get(id);
    if (group !== undefined) return group;
    throw new AwsError("InvalidGroup.NotFound", `The security group '${id}' does not exist`, operation);
  }

  /** A rule by its id alone. */
  rule(id: string): GroupRule | undefined {
    return [...this.groups.values()].map(({ rules }) => rules.get(id)).find((rule) => rule !== undefined);
  }

  newElasticAddress(): string {
    this.hosts += 1;
    return `203.0.113.${this.hosts}`;
  }

  /** The Elastic IP of a machine, or the address that it was lent. */
  publicIp(instance: Instance): string {
    const elastic = [...this.addresses.values()].find(({ instanceId }) => instanceId === instance.id);
    return elastic?.publicIp ?? instance.lentAddress;
  }

  publicDns(publicIp: string): string {
    const zone = this.region === "us-east-1" ? "compute-1" : `${this.region}.compute`;
    return `ec2-${publicIp.replaceAll(".", "-")}.${zone}.amazonaws.com`;
  }

  arn(resource: string): string {
    return `arn:aws:ec2:${this.region}:${ACCOUNT}:${resource}`;
  }
}

/** An id as EC2 makes them, such as `i-0` and 16 hexadecimal digits. */
export function newId(prefix: string): string {
  return `${prefix}-0${randomBytes(8).toString("hex")}`;
}

/** Tags as outputs: `tagsAll` repeats them, since the emulated provider has no default tags. */
export function tagsAll(inputs: Properties): Properties {
  return { tagsAll: inputs["tags"] ?? {} };
}
