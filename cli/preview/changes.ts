import { type Change, isDeployment, type Operation, partsOfUrn, type PropertyChange } from "../render/change";
import { shortened, escapeInvisible } from "../render/text";
import type { State, Step, SystemChange } from "./preview";
import { ABSENT, keysOf, shownPair, shownValue, valueAt } from "./values";

const OPERATIONS: Record<string, Operation> = {
  create: "create",
  update: "update",
  replace: "replace",
  delete: "delete",
  import: "import",
  "import-replacement": "replace",
  "create-replacement": "replace",
  // The old half of a replacement whose new half an earlier, interrupted update made.
  "delete-replaced": "delete",
  read: "read",
  "read-replacement": "read",
  discard: "forget",
  "discard-replaced": "forget",
};

/** Events tell the same replacement three times; of several steps of one resource the most telling one counts. */
const RANK = ["replace", "import-replacement", "create-replacement", "update", "create", "import", "delete"];

const STACK = "pulumi:pulumi:Stack";

/** What happens to the resources of providers. */
export function changesOf(steps: Step[]): { changes: Change[]; systems: SystemChange[] } {
  const byUrn = new Map<string, Step>();
  for (const step of steps) {
    const state = step.new ?? step.old;
    const { type } = partsOfUrn(step.urn);
    if (state?.custom === false || type === STACK || type.startsWith("pulumi:providers:")) continue;
    if (OPERATIONS[step.op] === undefined) continue;
    const known = byUrn.get(step.urn);
    if (known === undefined || rank(step.op) < rank(known.op)) byUrn.set(step.urn, step);
  }
  const changed = [...byUrn.values()].map((step) => ({ step, change: changeOf(step) }));
  return {
    changes: changed.map(({ change }) => change),
    systems: changed
      .filter(({ change }) => isDeployment(change) && change.operation !== "delete" && change.operation !== "forget")
      .map(({ step, change }) => systemOf(step, change)),
  };
}

function rank(op: string): number {
  const at = RANK.indexOf(op);
  return at === -1 ? RANK.length : at;
}

function changeOf(step: Step): Change {
  const { type, name, parents } = partsOfUrn(step.urn);
  const properties = propertiesOf(step);
  const replacing = properties.filter(({ replaces }) => replaces).map(({ path }) => path);
  return {
    urn: step.urn,
    type,
    name,
    parents,
    operation: OPERATIONS[step.op]!,
    properties,
    because: (replacing.length > 0 ? replacing : step.replaceReasons).filter((path) => path !== "id"),
  };
}

function propertiesOf(step: Step): PropertyChange[] {
  const operation = OPERATIONS[step.op]!;
  if (operation === "delete" || operation === "forget" || operation === "read") return [];
  if (operation === "create" || operation === "import") return created(step.new);
  const detailed = Object.entries(step.detailedDiff);
  // Not every provider says what differs; then the inputs tell.
  if (detailed.length === 0) return compared(step);
  return detailed.map(([path, { kind, inputDiff }]) => {
    const oldProperties = inputDiff ? step.old?.inputs : step.old?.outputs;
    return propertyChange(path, valueAt(oldProperties, path), valueAt(step.new?.inputs, path), {
      kind: kind.startsWith("add") ? "add" : kind.startsWith("delete") ? "delete" : "update",
      replaces: kind.endsWith("-replace"),
    });
  });
}

function created(state: State | undefined): PropertyChange[] {
  return Object.entries(state?.inputs ?? {})
    .filter(([key]) => key !== "__defaults")
    .map(([key, value]) => ({ path: safePath(key), kind: "add", after: shownValue(value), replaces: false }));
}

function compared({ old, new: current, replaceReasons }: Step): PropertyChange[] {
  const [before, after] = [old?.inputs ?? {}, current?.inputs ?? {}];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((key) => key !== "__defaults" && JSON.stringify(before[key]) !== JSON.stringify(after[key]))
    .map((key) => {
      const [one, other] = [before, after].map((all) => (Object.hasOwn(all, key) ? all[key] : ABSENT));
      const kind = one === ABSENT ? "add" : other === ABSENT ? "delete" : "update";
      return propertyChange(key, one, other, { kind, replaces: replaceReasons.includes(key) });
    });
}

function propertyChange(
  path: string,
  before: unknown,
  after: unknown,
  { kind, replaces }: Pick<PropertyChange, "kind" | "replaces">,
): PropertyChange {
  const change: PropertyChange = { path: safePath(path), kind, replaces };
  if (kind === "add" || before === ABSENT)
    return { ...change, ...(after === ABSENT ? {} : { after: shownValue(after) }) };
  if (kind === "delete" || after === ABSENT) return { ...change, before: shownValue(before) };
  const [one, other] = shownPair(before, after);
  return { ...change, before: one, after: other };
}

function safePath(path: string): string {
  return escapeInvisible(shortened(path, 200));
}

/** Positions of the triggers that NixosDeployment sets itself, in words; those that a program adds follow them. */
const TRIGGERS = [
  "the system changed",
  "it is another machine",
  "the machine's host key changed",
  "its arguments changed",
];

function systemOf({ old, new: current }: Step, { name, operation, properties, because }: Change): SystemChange {
  const derivation = (state: State | undefined) => {
    const value = valueAt(state?.inputs, "environment.DEPLOY_DERIVATION");
    return typeof value === "string" && /^(\/|sha256-)/.test(value) ? value : undefined;
  };
  const triggers = properties.filter(({ path }) => keysOf(path)[0] === "triggers");
  const first = operation === "create";
  const reasons = triggers.map(({ path }) => TRIGGERS[Number(keysOf(path)[1])] ?? `${path} changed`);
  const update = operation === "update" ? properties.map(({ path }) => `${path} changed`) : [];
  const asked = operation === "replace" && because.length === 0 ? ["it was asked for"] : [];
  return {
    name,
    ...definedOnly({ before: derivation(old), after: derivation(current) }),
    reasons: first ? ["it is the first deployment"] : [...new Set([...reasons, ...update, ...asked])],
  };
}

function definedOnly(values: { before: string | undefined; after: string | undefined }) {
  return {
    ...(values.before === undefined ? {} : { before: values.before }),
    ...(values.after === undefined ? {} : { after: values.after }),
  };
}
