import type { ResourceType } from "../provider";
import { ACCOUNT, type Ec2, AwsError, newId, tagsAll } from "./ec2";

/** A security group without inline rules; like the real provider's, a new one lets nothing out. */
export function securityGroup(ec2: Ec2): ResourceType {
  return {
    autoName: "name",
    inputs: {
      name: {
        type: "string",
        replaces: true,
        problem: (value: string) => (value.startsWith("sg-") ? "cannot begin with sg-" : undefined),
      },
      description: {
        type: "string",
        replaces: true,
        default: "Managed by Pulumi",
        problem: (value: string) =>
          /^[A-Za-z0-9 ._\-:/()#,@[\]+=&;{}!$*]{1,255}$/.test(value) ? undefined : "has characters that EC2 refuses",
      },
      vpcId: { type: "string", replaces: true },
      region: { type: "string", replaces: true },
      revokeRulesOnDelete: { type: "boolean", default: false },
      tags: { type: "object" },
    },
    outputs: ["arn", "ownerId", "vpcId", "tagsAll"],
    create(inputs) {
      const name = inputs["name"] as string;
      const vpcId = (inputs["vpcId"] as string | undefined) ?? ec2.defaultVpc;
      const operation = `creating Security Group (${name})`;
      if (!ec2.subnets.some((subnet) => subnet.vpcId === vpcId)) {
        throw new AwsError("InvalidVpcID.NotFound", `The vpc ID '${vpcId}' does not exist`, operation);
      }
      if ([...ec2.groups.values()].some((group) => group.vpcId === vpcId && group.name === name)) {
        const message = `The security group '${name}' already exists for VPC '${vpcId}'`;
        throw new AwsError("InvalidGroup.Duplicate", message, operation);
      }
      const id = newId("sg");
      ec2.groups.set(id, { id, name, description: inputs["description"] as string, vpcId, rules: new Map() });
      return { id, outputs: { arn: ec2.arn(`security-group/${id}`), ownerId: ACCOUNT, vpcId, ...tagsAll(inputs) } };
    },
    update: (_id, state, inputs) => ({ vpcId: state["vpcId"], ...tagsAll(inputs) }),
    read: (id) => (ec2.groups.has(id) ? {} : undefined),
    settings(id) {
      const { name, description } = ec2.groups.get(id)!;
      return { name, description };
    },
    delete(id) {
      if ([...ec2.instances.values()].some(({ groupIds }) => groupIds.includes(id))) {
        const message = `resource ${id} has a dependent object`;
        throw new AwsError("DependencyViolation", message, `deleting Security Group (${id})`);
      }
      ec2.groups.delete(id);
    },
  };
}
