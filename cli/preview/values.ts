import { SECRET, shortened, escapeInvisible, withoutSecrets } from "../render/text";

/** Marks objects with a special meaning in Pulumi's wire format. */
const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270";
const OUTPUT_SIGNATURE = "d0e6a833031e9bbcd3f4e8bde6ca49a4";

/** What the engine writes for values that only the update will tell: text, boolean, number, list, asset, archive, map. */
const UNKNOWN = new Set([
  "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
  "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
  "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
  "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
  "030794c1-ac77-496b-92df-f27374a8bd58",
  "e48ece36-62e2-4504-bad9-02848725956a",
  "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
]);

/** Longer values are cut. */
const LONGEST = 300;

/** A property that is not there, as opposed to one that is null. */
export const ABSENT = Symbol("absent");

/** What may be shown of a value: one line, secrets hidden, not too long. */
export function shownValue(value: unknown): string {
  if (value === SECRET) return SECRET;
  if (typeof value === "string" && UNKNOWN.has(value)) return "(known after the update)";
  return shortened(escapeInvisible(withoutSecrets(JSON.stringify(plainValue(value)) ?? "null")), LONGEST);
}

/** Two values; of long ones the part where they differ, so that the difference is not cut off. */
export function shownPair(before: unknown, after: unknown): [string, string] {
  const [one, other] = [before, after].map((value) => withoutSecrets(JSON.stringify(plainValue(value)) ?? "null")) as [
    string,
    string,
  ];
  if (isSpecial(before) || isSpecial(after) || Math.max(one.length, other.length) <= LONGEST) {
    return [shownValue(before), shownValue(after)];
  }
  const start = Math.max(0, sharedPrefix(one, other) - 40);
  if (start === 0) return [shownValue(before), shownValue(after)];
  const part = (text: string) =>
    `…${shortened(escapeInvisible(text.slice(start).replace(/^[\udc00-\udfff]/, "")), LONGEST)}`;
  return [part(one), part(other)];
}

/** The value without Pulumi's wrappings; secrets in it are replaced. */
export function plainValue(value: unknown): unknown {
  if (typeof value === "string") return UNKNOWN.has(value) ? "(known after the update)" : value;
  if (Array.isArray(value)) return value.map(plainValue);
  if (typeof value !== "object" || value === null) return value;
  const { [SIGNATURE]: signature, ...rest } = value as Record<string, unknown>;
  if (signature === SECRET_SIGNATURE) return SECRET;
  if (signature === OUTPUT_SIGNATURE) return rest["secret"] === true ? SECRET : plainValue(rest["value"] ?? null);
  return Object.fromEntries(
    Object.entries(rest)
      .filter(([key]) => key !== "__defaults")
      .map(([key, member]) => [key, plainValue(member)]),
  );
}

/** The value at a path of the engine, such as `tags["a.b"]` or `triggers[0]`. A secret hides everything within. */
export function valueAt(properties: unknown, path: string): unknown {
  let value: unknown = properties;
  for (const key of keysOf(path)) {
    const current = unwrapped(value);
    if (current === SECRET) return SECRET;
    if (typeof current !== "object" || current === null || !Object.hasOwn(current, key)) return ABSENT;
    value = (current as Record<string, unknown>)[key];
  }
  return unwrapped(value);
}

/** Splits a path into its keys. */
export function keysOf(path: string): string[] {
  return [...path.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.[\]]+)/g)].map(
    ([, quoted, index, plain]) => quoted?.replace(/\\(.)/g, "$1") ?? index ?? plain!,
  );
}

function unwrapped(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const { [SIGNATURE]: signature, ...rest } = value as Record<string, unknown>;
  if (signature === SECRET_SIGNATURE) return SECRET;
  if (signature !== OUTPUT_SIGNATURE) return value;
  return rest["secret"] === true ? SECRET : rest["value"];
}

function isSpecial(value: unknown): boolean {
  return value === SECRET || (typeof value === "string" && UNKNOWN.has(value));
}

function sharedPrefix(one: string, other: string): number {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at++;
  return at;
}
