import type { Failure, ResourceType } from "../provider";
import { isObject, type Properties } from "../values";
import { type Ec2, AwsError, type Image, type Instance, newId, type Subnet, tagsAll } from "./ec2";

const USER_DATA_LIMIT = 16 * 1024;
const VOLUME_TYPES = ["gp2", "gp3", "io1", "io2", "sc1", "st1", "standard"];

/** A machine. Stopped and started for a new type or new user data, made anew for what EC2 cannot change. */
export function instance(ec2: Ec2): ResourceType {
  return {
    inputs: {
      ami: { type: "string", replaces: true },
      instanceType: { type: "string" },
      availabilityZone: { type: "string", replaces: true },
      subnetId: { type: "string", replaces: true },
      keyName: { type: "string", replaces: true },
      ipv6AddressCount: { type: "number", replaces: true },
      associatePublicIpAddress: { type: "boolean", replaces: true },
      region: { type: "string", replaces: true },
      vpcSecurityGroupIds: { type: "array" },
      iamInstanceProfile: { type: "string" },
      userData: { type: "string" },
      userDataReplaceOnChange: { type: "boolean", default: false },
      rootBlockDevice: { type: "object", problem: rootProblem },
      metadataOptions: { type: "object", problem: metadataProblem },
      creditSpecification: { type: "object" },
      monitoring: { type: "boolean" },
      disableApiTermination: { type: "boolean" },
      sourceDestCheck: { type: "boolean", default: true },
      tags: { type: "object" },
      volumeTags: { type: "object" },
    },
    outputs: [
      "arn",
      "instanceState",
      "primaryNetworkInterfaceId",
      "privateDns",
      "privateIp",
      "publicDns",
      "publicIp",
      "availabilityZone",
      "ipv6Addresses",
      "subnetId",
      "tagsAll",
    ],
    validate(inputs): Failure[] {
      const missing = ["ami", "instanceType"].filter((property) => inputs[property] === undefined);
      return missing.map((property) => ({ property, reason: "one of it and launchTemplate must be specified" }));
    },
    replaces: (_old, current) => [
      ...(current["userDataReplaceOnChange"] === true ? ["userData"] : []),
      ...(rootReplaces(_old, current) ? ["rootBlockDevice"] : []),
    ],
    create(inputs) {
      const machine = launched(ec2, inputs);
      ec2.instances.set(machine.id, machine);
      return { id: machine.id, outputs: { ...outputsOf(ec2, machine), ...tagsAll(inputs) } };
    },
    update(id, _state, inputs, oldInputs) {
      const machine = existing(ec2, id, "updating");
      changed(ec2, machine, inputs, oldInputs);
      return { ...outputsOf(ec2, machine), ...tagsAll(inputs) };
    },
    read(id) {
      const machine = ec2.instances.get(id);
      return machine && outputsOf(ec2, machine);
    },
    settings(id) {
      const { imageId, type, keyName, groupIds, userData, root } = ec2.instances.get(id)!;
      return {
        ami: imageId,
        instanceType: type,
        keyName,
        vpcSecurityGroupIds: groupIds,
        userData,
        rootBlockDevice: root,
      };
    },
    delete(id, state) {
      if (!ec2.instances.has(id)) return;
      if (state["disableApiTermination"] === true) {
        const message = `The instance '${id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.`;
        throw new AwsError("OperationNotPermitted", message, `terminating EC2 Instance (${id})`);
      }
      ec2.instances.delete(id);
      for (const address of ec2.addresses.values()) {
        if (address.instanceId === id) Object.assign(address, { instanceId: undefined, associationId: undefined });
      }
    },
  };
}

