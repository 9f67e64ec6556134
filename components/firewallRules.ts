import * as ec2 from "@pulumi/aws/ec2";
import * as vpc from "@pulumi/aws/vpc";
import * as pulumi from "@pulumi/pulumi";
import { byRule, matching } from "./values/rules";
import { cidrOf, cidrSlug } from "./values/cidr";
import { RULES } from "./deploy/rules.cjs";
import { type ValueRule, problem, quote } from "./values/errors";
import { ifKnown, refuseExisting } from "./existing";
import { look } from "./foreign";
import { answerOf } from "./lookUp";
import { FOREIGN } from "./signals";

/** What a security group lets in. */
export interface Opening {
  protocol: string;
  fromPort: number;
  toPort: number;
  network: pulumi.Input<string>;
  ipv6: boolean;
  description: string;
  /** Place in its list, for the name of a rule whose network is not known yet. */
  index: number;
}

/** By it a rule of ours is known that the program does not have any more, and the update will remove. */
export const RULE_TAGS = { ManagedBy: "pulumi-nixos" };

/** Id of a rule of a security group. */
export const securityGroupRuleId = matching(
  /^sgr-([0-9a-f]{8}|[0-9a-f]{17})$/,
  'the id of a security group rule such as "sgr-0123456789abcdef0"',
);

const FORM = /^(tcp|udp)\/(\d{1,5})(?:-(\d{1,5}))? (\S+)$/;

/** What one of `extraRules` says; undefined if it does not have the form. */
function parsed(text: unknown, index: number): Opening | undefined {
  const [, protocol, from, to, network] = (typeof text === "string" ? FORM.exec(text) : null) ?? [];
  if (protocol === undefined || from === undefined || network === undefined) return undefined;
  return {
    protocol,
    fromPort: Number(from),
    toPort: Number(to ?? from),
    network,
    ipv6: network.includes(":"),
    description: to === undefined ? `${protocol} ${from}` : `${protocol} ${from}-${to}`,
    index,
  };
}

const extraRule: ValueRule<string> = (property, value) => {
  const rule = parsed(value, 0);
  if (rule === undefined) {
    const allowed = 'a rule such as "udp/51820 0.0.0.0/0" or "tcp/6000-6010 2001:db8::/32"';
    return [problem(property, quote(value), allowed)];
  }
  const { fromPort, toPort, network, ipv6 } = rule;
  return [
    ...byRule(RULES.sshPort)(property, fromPort),
    ...byRule(RULES.sshPort)(property, toPort),
    ...(fromPort > toPort ? [problem(property, quote(value), "the lower port first")] : []),
    ...cidrOf(ipv6 ? "ipv6" : "ipv4")(property, network as string),
  ];
};

/** Rules of a person's own. */
export const extraRules: ValueRule<string[]> = (property, values) =>
  values.flatMap((value, index) => extraRule(`${property}[${index}]`, value));

/** The rules that the texts of `extraRules` describe; those without the form are left out, as their check refuses them. */
export function extraOpenings(texts: string[]): Opening[] {
  return texts.map(parsed).filter((rule) => rule !== undefined);
}

/**
 * What a rule is called, by what it lets in: where it is written does not matter, so moving it between `httpPorts` and
 * `extraRules` changes nothing. EC2 refuses a second rule of the same content, so under two names it could not move.
 */
function labelOf({ protocol, fromPort, toPort }: Opening): string {
  const ports = fromPort === toPort ? `${fromPort}` : `${fromPort}-${toPort}`;
  if (protocol === "tcp" && ports === "22") return "ssh";
  if (protocol === "tcp" && ports === "80") return "http";
  return `${protocol === "tcp" && fromPort === toPort ? "http" : protocol}-${ports}`;
}

/** After the network, not its place in the list: removing one must not rewrite the others. */
export function ruleName(opening: Opening): string {
  const { network, ipv6, index } = opening;
  const place = `${ipv6 ? "ipv6" : "ipv4"}-${index}`;
  return `${labelOf(opening)}-${typeof network === "string" ? cidrSlug(network) : place}`;
}

