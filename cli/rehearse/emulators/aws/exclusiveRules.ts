import type { ResourceType } from "../provider";
import type { Properties } from "../values";
import type { Ec2, GroupRule } from "./ec2";

/**
 * The exclusive list of a group's rules: every other one is revoked when it is made and when it changes. Like the real
 * provider's (terraform-provider-aws, internal/service/ec2/vpc_security_group_rules_exclusive.go, read in November 2026)
 * it revokes nothing in a preview, reads whatever rules the group has, and leaves all of them when it goes.
 */
export function exclusiveRules(ec2: Ec2): ResourceType {
  const rulesOf = (groupId: string, direction: GroupRule["direction"]) =>
    [...(ec2.groups.get(groupId)?.rules ?? [])].filter(([, rule]) => rule.direction === direction).map(([id]) => id);
  const revokeOthers = (inputs: Properties) => {
    const operation = "creating VPC Security Group Rules Exclusive";
    const group = ec2.group(inputs["securityGroupId"] as string, operation);
    const wanted = [...(inputs["ingressRuleIds"] as string[]), ...(inputs["egressRuleIds"] as string[])];
    for (const id of group.rules.keys()) if (!wanted.includes(id)) group.rules.delete(id);
  };
  const sorted = (value: unknown) => JSON.stringify([...(value as string[])].sort());
  const list = {
    type: "array",
    required: true,
    same: (old: unknown, current: unknown) =>
      Array.isArray(old) && Array.isArray(current) && sorted(old) === sorted(current),
  } as const;
  return {
    inputs: {
      securityGroupId: { type: "string", required: true, replaces: true },
      ingressRuleIds: list,
      egressRuleIds: list,
    },
    outputs: [],
    create(inputs) {
      revokeOthers(inputs);
      return { id: inputs["securityGroupId"] as string, outputs: {} };
    },
    update(_id, _state, inputs) {
      revokeOthers(inputs);
      return {};
    },
    read: (id) => (ec2.groups.has(id) ? {} : undefined),
    settings: (id) => ({ ingressRuleIds: rulesOf(id, "ingress"), egressRuleIds: rulesOf(id, "egress") }),
    delete: () => undefined,
  };
}
