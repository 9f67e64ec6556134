import type { Properties } from "../values";
import { ACCOUNT, type Ec2, Ec2Error, type Image } from "./ec2";

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
    throw new Ec2Error("InvalidParameterValue", `The filter '${filter}' is invalid`, operation);
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

/** The region that the provider works in, or the one that is asked about. */
export function getRegion(ec2: Ec2, args: Properties): Properties {
  const region = (args["region"] as string | undefined) ?? ec2.region;
  return { ...args, id: region, name: region, region, endpoint: `ec2.${region}.amazonaws.com`, description: region };
}