/** Refuses a rule that would be there twice; `others` are those of SSH and the web server. */
export function onlyOnce(others: Opening[]): ValueRule<string[]> {
  return (property, texts) => {
    const openings = [...others, ...extraOpenings(texts)];
    const names = openings.map(ruleName);
    return openings.flatMap((opening, at) => {
      if (at < others.length || names.indexOf(names[at]!) === at) return [];
      const { description, network } = opening;
      const allowed = "each rule once, be it of SSH, the web server or extraRules";
      return [problem(property, `${description} for ${quote(network)} twice`, allowed)];
    });
  };
}

/** What EC2 compares when it refuses a second rule of the same content. */
interface Essence {
  egress: boolean;
  protocol: string;
  fromPort: number;
  toPort: number;
  peer: string;
}

const essence = ({ egress, protocol, fromPort, toPort, peer }: Essence) =>
  // Of a rule for everything EC2 keeps no ports.
  JSON.stringify([egress, protocol, ...(protocol === "-1" ? [] : [fromPort, toPort]), peer]);

/** Everything out, for one family. */
const everything = (peer: string): Essence => ({ egress: true, protocol: "-1", fromPort: -1, toPort: -1, peer });

/** The rules of a group that this stack has, and those that others have and may stay. */
export interface KnownRules {
  openings: Opening[];
  allowedIds: pulumi.Input<string>[];
  /** Whether the update revokes all others. */
  exclusive: boolean;
}

/**
 * Warns of rules that somebody added by hand. They are no part of the state: no refresh, no preview and no update sees
 * them, though they may open a port to the world.
 */
export function warnOfForeignRules(
  component: pulumi.ComponentResource,
  groupId: pulumi.Output<string>,
  { openings, allowedIds, exclusive }: KnownRules,
): void {
  const networks = pulumi.all(openings.map(({ network }) => network));
  const known = pulumi.all([groupId, networks, pulumi.all(allowedIds)]);
  const opts = { parent: component };
  look(component, "rules to the firewall", known, async ([id, peers, allowed]) => {
    const filters = [{ name: "group-id", values: [id] }];
    const [all, ours] = await Promise.all([
      vpc.getSecurityGroupRules({ filters }, opts),
      vpc.getSecurityGroupRules({ filters, tags: RULE_TAGS }, opts),
    ]);
    const others = all.ids.filter((one) => !ours.ids.includes(one) && !allowed.includes(one));
    // Only these are asked for: of a stack as it should be there are none.
    const rules = await Promise.all(others.map((one) => vpc.getSecurityGroupRule({ securityGroupRuleId: one }, opts)));
    const own = [
      ...openings.map((opening, at) => essence({ ...opening, egress: false, peer: peers[at]! })),
      ...["0.0.0.0/0", "::/0"].map((peer) => essence(everything(peer))),
    ];
    const foreign = rules.filter((rule) => !own.includes(essence(essenceOf(rule))));
    return foreign.length === 0 ? undefined : foreignRulesText(id, foreign, exclusive);
  });
}

/** A rule of the program, as EC2 compares it. */
interface OwnRule extends Omit<Essence, "peer"> {
  resource: pulumi.CustomResource;
  name: string;
  peer: pulumi.Input<string>;
}

/** The program's own rules, with the two by which everything goes out. */
export function ownRules(
  openings: { name: string; resource: pulumi.CustomResource; opening: Opening }[],
  out: { name: string; resource: pulumi.CustomResource; peer: string }[],
): OwnRule[] {
  return [
    ...openings.map(({ opening, ...rest }) => ({ ...opening, ...rest, egress: false, peer: opening.network })),
    ...out.map(({ peer, ...rest }) => ({ ...everything(peer), ...rest })),
  ];
}

/**
 * Refuses in the preview to make a rule whose content another one of the group has, by whomever: EC2 would refuse it
 * half-way (InvalidPermission.Duplicate).
 */
