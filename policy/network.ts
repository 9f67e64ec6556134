import { eachKnown, type Properties, type Report, resourceRule, securityHub } from "./rule";

const EC2_CONTROLS = "https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html";
const INGRESS_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule";
const OLD_RULE = "aws:ec2/securityGroupRule:SecurityGroupRule";
const GROUP = "aws:ec2/securityGroup:SecurityGroup";
const WORLD = ["0.0.0.0/0", "::/0"];
const PORTS = [22];

export const sshNotOpenToTheWorld = resourceRule({
  name: "ssh-not-open-to-the-world",
  description: "SSH should be reachable from chosen networks only",
  // Somebody who tries the project has no fixed address.
  enforcementLevel: "advisory",
  severity: "high",
  framework: securityHub("EC2.13", "Security groups should not allow ingress from 0.0.0.0/0 or ::/0 to port 22"),
  tags: ["EC2.53", "EC2.54", "CIS AWS Foundations Benchmark v5.0.0/5.3", "CIS AWS Foundations Benchmark v5.0.0/5.4"],
  remediationSteps:
    "List the networks of the people and jobs that deploy: `pulumi config set --path 'machine.sshCidrBlocks[0]' 203.0.113.0/24` " +
    "and `pulumi config set --path machine.sshIpv6CidrBlocks '[]'`; in other stacks sshCidrBlocks and sshIpv6CidrBlocks of " +
    "NixosInstance, or the CIDR block of the rule.",
  url: `${EC2_CONTROLS}#ec2-13`,
  configSchema: {
    properties: {
      ports: {
        type: "array",
        items: { type: "integer" },
        description: "TCP ports that must not be open to everyone.",
        default: PORTS,
      },
    },
  },
  types: [INGRESS_RULE, OLD_RULE, GROUP],
  check: ({ type, props }, report, args) => {
    const { ports = PORTS } = args.getConfig<{ ports?: number[] }>();
    if (type === GROUP) eachKnown((props["ingress"] ?? []) as Properties[], (rule) => openPorts(rule, ports, report));
    else if (type === INGRESS_RULE || props["type"] === "ingress") openPorts(props, ports, report);
  },
});

/** Three kinds of rules spell the same things in different words. */
function openPorts(rule: Properties, ports: number[], report: Report): void {
  const protocol = String(rule["ipProtocol"] ?? rule["protocol"]);
  const reached =
    protocol === "-1" || protocol === "all"
      ? ports
      : ["tcp", "6"].includes(protocol)
        ? ports.filter((port) => rule["fromPort"] <= port && port <= rule["toPort"])
        : [];
  if (reached.length === 0) return;
  const blocks = ["cidrIpv4", "cidrIpv6", "cidrBlocks", "ipv6CidrBlocks"].flatMap(
    (property) => (rule[property] ?? []) as string | string[],
  );
  const open = blocks.filter((block) => WORLD.includes(block));
  if (open.length > 0) report(`TCP port ${reached.join(", ")} is open to ${open.join(" and ")}.`);
}
