import { readFileSync } from "node:fs";
import * as path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { partsOfUrn } from "../../cli/render/change";
import { isObject } from "../../cli/rehearse/emulators/values";
import type { StateResource } from "./stack";

/** What a resource was given and what it gave. */
export type Recorded = Pick<StateResource, "urn" | "inputs" | "outputs">;

/** In a recording, for what each stack has a value of its own of: ids, keys, names with a suffix. */
const OWN = "<own>";

/** The settings of the recorded stack: everything that makes resources. */
export const SETTINGS = {
  cache: "true",
  githubActions: "true",
  githubOwnerId: "1234",
  deployEnvironment: "production",
  httpPorts: "[80, 443]",
  stateBucketArn: "arn:aws:s3:::state-of-a-test",
  stateKeyArn: "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f",
};

/** What the program of the last version made with these settings. The spec tells how it is made anew. */
export const RECORDING = path.join(__dirname, "lastVersion.json");

export function lastVersion(): Recorded[] {
  const recorded = JSON.parse(readFileSync(RECORDING, "utf8")) as Recorded[];
  return recorded.map((one) => ({ ...one, outputs: { ...repeated(one), ...one.outputs } }));
}

/** What the outputs of a provider's resource repeat of its inputs, and the recording leaves out. */
function repeated({ urn, inputs = {} }: Recorded): Record<string, unknown> {
  if (partsOfUrn(urn).type.startsWith("nixos:")) return {};
  return Object.fromEntries(Object.entries(inputs).filter(([key]) => key !== "__defaults"));
}

/** What is equal in the states of two stacks of one program; no key, id or path of either. */
export function recording(first: StateResource[], second: StateResource[]): Recorded[] {
  return first
    .filter(({ type }) => !type.startsWith("pulumi:"))
    .map(({ urn, inputs, outputs }) => {
      const other = second.find((one) => one.urn === urn);
      if (other === undefined) throw new Error(`only one of the stacks has ${urn}`);
      const both = { urn, inputs: common(inputs, other.inputs), outputs: common(outputs, other.outputs) } as Recorded;
      const same = repeated(both);
      const own = Object.entries(both.outputs ?? {}).filter(([key, value]) => !isDeepStrictEqual(value, same[key]));
      return { ...both, outputs: Object.fromEntries(own) };
    });
}

function common(one: unknown, other: unknown): unknown {
  if (Array.isArray(one) && Array.isArray(other) && one.length === other.length)
    return one.map((value, at) => common(value, other[at]));
  if (isObject(one) && isObject(other))
    return Object.fromEntries(Object.entries(one).map(([key, value]) => [key, common(value, other[key])]));
  return one === other ? one : OWN;
}

/**
 * A state of today's program as the last version's would have left it, with the same keys, ids and names.
 *
 * @throws for a resource or a value that today's program does not have any more: without an alias it would be lost
 */
export function asLastVersion(state: StateResource[]): StateResource[] {
  const recorded = new Map(lastVersion().map((one) => [one.urn, one]));
  const lost = [...recorded.keys()].filter((urn) => !state.some((one) => one.urn === urn));
  if (lost.length > 0) throw new Error(`the program does not make any more: ${lost.join(", ")}`);
  return state.flatMap((resource) => {
    if (resource.type.startsWith("pulumi:")) return [resource];
    const before = recorded.get(resource.urn);
    if (before === undefined) return [];
    const { urn } = resource;
    const filled = (part: "inputs" | "outputs") => fill(before[part], resource[part], `${part} of ${urn}`);
    return [{ ...resource, inputs: filled("inputs"), outputs: filled("outputs") } as StateResource];
  });
}

function fill(before: unknown, today: unknown, place: string): unknown {
  if (before === OWN) {
    if (today === undefined) throw new Error(`${place} is of each stack, and today's program does not make it`);
    return today;
  }
  if (Array.isArray(before))
    return before.map((value, at) => fill(value, (today as unknown[])?.[at], `${place}[${at}]`));
  if (isObject(before)) {
    const now = isObject(today) ? today : {};
    return Object.fromEntries(
      Object.entries(before).map(([key, value]) => [key, fill(value, now[key], `${key} in ${place}`)]),
    );
  }
  return before;
}
