// @ts-check
// flake.lock, as far as it says where inputs come from.
import fs from "node:fs";
import path from "node:path";

/**
 * @typedef {{ type?: string, url?: string, path?: string, owner?: string, repo?: string, host?: string, narHash?: string, rev?: string }} Source
 * @typedef {{ name: string, locked?: Source, original?: Source }} LockedInput
 */

/**
 * The inputs that a lock file pins, their inputs too; none without a file, undefined when it cannot be read.
 * @param {string} folder of the flake
 * @returns {LockedInput[] | undefined}
 */
export function readLock(folder) {
  const file = path.join(folder, "flake.lock");
  if (!fs.existsSync(file)) return [];
  try {
    const { nodes = {}, root = "root" } = JSON.parse(fs.readFileSync(file, "utf8"));
    return Object.entries(nodes)
      .filter(([name]) => name !== root)
      .map(([name, node]) => ({ name, locked: sourceOf(node?.locked), original: sourceOf(node?.original) }));
  } catch {
    return undefined;
  }
}

/**
 * @param {unknown} value
 * @returns {Source | undefined}
 */
function sourceOf(value) {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.fromEntries(Object.entries(value).filter(([, one]) => typeof one === "string"));
}
