import type { ResourceType } from "../provider";
import { type Address, type Ec2, AwsError, newId, tagsAll } from "./ec2";

/** An Elastic IP, with the machine that it belongs to. */
export function eip(ec2: Ec2): ResourceType {
  const associate = (id: string, instance: unknown, operation: string) => {
    const address = ec2.addresses.get(id);
    if (address === undefined) {
      throw new AwsError("InvalidAllocationID.NotFound", `The allocation ID '${id}' does not exist`, operation);
    }
    if (instance !== undefined && !ec2.instances.has(instance as string)) {
      throw new AwsError(
        "InvalidInstanceID.NotFound",
        `The instance ID '${instance as string}' does not exist`,
        operation,
      );
    }
    if (address.instanceId === instance) return address;
    address.instanceId = instance as string | undefined;
    address.associationId = instance === undefined ? undefined : newId("eipassoc");
    return address;
  };
  const outputsOf = (address: Address) => {
    const machine = address.instanceId === undefined ? undefined : ec2.instances.get(address.instanceId);
    return {
      associationId: address.associationId ?? "",
      privateIp: machine?.privateIp ?? "",
      publicIp: address.publicIp,
      publicDns: ec2.publicDns(address.publicIp),
    };
  };
  const associated = (id: string, instance: unknown, operation: string) =>
    outputsOf(associate(id, instance, operation));
  return {
    inputs: {
      domain: {
        type: "string",
        replaces: true,
        problem: (value: string) => (value === "vpc" ? undefined : `expected domain to be "vpc", got ${value}`),
      },
      instance: { type: "string" },
      region: { type: "string", replaces: true },
      tags: { type: "object" },
    },
    outputs: ["allocationId", "arn", "associationId", "domain", "privateIp", "publicDns", "publicIp", "tagsAll"],
    create(inputs) {
      const id = newId("eipalloc");
      ec2.addresses.set(id, { id, publicIp: ec2.newElasticAddress(), instanceId: undefined, associationId: undefined });
      const outputs = associated(id, inputs["instance"], "associating EC2 EIP");
      return {
        id,
        outputs: { allocationId: id, arn: ec2.arn(`elastic-ip/${id}`), domain: "vpc", ...outputs, ...tagsAll(inputs) },
      };
    },
    update: (id, _state, inputs) => ({
      domain: "vpc",
      ...associated(id, inputs["instance"], `updating EC2 EIP (${id})`),
      ...tagsAll(inputs),
    }),
    read(id) {
      const address = ec2.addresses.get(id);
      return address && { instance: address.instanceId ?? "", ...outputsOf(address) };
    },
    settings: (id) => ({ domain: "vpc", instance: ec2.addresses.get(id)!.instanceId }),
    delete: (id) => void ec2.addresses.delete(id),
  };
}