/** RunInstances: a new machine, or the refusal of EC2. */
function launched(ec2: Ec2, inputs: Properties): Instance {
  const operation = "creating EC2 Instance";
  const image = imageOf(ec2, inputs["ami"] as string, operation);
  const type = inputs["instanceType"] as string;
  refuseType(type, image, operation);
  refuseUserData(inputs["userData"], operation);
  const keyName = inputs["keyName"] as string | undefined;
  if (keyName !== undefined && !ec2.keys.has(keyName)) {
    throw new AwsError("InvalidKeyPair.NotFound", `The key pair '${keyName}' does not exist`, operation);
  }
  const subnet = subnetOf(ec2, inputs["subnetId"] as string | undefined, operation);
  const groupIds = (inputs["vpcSecurityGroupIds"] as string[] | undefined) ?? [];
  refuseGroups(ec2, groupIds, subnet, operation);
  const ipv6Addresses = ec2.newIpv6Addresses(subnet, (inputs["ipv6AddressCount"] as number | undefined) ?? 0);
  const root = isObject(inputs["rootBlockDevice"]) ? inputs["rootBlockDevice"] : {};
  const volumeSize = (root["volumeSize"] as number | undefined) ?? image.snapshotGiB;
  if (volumeSize < image.snapshotGiB) {
    const message = `Volume of size ${volumeSize}GB is smaller than snapshot 'snap-${image.id.slice(4)}', expect size >= ${image.snapshotGiB}GB`;
    throw new AwsError("InvalidBlockDeviceMapping", message, operation);
  }
  return {
    id: newId("i"),
    type,
    imageId: image.id,
    subnet,
    keyName,
    groupIds,
    userData: (inputs["userData"] as string | undefined) ?? "",
    root: { volumeType: "gp3", ...root, volumeSize },
    ...ec2.newAddresses(),
    ipv6Addresses,
    boots: 1,
  };
}

/** ModifyInstanceAttribute and ModifyVolume, with the stop and start that a new type or new user data needs. */
function changed(ec2: Ec2, machine: Instance, inputs: Properties, oldInputs: Properties): void {
  const operation = `updating EC2 Instance (${machine.id})`;
  const type = inputs["instanceType"] as string;
  const userData = (inputs["userData"] as string | undefined) ?? "";
  refuseType(type, imageOf(ec2, machine.imageId, operation), operation);
  refuseUserData(userData, operation);
  const groupIds = (inputs["vpcSecurityGroupIds"] as string[] | undefined) ?? [];
  refuseGroups(ec2, groupIds, machine.subnet, operation);
  const root = { ...machine.root, ...(isObject(inputs["rootBlockDevice"]) ? inputs["rootBlockDevice"] : {}) };
  if (root.volumeSize < machine.root.volumeSize) {
    const message = `New size cannot be smaller than existing size ${machine.root.volumeSize}`;
    throw new AwsError("InvalidParameterValue", message, operation);
  }
  const restart = type !== machine.type || inputs["userData"] !== oldInputs["userData"];
  Object.assign(machine, { type, userData, groupIds, root });
  if (!restart) return;
  machine.boots += 1;
  machine.lentAddress = ec2.newAddresses().lentAddress;
}

function existing(ec2: Ec2, id: string, verb: string): Instance {
  const machine = ec2.instances.get(id);
  if (machine !== undefined) return machine;
  throw new AwsError(
    "InvalidInstanceID.NotFound",
    `The instance ID '${id}' does not exist`,
    `${verb} EC2 Instance (${id})`,
  );
}

function imageOf(ec2: Ec2, id: string, operation: string): Image {
  if (!/^ami-([0-9a-f]{8}|[0-9a-f]{17})$/.test(id)) {
    throw new AwsError("InvalidAMIID.Malformed", `Invalid id: "${id}" (expecting "ami-...")`, operation);
  }
  const image = ec2.images.find((candidate) => candidate.id === id);
  if (image === undefined) {
    throw new AwsError("InvalidAMIID.NotFound", `The image id '[${id}]' does not exist`, operation);
  }
  return image;
}

function refuseType(type: string, image: Image, operation: string): void {
  const parts = /^([a-z]+)(\d+)([a-z-]*)\.(nano|micro|small|medium|large|\d*xlarge|metal(-\d+xl)?)$/.exec(type);
  if (parts === null) {
    throw new AwsError("InvalidParameterValue", `Invalid value '${type}' for InstanceType.`, operation);
  }
  const architecture = parts[3]!.includes("g") || type.startsWith("a1.") ? "arm64" : "x86_64";
  if (architecture !== image.architecture) {
    const message =
      `The architecture '${architecture}' of the specified instance type does not match the architecture ` +
      `'${image.architecture}' of the specified AMI. Specify an instance type and an AMI that have matching architectures.`;
    throw new AwsError("InvalidParameterValue", message, operation);
  }
}

