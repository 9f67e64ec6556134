import type { PolicyResource } from "@pulumi/policy";

/**
 * Whether a property of one resource names another one: by what it was computed from, which a preview knows too, and
 * only without that by its value.
 */
export function refersTo(from: PolicyResource, property: string, to: PolicyResource, ...keys: string[]): boolean {
  const origins = from.propertyDependencies[property] ?? [];
  if (origins.some(({ type }) => type === to.type)) return origins.includes(to);
  const value: unknown = from.props[property];
  return value !== undefined && keys.some((key) => to.props[key] === value);
}
