import { isObject } from "./values";

/** How one property path changed. */
export interface Change {
  path: string;
  kind: "add" | "delete" | "update";
}

/** A path as Pulumi writes it: `tags["a.b"]`, `triggers[0]`, `rootBlockDevice.volumeSize`. */
function step(path: string, key: string | number): string {
  if (typeof key === "number") return `${path}[${key}]`;
  if (!/^[A-Za-z_][A-Za-z0-9_-]*$/.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path === "" ? key : `${path}.${key}`;
}

/** The innermost paths at which two values differ. */
export function differences(old: unknown, current: unknown, path = ""): Change[] {
  if (old === undefined && current === undefined) return [];
  if (old === undefined) return [{ path, kind: "add" }];
  if (current === undefined) return [{ path, kind: "delete" }];
  if (Array.isArray(old) && Array.isArray(current)) {
    const longest = Math.max(old.length, current.length);
    return Array.from({ length: longest }, (_, at) => differences(old[at], current[at], step(path, at))).flat();
  }
  if (isObject(old) && isObject(current)) {
    const keys = [...new Set([...Object.keys(old), ...Object.keys(current)])].sort();
    return keys.flatMap((key) => differences(old[key], current[key], step(path, key)));
  }
  return old === current ? [] : [{ path, kind: "update" }];
}

/** The property that a path begins with. */
export function topProperty(path: string): string {
  return /^[^.[]+/.exec(path)?.[0] ?? path;
}