export function refuseTakenRules(
  component: pulumi.ComponentResource,
  groupId: pulumi.Output<string>,
  rules: OwnRule[],
): void {
  const opts = { parent: component };
  const readAll = async (id: string) => {
    const { ids } = await vpc.getSecurityGroupRules({ filters: [{ name: "group-id", values: [id] }] }, opts);
    return Promise.all(ids.map((one) => vpc.getSecurityGroupRule({ securityGroupRuleId: one }, opts)));
  };
  let there: ReturnType<typeof readAll> | undefined;
  for (const { resource, name, ...rule } of rules) {
    refuseExisting(component, resource, async () => {
      const [id, peer] = [await ifKnown(groupId), await ifKnown(rule.peer)];
      if (id === undefined || peer === undefined) return undefined;
      const wanted = essence({ ...rule, peer });
      const found = (await (there ??= readAll(id))).find((one) => essence(essenceOf(one)) === wanted);
      if (found === undefined) return undefined;
      const ruleId = found.securityGroupRuleId || found.id;
      return (
        `The security group ${id} has a rule of the same content as ${name} already, ${ruleId}, which is ${FOREIGN}, and EC2 ` +
        `takes no second one. Revoke it in the EC2 console, or take it into the stack: npm run adopt -- ${name}=${ruleId}`
      );
    });
  }
}

function essenceOf(rule: vpc.GetSecurityGroupRuleResult): Essence {
  const { isEgress: egress, ipProtocol: protocol, fromPort, toPort } = rule;
  const peer = rule.cidrIpv4 || rule.cidrIpv6 || rule.referencedSecurityGroupId || rule.prefixListId;
  return { egress, protocol, fromPort, toPort, peer };
}

function foreignRulesText(groupId: string, rules: vpc.GetSecurityGroupRuleResult[], exclusive: boolean): string {
  const lines = rules.map((rule) => {
    const { egress, protocol, fromPort, toPort, peer } = essenceOf(rule);
    const ports =
      protocol === "-1" ? "everything" : `${protocol} ${fromPort}${toPort === fromPort ? "" : `-${toPort}`}`;
    const note = rule.description ? ` (${quote(rule.description)})` : "";
    return `  ${rule.securityGroupRuleId || rule.id}: ${ports} ${egress ? "to" : "from"} ${peer}${note}`;
  });
  return [
    `The security group ${groupId} has rules that are ${FOREIGN}:`,
    ...lines.sort(),
    exclusive
      ? "The update revokes them, as exclusiveRules is on. To keep one, name its id in allowedRuleIds."
      : "Revoke them in the EC2 console. To keep one, name its id in allowedRuleIds; to have updates revoke all others, " +
        "set exclusiveRules to true.",
  ].join("\n");
}

/** Has every other rule of the group revoked, now and at each update that a refresh goes before. */
export function revokeOthers(
  component: pulumi.ComponentResource,
  name: string,
  groupId: pulumi.Output<string>,
  own: { ingress: pulumi.Output<string>[]; egress: pulumi.Output<string>[] },
  allowedIds: pulumi.Input<string>[],
): void {
  const opts = { parent: component };
  // EC2 has two lists, and an id does not tell which one it is of.
  const allowed = pulumi.all(allowedIds).apply((ids) =>
    Promise.all(
      ids.map((id) => {
        const answer = vpc.getSecurityGroupRule({ securityGroupRuleId: id }, opts);
        const remedy = "Take it out of allowedRuleIds if it was revoked: an id is never given again.";
        return answerOf(component, answer, `allowedRuleIds: EC2 did not tell of the rule ${id}`, remedy);
      }),
    ),
  );
  const idsOf = (egress: boolean, ids: pulumi.Output<string>[]) =>
    pulumi
      .all([pulumi.all(ids), allowed])
      .apply(([ours, rules]) => [...ours, ...rules.filter(({ isEgress }) => isEgress === egress).map(({ id }) => id)]);
  new ec2.VpcSecurityGroupRulesExclusive(
    name,
    { securityGroupId: groupId, ingressRuleIds: idsOf(false, own.ingress), egressRuleIds: idsOf(true, own.egress) },
    opts,
  );
}
