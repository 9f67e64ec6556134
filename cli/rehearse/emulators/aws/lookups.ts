import type { Properties } from "../values";
import { ACCOUNT, type Ec2, AwsError, type Image } from "./ec2";

/** DescribeImages: ids of the images that pass all filters, the newest first. None is no error. */
export function getAmiIds(ec2: Ec2, args: Properties): Properties {
  const operation = "reading EC2 AMIs";
  const owners = args["owners"] as string[] | undefined;
  if (owners === undefined || owners.length === 0) throw new Error(`${operation}: owners: at least one is required`);
  const filters = (args["filters"] as { name: string; values: string[] }[] | undefined) ?? [];
  const found = ec2.images
    .filter(({ owner }) => owners.includes(owner))
    .filter((image) =>
      filters.every(({ name, values }) => values.some((value) => matches(image, name, value, operation))),
    )
    .sort((one, other) => other.created.localeCompare(one.created))
    .map(({ id }) => id);
  return { ...args, id: ACCOUNT, ids: args["sortAscending"] === true ? found.reverse() : found, region: ec2.region };
}

function matches(image: Image, filter: string, value: string, operation: string): boolean {
  const attributes: Record<string, string> = {
    name: image.name,
    architecture: image.architecture,
    state: "available",
    "virtualization-type": "hvm",
    "root-device-type": "ebs",
    "image-id": image.id,
  };
  const attribute = attributes[filter];
  if (attribute === undefined) {
    throw new AwsError("InvalidParameterValue", `The filter '${filter}' is invalid`, operation);
  }
  // EC2's filters know * and ?; everything else in them is literal.
  const pattern = value
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${pattern}$`).test(attribute);
}

/** DescribeSubnets: the one subnet that fits. None or several are errors. */
export function getSubnet(ec2: Ec2, args: Properties): Properties {
  const given = Object.keys(args).filter((key) => args[key] !== undefined && key !== "region");
  const known = ["id", "vpcId", "availabilityZone", "cidrBlock", "defaultForAz"];
  const unknown = given.find((key) => !known.includes(key));
  if (unknown !== undefined)
    throw new Error(`The emulator looks subnets up by ${known.join(", ")}, not by ${unknown}.`);
  const found = ec2.subnets.filter((subnet) => given.every((key) => subnet[key as keyof typeof subnet] === args[key]));
  const subnet = found[0];
  if (subnet === undefined) throw new Error("reading EC2 Subnet: no matching EC2 Subnet found");
  if (found.length > 1) throw new Error("reading EC2 Subnet: multiple EC2 Subnets matched; use additional constraints");
  return {
    ...subnet,
    arn: ec2.arn(`subnet/${subnet.id}`),
    ownerId: ACCOUNT,
    region: ec2.region,
    state: "available",
    mapPublicIpOnLaunch: subnet.defaultForAz,
    ipv6CidrBlock: "",
    tags: {},
  };
}

/** DescribeSecurityGroupRules: ids of the rules of a group, of those with all given tags. */
export function getSecurityGroupRules(ec2: Ec2, args: Properties): Properties {
  const filters = (args["filters"] as { name: string; values: string[] }[] | undefined) ?? [];
  const unknown = filters.find(({ name }) => name !== "group-id");
  if (unknown !== undefined) throw new Error(`The emulator looks rules up by group-id, not by ${unknown.name}.`);
  const wanted = Object.entries((args["tags"] as Properties | undefined) ?? {});
  const groups = filters.flatMap(({ values }) => values.map((id) => ec2.groups.get(id)));
  const rules = groups.flatMap((group) => [...(group?.rules ?? [])]);
  const tagsOf = (rule: Properties) => (rule["tags"] as Properties | undefined) ?? {};
  const found = rules.filter(([, rule]) => wanted.every(([key, value]) => tagsOf(rule)[key] === value));
  return { ...args, id: ec2.region, region: ec2.region, ids: found.map(([id]) => id) };
}

/** One rule, by its id. What a rule has not is empty, or -1. */
export function getSecurityGroupRule(ec2: Ec2, args: Properties): Properties {
  const id = args["securityGroupRuleId"] as string;
  const rule = ec2.rule(id);
  if (rule === undefined) throw new Error("reading Security Group Rule: no matching Security Group Rule found");
  const { direction, ...properties } = rule;
  const nothing = { cidrIpv4: "", cidrIpv6: "", description: "", prefixListId: "", referencedSecurityGroupId: "" };
  const ports = { fromPort: -1, toPort: -1, tags: {} };
  const arn = ec2.arn(`security-group-rule/${id}`);
  return { ...nothing, ...ports, ...properties, id, securityGroupRuleId: id, arn, isEgress: direction === "egress" };
}

/** The region that the provider works in, or the one that is asked about. */
export function getRegion(ec2: Ec2, args: Properties): Properties {
  const region = (args["region"] as string | undefined) ?? ec2.region;
  return { ...args, id: region, name: region, region, endpoint: `ec2.${region}.amazonaws.com`, description: region };
}
