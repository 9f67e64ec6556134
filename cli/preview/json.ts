/** Reading JSON that may be anything: whatever has not the expected form counts as absent. */

export function object(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

export function array(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

export function string(value: unknown): string {
  return typeof value === "string" ? value : "";
}

export function strings(value: unknown): string[] {
  return array(value).filter((member) => typeof member === "string");
}

export function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}
