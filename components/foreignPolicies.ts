import * as iam from "@pulumi/aws/iam";
import * as pulumi from "@pulumi/pulumi";
import { look } from "./foreign";
import { FOREIGN } from "./signals";

/** Warns of policies that somebody attached to a role by hand: they let its jobs or its machine do more than is written. */
export function warnOfForeignPolicies(
  component: pulumi.ComponentResource,
  role: iam.Role,
  own: iam.RolePolicy[],
): void {
  const known = pulumi.all([role.name, pulumi.all(own.map(({ name }) => name))]);
  look(component, "policies to a role", known, async ([roleName, ownNames]) => {
    const [inline, attached] = await Promise.all([
      iam.getRolePolicies({ roleName }, { parent: component }),
      iam.getRolePolicyAttachments({ roleName }, { parent: component }),
    ]);
    const foreign = [
      ...inline.policyNames.filter((name) => !ownNames.includes(name)),
      ...attached.attachedPolicies.map(({ policyArn }) => policyArn),
    ];
    if (foreign.length === 0) return undefined;
    return (
      `The role ${roleName} has policies that are ${FOREIGN}, so it may do more than is written here:\n` +
      `${foreign
        .sort()
        .map((name) => `  ${name}`)
        .join("\n")}\n` +
      `Detach or delete them in the IAM console.`
    );
  });
}
