import type { Input, ResourceType } from "../../cli/rehearse/emulators/provider";
import type { Properties } from "../../cli/rehearse/emulators/values";
import { ACCOUNT, type Ec2, newId, tagsAll } from "../../cli/rehearse/emulators/aws/ec2";
import type { Fakes } from "../../cli/rehearse/fakes";

const required: Input = { type: "string", required: true, replaces: true };
const flag: Input = { type: "boolean" };
const text: Input = { type: "string" };

/** The zone that the account has. */
export const ZONE = { name: "example.com", id: "Z0123456789ABCDEFGHIJ" };

/** What exists of the types below, by id: the inputs of each. Empty again when everything is destroyed. */
export type Elsewhere = Map<string, Properties>;

/**
 * Gives a world the types of AWS that only examples use: networks, names and keys, as far as an example can get their
 * order and their references wrong.
 */
export function addTypesOfExamples(fakes: Fakes): Elsewhere {
  const there: Elsewhere = new Map();
  const aws = fakes.providers["aws"]!.provider;
  Object.assign(aws.resources, {
    ...network(fakes.ec2, there),
    "aws:kms/key:Key": kept(there, {
      prefix: "key",
      inputs: { description: text, enableKeyRotation: flag },
      outputs: (id) => ({ arn: `arn:aws:kms:${fakes.ec2.region}:${ACCOUNT}:key/${id}`, keyId: id }),
    }),
    "aws:kms/alias:Alias": kept(there, {
      prefix: "alias",
      inputs: { name: required, targetKeyId: required },
      references: ["targetKeyId"],
    }),
    "aws:route53/record:Record": kept(there, {
      prefix: "record",
      inputs: { zoneId: required, name: required, type: required, ttl: { type: "number" }, records: { type: "array" } },
      refuse({ zoneId, name }) {
        if (zoneId !== ZONE.id) return `NoSuchHostedZone: No hosted zone found with ID: ${String(zoneId)}`;
        if (name === ZONE.name || String(name).endsWith(`.${ZONE.name}`)) return undefined;
        return `InvalidChangeBatch: RRSet with DNS name ${String(name)}. is not permitted in zone ${ZONE.name}.`;
      },
      outputs: (_, { name }) => ({ fqdn: name }),
    }),
  });
  aws.functions["aws:route53/getZone:getZone"] = ({ name }) => {
    if (name !== ZONE.name) throw new Error("no matching Route 53 Hosted Zone found");
    return { name, zoneId: ZONE.id, id: ZONE.id };
  };
  return there;
}

function network(ec2: Ec2, there: Elsewhere): Record<string, ResourceType> {
  const vpcId = required;
  const has = (prefix: string, wanted: Properties) =>
    [...there].some(
      ([id, inputs]) =>
        id.startsWith(`${prefix}-`) && Object.entries(wanted).every(([key, value]) => inputs[key] === value),
    );
  return {
    "aws:ec2/vpc:Vpc": kept(there, {
      prefix: "vpc",
      inputs: { cidrBlock: required, assignGeneratedIpv6CidrBlock: flag, enableDnsHostnames: flag },
      outputs: (_, inputs) => ({ ipv6CidrBlock: inputs["assignGeneratedIpv6CidrBlock"] ? "2001:db8:1:100::/56" : "" }),
    }),
    "aws:ec2/internetGateway:InternetGateway": kept(there, { prefix: "igw", inputs: { vpcId }, references: ["vpcId"] }),
    "aws:ec2/subnet:Subnet": kept(there, {
      prefix: "subnet",
      inputs: { vpcId, cidrBlock: required, ipv6CidrBlock: text, enableDns64: flag },
      references: ["vpcId"],
      refuse({ ipv6CidrBlock = "::/64" }) {
        const block = ipv6CidrBlock as string;
        return block.endsWith("::/64") ? undefined : `InvalidSubnet.Range: The CIDR '${block}' is invalid.`;
      },
      created: (id, inputs) =>
        ec2.subnets.push({
          id,
          vpcId: inputs["vpcId"] as string,
          availabilityZone: `${ec2.region}a`,
          cidrBlock: inputs["cidrBlock"] as string,
          ipv6CidrBlock: inputs["ipv6CidrBlock"] as string | undefined,
          defaultForAz: false,
        }),
      inUse: (id) => [...ec2.instances.values()].some(({ subnet }) => subnet.id === id),
      deleted: (id) =>
        ec2.subnets.splice(
          ec2.subnets.findIndex((subnet) => subnet.id === id),
          1,
        ),
    }),
    "aws:ec2/routeTable:RouteTable": kept(there, {
      prefix: "rtb",
      inputs: { vpcId, routes: { type: "array" } },
      references: ["vpcId"],
      refuse: ({ routes }) =>
        (routes as Properties[])
          .map(({ gatewayId, natGatewayId }) => gatewayId ?? natGatewayId)
          .filter((target) => !there.has(target as string))
          .map((target) => `InvalidGatewayID.NotFound: The gateway ID '${String(target)}' does not exist`)[0],
    }),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": kept(there, {
      prefix: "rtbassoc",
      inputs: { subnetId: required, routeTableId: required },
      references: ["subnetId", "routeTableId"],
    }),
    "aws:ec2/natGateway:NatGateway": kept(there, {
      prefix: "nat",
      inputs: { subnetId: required, allocationId: required },
      references: ["subnetId"],
      refuse({ subnetId, allocationId }) {
        if (!ec2.addresses.has(allocationId as string)) return "InvalidAllocationID.NotFound: it does not exist";
        const network = there.get(subnetId as string)!["vpcId"];
        return has("igw", { vpcId: network })
          ? undefined
          : `Gateway.NotAttached: Network ${String(network)} has no Internet gateway attached`;
      },
    }),
  };
}

/** What one type is made of, beside being there under an id. */
interface Kind {
  prefix: string;
  inputs: Record<string, Input>;
  /** Inputs that are ids of others, which must be there and cannot go before it. */
  references?: string[];
  /** What the service would refuse, as its code and message. */
  refuse?: (inputs: Properties) => string | undefined;
  outputs?: (id: string, inputs: Properties) => Properties;
  created?: (id: string, inputs: Properties) => void;
  /** Whether something of another emulator needs it. */
  inUse?: (id: string) => boolean;
  deleted?: (id: string) => void;
}

function kept(there: Elsewhere, { prefix, inputs, references = [], ...kind }: Kind): ResourceType {
  return {
    inputs: { ...inputs, tags: { type: "object" } },
    outputs: ["arn", ...Object.keys(kind.outputs?.("", {}) ?? {}), "tagsAll"],
    create(given) {
      const missing = references.find((key) => !there.has(given[key] as string));
      if (missing !== undefined) throw new Error(`${prefix}: ${missing} ${String(given[missing])} does not exist`);
      const refused = kind.refuse?.(given);
      if (refused !== undefined) throw new Error(`${prefix}: ${refused}`);
      const id = newId(prefix);
      there.set(id, given);
      kind.created?.(id, given);
      return { id, outputs: { arn: `arn:aws::${prefix}/${id}`, ...kind.outputs?.(id, given), ...tagsAll(given) } };
    },
    delete(id) {
      const users = [...there.values()].filter((other) => Object.values(other).includes(id));
      if (users.length > 0 || kind.inUse?.(id)) throw new Error(`${prefix}: DependencyViolation: ${id} is in use`);
      there.delete(id);
      kind.deleted?.(id);
    },
  };
}
