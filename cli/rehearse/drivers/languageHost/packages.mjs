// @ts-check
// The providers that a program asks for: by the packages that are installed for it.
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import path from "node:path";

/**
 * The plugins of the packages under a folder. Pulumi's own host reads every folder; this one looks where npm installs
 * packages, and where workspaces and links lead.
 * @param {string} folder
 * @returns {{ name: string, version: string, server: string }[]}
 */
export function pluginsOf(folder) {
  return inFolder(folder, new Set());
}

/**
 * @param {string} folder
 * @param {Set<string>} seen
 * @returns {ReturnType<typeof pluginsOf>}
 */
function inFolder(folder, seen) {
  return foldersIn(folder).flatMap((one) =>
    path.basename(one) === "node_modules"
      ? inPackages(one, seen)
      : // The plugins of a policy pack are not the program's.
        once(one, seen) && !existsSync(path.join(one, "PulumiPolicy.yaml"))
        ? inFolder(one, seen)
        : [],
  );
}

/**
 * @param {string} folder node_modules, or the folder of one scope in it
 * @param {Set<string>} seen
 * @returns {ReturnType<typeof pluginsOf>}
 */
function inPackages(folder, seen) {
  return foldersIn(folder).flatMap((one) => {
    if (path.basename(one).startsWith("@")) return inPackages(one, seen);
    if (!once(one, seen) || existsSync(path.join(one, "PulumiPolicy.yaml"))) return [];
    const own = path.join(one, "package.json");
    const nested = path.join(one, "node_modules");
    return [
      ...(existsSync(own) ? pluginOf(JSON.parse(readFileSync(own, "utf8"))) : []),
      ...(existsSync(nested) ? inPackages(nested, seen) : []),
    ];
  });
}

/**
 * @param {{ name?: string, version?: string, pulumi?: { resource?: boolean, name?: string, version?: string, server?: string } }} manifest
 * @returns {ReturnType<typeof pluginsOf>}
 */
function pluginOf({ name: full = "", version: own = "", pulumi = {} }) {
  if (pulumi.resource !== true) return [];
  const name = pulumi.name ?? (full.startsWith("@pulumi/") ? full.slice("@pulumi/".length) : undefined);
  const version = pulumi.version ?? own;
  if (name === undefined || version === "") return [];
  return [{ name, version: version.startsWith("v") ? version : `v${version}`, server: pulumi.server ?? "" }];
}

/** @param {string} folder */
function foldersIn(folder) {
  return readdirSync(folder)
    .map((name) => path.join(folder, name))
    .filter((place) => statSync(place, { throwIfNoEntry: false })?.isDirectory());
}

/**
 * @param {string} folder
 * @param {Set<string>} seen
 */
function once(folder, seen) {
  const real = realpathSync(folder);
  if (seen.has(real)) return false;
  seen.add(real);
  return true;
}
