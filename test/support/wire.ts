/**
 * Values as they travel from a program to the engine, with the marks of the wire turned into something that
 * `assert.deepEqual` compares: a secret becomes a `Secret`, a value that a preview cannot know becomes `UNKNOWN`.
 *
 * The inputs that Pulumi hands to mocks are not enough: there a secret in one environment variable makes the whole
 * environment secret, so that nobody could tell which variable it was.
 */
import { isMarkedSecret, isObject, UNKNOWN as UNKNOWN_TEXT } from "../../cli/rehearse/emulators/values";

/** Stands for a value that is known only after an update. */
export const UNKNOWN = Symbol("unknown");

/** A value that arrived with the mark of a secret. */
export class Secret {
  constructor(readonly value: unknown) {}
}

/** The value that a test expects to arrive as a secret. */
export function secret(value: unknown): Secret {
  return new Secret(value);
}

/** Reads a value from the wire. */
export function fromWire(value: unknown): unknown {
  if (value === UNKNOWN_TEXT) return UNKNOWN;
  if (Array.isArray(value)) return value.map(fromWire);
  if (isMarkedSecret(value)) return new Secret(fromWire(value.value));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, fromWire(field)]));
}

/** The same value without the marks of secrets: what a provider computes with. */
export function revealed(value: unknown): unknown {
  if (value instanceof Secret) return revealed(value.value);
  if (Array.isArray(value)) return value.map(revealed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, revealed(field)]));
}

/** Every text in a value that is not inside a secret: what a state file or a log shows in plain. */
export function plainTexts(value: unknown): string[] {
  if (value instanceof Secret) return [];
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(plainTexts);
}