function refuseUserData(userData: unknown, operation: string): void {
  if (typeof userData === "string" && Buffer.byteLength(userData) > USER_DATA_LIMIT) {
    throw new AwsError("InvalidParameterValue", `User data is limited to ${USER_DATA_LIMIT} bytes`, operation);
  }
}

function refuseGroups(ec2: Ec2, ids: string[], subnet: Subnet, operation: string): void {
  for (const id of ids) {
    const group = ec2.group(id, operation);
    if (group.vpcId !== subnet.vpcId) {
      const message = `Security group ${id} and subnet ${subnet.id} belong to different networks.`;
      throw new AwsError("InvalidParameter", message, operation);
    }
  }
}

function subnetOf(ec2: Ec2, id: string | undefined, operation: string): Subnet {
  const subnet = id === undefined ? ec2.subnets[0] : ec2.subnets.find((candidate) => candidate.id === id);
  if (subnet !== undefined) return subnet;
  throw new AwsError("InvalidSubnetID.NotFound", `The subnet ID '${id}' does not exist`, operation);
}

function outputsOf(ec2: Ec2, machine: Instance): Properties {
  const publicIp = ec2.publicIp(machine);
  return {
    arn: ec2.arn(`instance/${machine.id}`),
    instanceState: "running",
    primaryNetworkInterfaceId: `eni-${machine.id.slice(2)}`,
    privateIp: machine.privateIp,
    privateDns: `ip-${machine.privateIp.replaceAll(".", "-")}.ec2.internal`,
    publicIp,
    publicDns: ec2.publicDns(publicIp),
    availabilityZone: machine.subnet.availabilityZone,
    ipv6Addresses: machine.ipv6Addresses,
    subnetId: machine.subnet.id,
  };
}

/** Parts of a root volume that EC2 can only set when the machine is made. */
function rootReplaces(old: Properties, current: Properties): boolean {
  const [before, after] = [old["rootBlockDevice"], current["rootBlockDevice"]];
  if (!isObject(before) || !isObject(after)) return false;
  return ["encrypted", "kmsKeyId"].some((key) => before[key] !== after[key]);
}

function rootProblem(root: Properties): string | undefined {
  const known = [
    "volumeSize",
    "volumeType",
    "encrypted",
    "kmsKeyId",
    "iops",
    "throughput",
    "deleteOnTermination",
    "tags",
  ];
  const unknown = Object.keys(root).find((key) => !known.includes(key));
  if (unknown !== undefined) return `rootBlockDevice has no property "${unknown}"`;
  const { volumeType, volumeSize } = root;
  if (volumeType !== undefined && !VOLUME_TYPES.includes(volumeType as string)) {
    return `expected volume_type to be one of ${VOLUME_TYPES.join(", ")}, got ${JSON.stringify(volumeType)}`;
  }
  return volumeSize === undefined || Number.isInteger(volumeSize)
    ? undefined
    : `volumeSize must be a whole number of GiB`;
}

function metadataProblem(options: Properties): string | undefined {
  const words: Record<string, string[]> = {
    httpEndpoint: ["enabled", "disabled"],
    httpTokens: ["optional", "required"],
    httpProtocolIpv6: ["enabled", "disabled"],
    instanceMetadataTags: ["enabled", "disabled"],
  };
  for (const [key, value] of Object.entries(options)) {
    if (key === "httpPutResponseHopLimit") {
      if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > 64) {
        return `expected http_put_response_hop_limit to be in the range (1 - 64), got ${JSON.stringify(value)}`;
      }
    } else if (!words[key]?.includes(value as string)) {
      return words[key] === undefined
        ? `metadataOptions has no property "${key}"`
        : `expected ${key} to be one of ${words[key].join(", ")}, got ${JSON.stringify(value)}`;
    }
  }
  return undefined;
}
