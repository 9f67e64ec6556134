import ipaddr from "ipaddr.js";
import type { Failure, ResourceType } from "../provider";
import { type Properties, UNKNOWN } from "../values";
import { AwsError, type Ec2, type Group, newId, tagsAll } from "./ec2";

/** A rule has exactly one of these as its other side. */
const PEERS = ["cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId"];

/** One rule of a security group, in or out. */
export function securityGroupRule(ec2: Ec2, direction: "ingress" | "egress"): ResourceType {
  const title = direction === "ingress" ? "Ingress" : "Egress";
  return {
    inputs: {
      securityGroupId: { type: "string", required: true, replaces: true },
      ipProtocol: { type: "string", required: true },
      cidrIpv4: { type: "string", problem: (value: string) => cidrProblem("ipv4", value) },
      cidrIpv6: { type: "string", problem: (value: string) => cidrProblem("ipv6", value) },
      prefixListId: { type: "string" },
      referencedSecurityGroupId: { type: "string" },
      fromPort: { type: "number", problem: portProblem },
      toPort: { type: "number", problem: portProblem },
      description: { type: "string" },
      region: { type: "string", replaces: true },
      tags: { type: "object" },
    },
    outputs: ["arn", "securityGroupRuleId", "tagsAll"],
    validate,
    // The provider modifies rules in place, but EC2 does not let a rule change the kind of its other side.
    replaces: (old, current) => (peerOf(old) === peerOf(current) ? [] : [peerOf(old), peerOf(current)]),
    create(inputs) {
      const operation = `creating VPC Security Group ${title} Rule`;
      const group = ec2.group(inputs["securityGroupId"] as string, operation);
      refuseDuplicate(group, inputs, direction, operation);
      const id = newId("sgr");
      group.rules.set(id, { ...inputs, direction });
      return {
        id,
        outputs: { arn: ec2.arn(`security-group-rule/${id}`), securityGroupRuleId: id, ...tagsAll(inputs) },
      };
    },
    update(id, _state, inputs) {
      const operation = `updating VPC Security Group ${title} Rule (${id})`;
      const group = ec2.group(inputs["securityGroupId"] as string, operation);
      refuseDuplicate(group, inputs, direction, operation, id);
      group.rules.set(id, { ...inputs, direction });
      return tagsAll(inputs);
    },
    read: (id) => (ec2.rule(id) === undefined ? undefined : {}),
    settings: (id) => ({ ...ec2.rule(id), direction: undefined }),
    delete: (id, state) => void ec2.groups.get(state["securityGroupId"] as string)?.rules.delete(id),
  };
}

/** Two rules are the same when all but their descriptions and tags agree. */
function refuseDuplicate(
  group: Group,
  inputs: Properties,
  direction: string,
  operation: string,
  except?: string,
): void {
  const essence = (rule: Properties) =>
    JSON.stringify([...PEERS, "ipProtocol", "fromPort", "toPort"].map((key) => rule[key] ?? null));
  for (const [id, rule] of group.rules) {
    if (id === except || rule.direction !== direction || essence(rule) !== essence(inputs)) continue;
    const ports =
      inputs["fromPort"] === undefined
        ? "ALL"
        : `from port: ${inputs["fromPort"] as number}, to port: ${inputs["toPort"] as number}`;
    const peer = inputs[peerOf(inputs)] as string;
    const message = `the specified rule "peer: ${peer}, ${(inputs["ipProtocol"] as string).toUpperCase()}, ${ports}, ALLOW" already exists`;
    throw new AwsError("InvalidPermission.Duplicate", message, operation);
  }
}

function peerOf(inputs: Properties): string {
  return PEERS.find((key) => inputs[key] !== undefined) ?? "";
}

function validate(inputs: Properties): Failure[] {
  const failures: Failure[] = [];
  const peers = PEERS.filter((key) => inputs[key] !== undefined);
  if (peers.length !== 1) {
    failures.push({
      property: peers[1] ?? PEERS[0]!,
      reason: `Exactly one of ${PEERS.join(", ")} must be specified, got ${peers.length}`,
    });
  }
  const { fromPort, toPort, ipProtocol } = inputs;
  if (ipProtocol === "-1" && (fromPort !== undefined || toPort !== undefined)) {
    failures.push({ property: "fromPort", reason: "no ports may be given when ipProtocol is -1" });
  }
  if (ipProtocol === "tcp" && (fromPort === undefined || toPort === undefined)) {
    failures.push({ property: "fromPort", reason: "fromPort and toPort are required for tcp" });
  }
  if (typeof fromPort === "number" && typeof toPort === "number" && fromPort > toPort) {
    failures.push({ property: "toPort", reason: `invalid port range ${fromPort}-${toPort}` });
  }
  return failures;
}

function portProblem(value: number): string | undefined {
  return Number.isInteger(value) && value >= -1 && value <= 65535
    ? undefined
    : `value must be between -1 and 65535, got: ${value}`;
}

/** The provider takes a network only in the form that EC2 would store. */
function cidrProblem(family: "ipv4" | "ipv6", value: string): string | undefined {
  if (value === UNKNOWN) return undefined;
  const parser = family === "ipv4" ? ipaddr.IPv4 : ipaddr.IPv6;
  const [address, bits] = value.split("/");
  const wellFormed = family === "ipv6" || /^\d+\.\d+\.\d+\.\d+\/\d+$/.test(value);
  if (!wellFormed || !parser.isValidCIDR(value)) return `"${value}" is not a valid ${family} CIDR block`;
  const network = parser.networkAddressFromCIDR(value).toString();
  if (parser.parse(address!).toString() === network) return undefined;
  return `"${value}" is not a valid CIDR block; did you mean "${network}/${bits}"?`;
}
