import { specialSecretSig, specialSigKey, unknownValue } from "@pulumi/pulumi/runtime/rpc";

/** Properties of a resource as an emulated service sees them: plain values, no secret markers. */
export type Properties = Record<string, unknown>;

/** Stands for a value that a preview cannot know yet; the text is Pulumi's own on the wire. */
export const UNKNOWN: string = unknownValue;

/** True for objects that are neither lists nor null. */
export function isObject(value: unknown): value is Properties {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** True when the value, or a part of it, is unknown. */
export function containsUnknown(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(containsUnknown);
  if (isObject(value)) return Object.values(value).some(containsUnknown);
  return value === UNKNOWN;
}

/** True for a value with Pulumi's secret marker around it. */
export function isMarkedSecret(value: unknown): value is { value: unknown } {
  return isObject(value) && value[specialSigKey] === specialSecretSig;
}

/** True when the value, or a part of it, carries Pulumi's secret marker. */
export function containsSecret(value: unknown): boolean {
  if (isMarkedSecret(value)) return true;
  if (Array.isArray(value)) return value.some(containsSecret);
  return isObject(value) && Object.values(value).some(containsSecret);
}

/** The value without its secret markers. */
export function withoutSecretMarkers<T>(value: T): T {
  if (isMarkedSecret(value)) return withoutSecretMarkers(value.value) as T;
  if (Array.isArray(value)) return value.map(withoutSecretMarkers) as T;
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, withoutSecretMarkers(part)])) as T;
}

/** The value with Pulumi's secret marker around it, once. */
export function secret(value: unknown): unknown {
  return isMarkedSecret(value) ? value : { [specialSigKey]: specialSecretSig, value };
}

/** A copy of the object without the properties that are undefined: Pulumi's wire format has no such value. */
export function compact(object: Properties): Properties {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}
