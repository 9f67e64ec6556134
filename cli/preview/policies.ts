import {
  type Block,
  code,
  count,
  fold,
  type Inline,
  type Item,
  lines,
  paragraph,
  type Part,
  separated,
  strong,
  text,
} from "../render/document";
import { shortened, shortenedLines } from "../render/text";
import { messageLines } from "./errors";
import type { PolicyResult } from "./preview";

/** Everything that one rule found. */
interface Finding {
  rule: string;
  severity: string | undefined;
  resources: string[];
  messages: string[];
}

/** What blocks the change: shown at once. */
export function blockingPart(policies: PolicyResult[]): Part {
  const items = findings(policies.filter(({ mandatory }) => mandatory)).map((finding): Item => {
    const sentence = paragraph(strong("Mandatory"), text(": "), ...nameOf(finding));
    return { blocks: [sentence, messagesOf(finding)], brief: [sentence], important: true, label: "policy results" };
  });
  return { title: [text("Policies")], items };
}

/** What is only advice: folded, because it is mostly older than the change. */
export function advisoryPart(policies: PolicyResult[]): Part {
  const advisory = policies.filter(({ mandatory, checked }) => !mandatory && checked);
  const items = findings(advisory).map((finding): Item => {
    const summary = [text("Advisory policy: "), ...nameOf(finding)];
    return { blocks: [fold(summary, messagesOf(finding))], brief: [paragraph(...summary)], label: "policy results" };
  });
  return { title: undefined, items: [...items, ...uncheckedItem(policies.filter(({ checked }) => !checked))] };
}

/** How many rules block the change. */
export function blockingRules(policies: PolicyResult[]): number {
  return findings(policies.filter(({ mandatory }) => mandatory)).length;
}

/** A rule may find something in many resources, which is one thing to read. */
function findings(policies: PolicyResult[]): Finding[] {
  const byRule = new Map<string, Finding>();
  for (const { pack, policy, severity, message, resource } of policies) {
    const rule = `${pack}/${policy}`;
    const finding = byRule.get(rule) ?? { rule, severity, resources: [], messages: [] };
    byRule.set(rule, finding);
    if (resource !== undefined && !finding.resources.includes(resource)) finding.resources.push(resource);
    if (!finding.messages.includes(message)) finding.messages.push(message);
  }
  return [...byRule.values()];
}

/** Resources that are named; the others are counted. */
const MOST_RESOURCES = 5;

function nameOf({ rule, severity, resources }: Finding): Inline[] {
  const named = resources.slice(0, MOST_RESOURCES).map((name) => code(shortened(name, 100)));
  const more = resources.length - named.length;
  return [
    code(shortened(rule, 200)),
    ...(severity === undefined ? [] : [text(` (${severity})`)]),
    ...(named.length === 0 ? [] : [text(", about "), ...separated(named)]),
    ...(more > 0 ? [text(` and ${count(more, "more resource")}`)] : []),
  ];
}

function messagesOf({ messages }: Finding): Block {
  const all = messages.map((message) => messageLines(message).map((line) => shortened(line, 300)));
  // What the rule is and what to do about it is said once; what differs between the resources stands together.
  const shared = all[0]!.filter((line) => all.every((one) => one.includes(line)));
  const own = all.flat().filter((line) => !shared.includes(line));
  return lines("text", shortenedLines([...new Set([...shared.slice(0, 1), ...own, ...shared])], 12));
}

/** A new stack has many such values, and nothing is wrong with them. */
function uncheckedItem(policies: PolicyResult[]): Item[] {
  if (policies.length === 0) return [];
  const rules = [...new Set(policies.map(({ pack, policy }) => `${pack}/${policy}`))];
  const sentence = paragraph(
    text(`${count(rules.length, "policy", "policies")} can be checked by the update only, which knows all values: `),
    ...separated(rules.slice(0, 20).map((rule) => code(shortened(rule, 200)))),
    text("."),
  );
  return [{ blocks: [sentence], brief: [sentence], label: "policy results" }];
}
