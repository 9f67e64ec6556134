import { oldAndNew } from "../../components/deploy/text.mjs";
import { type Change, isDeployment, type Operation, type PropertyChange, typeName } from "./change";
import {
  type Block,
  code,
  count,
  fold,
  type Inline,
  type Item,
  lines,
  notice,
  paragraph,
  type Part,
  separated,
  strong,
  text,
} from "./document";
import { noticesOf } from "./notices";
import { shortened } from "./text";

const WORDS: Record<Operation, string> = {
  replace: "replaced",
  delete: "deleted",
  forget: "forgotten",
  update: "updated",
  create: "created",
  import: "imported",
  read: "read",
};

/** What destroys something. */
const GRAVE: Operation[] = ["replace", "delete", "forget"];

/** Properties of one resource that are shown; the rest is counted. */
const MOST_PROPERTIES = 40;

/** In which word a change is counted. */
export function wordOf(change: Change): string {
  return isDeployment(change) ? deploymentWord(change) : WORDS[change.operation];
}

function deploymentWord({ operation }: Change): string {
  return operation === "delete" || operation === "forget" ? "deployment forgotten" : "system deployed";
}

/** "1 replaced, 2 updated, system deployed", the gravest first; empty when nothing changes. */
export function changeCounts(changes: Change[]): string {
  const infrastructure = changes.filter((change) => !isDeployment(change));
  const counted = Object.entries(WORDS)
    .map(
      ([operation, word]) => [infrastructure.filter((change) => change.operation === operation).length, word] as const,
    )
    .filter(([number]) => number > 0)
    .map(([number, word]) => `${number.toLocaleString("en-US")} ${word}`);
  const deployments = new Map<string, number>();
  for (const change of changes.filter(isDeployment)) {
    deployments.set(wordOf(change), (deployments.get(wordOf(change)) ?? 0) + 1);
  }
  // Several machines can be in one stack.
  const deployed = [...deployments].map(([word, number]) => (number === 1 ? word : `${number} × ${word}`));
  return [...counted, ...deployed].join(", ");
}

/** The changes as parts of a report: replacements and deletions, then the rest. */
export function changeParts(changes: Change[]): Part[] {
  const of = (...operations: Operation[]) =>
    operations.flatMap((operation) =>
      changes.filter((change) => change.operation === operation && !isDeployment(change)),
    );
  const part = (title: string, members: Change[]): Part => ({
    title: [text(title)],
    items: members.map((change) => item(change, changes)),
  });
  const grave = of(...GRAVE);
  const noticed = new Set(grave.filter((change) => noticesOf(change, changes).length > 0));
  return [
    part("Replaced and deleted", [...noticed, ...grave.filter((change) => !noticed.has(change))]),
    part("Updated", of("update")),
    part("Created", of("create", "import", "read")),
  ];
}

/** One line, with the values folded below it, and what will be noticed of the change. */
function item(change: Change, all: Change[]): Item {
  const { operation, properties } = change;
  // The title of the part says it for most of the others.
  const verb = GRAVE.includes(operation)
    ? [strong(capital(WORDS[operation])), text(": ")]
    : operation === "import" || operation === "read"
      ? [text(`${capital(WORDS[operation])}: `)]
      : [];
  const names = operation === "update" && properties.length > 0 ? [text(": "), ...separated(changedNames(change))] : [];
  const line = [...verb, ...resource(change), ...reason(change), ...names];
  const short = operation === "update" ? shortValues(properties) : undefined;
  const values =
    short !== undefined
      ? paragraph(...line, ...short)
      : properties.length === 0
        ? paragraph(...line)
        : fold(line, diff(properties));
  const notices = noticesOf(change, all).map((words) => notice(text(words)));
  return {
    blocks: [values, ...notices],
    brief: [paragraph(...line)],
    important: GRAVE.includes(operation),
    label: wordOf(change),
  };
}

function resource({ name, type }: Change): Inline[] {
  return [code(shortened(name, 100)), text(" ("), code(shortened(typeName(type), 100)), text(")")];
}

function reason({ operation, because }: Change): Inline[] {
  if (operation !== "replace") return [];
  if (because.length === 0) return [text(", because a replacement was asked for")];
  return [text(", because of "), ...separated(because.slice(0, 5).map((property) => code(shortened(property, 100))))];
}

/** Old and new value of a single short change, which needs no unfolding. */
function shortValues([only, ...others]: PropertyChange[]): Inline[] | undefined {
  if (only?.before === undefined || only.after === undefined || others.length > 0) return undefined;
  if (Math.max(only.before.length, only.after.length) > 60) return undefined;
  return [text(" "), code(only.before), text(" → "), code(only.after)];
}

function changedNames({ properties }: Change): Inline[] {
  const names = [...new Set(properties.map(({ path }) => path))];
  const shown = names.slice(0, 4).map((name) => code(shortened(name, 100)));
  return names.length > 4 ? [...shown, text(`${names.length - 4} more`)] : shown;
}

/** Old and new values, in the form that GitHub colours. */
export function diff(properties: PropertyChange[]): Block {
  const shown = properties.slice(0, MOST_PROPERTIES).flatMap(({ path, before, after, replaces }) => {
    const remark = replaces ? "   (forces the replacement)" : "";
    return oldAndNew(before, after === undefined ? undefined : `${after}${remark}`, `${shortened(path, 200)}: `);
  });
  const more = properties.length - MOST_PROPERTIES;
  return lines("diff", more > 0 ? [...shown, `… (${count(more, "more property", "more properties")})`] : shown);
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
