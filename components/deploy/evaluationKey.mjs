// @ts-check
// What decides whether an evaluation may be remembered, and what it depends on beside the flake's own files. Where the
// hash of the files does not cover all that Nix would read, nothing is remembered: slow is better than wrong.
import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { asksForSubmodules, optionsOf, rootOf } from "./flake.mjs";
import { readLock } from "./lock.mjs";

/**
 * Whether a hash of the files covers what Nix reads: not where the reference chooses a revision, submodules or LFS
 * objects, and not where an input is a folder outside or has no content that is pinned.
 * @param {import("./flake.mjs").FlakeReference & { folder: string }} flake
 */
export function isCovered(flake) {
  if ([...optionsOf(flake).keys()].some((key) => key !== "dir") || asksForSubmodules(flake.folder)) return false;
  if (leadsOutside(flake)) return false;
  const nodes = readLock(flake.folder);
  return nodes !== undefined && nodes.every(({ locked }) => locked === undefined || isPinned(locked));
}

/** @param {import("./lock.mjs").Source} locked */
function isPinned({ type, path: place = "", narHash, rev }) {
  return type === "path" ? !place.startsWith("/") : narHash !== undefined || rev !== undefined;
}

/**
 * A folder that is itself reached by a link: Nix keeps the link, and what it leads to is not what was hashed.
 * @param {import("./flake.mjs").FlakeReference & { folder: string }} flake
 */
function leadsOutside(flake) {
  const root = rootOf(flake) ?? flake.folder;
  return fs.lstatSync(root, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
}

/**
 * A hash of what Nix is set to: its variables and its configuration files with what they include.
 * @param {NodeJS.ProcessEnv} env
 */
export function nixSettings(env) {
  const hash = createHash("sha256");
  for (const [name, value] of Object.entries(env).sort()) {
    if (/^NIX_/.test(name)) hash.update(`${name}=${value}\0`);
  }
  /** @type {Set<string>} */
  const seen = new Set();
  for (const file of configurationFiles(env)) addConfiguration(file, hash, seen);
  return hash.digest("hex").slice(0, 16);
}

/** @param {NodeJS.ProcessEnv} env */
function configurationFiles(env) {
  const home = env.HOME || os.homedir();
  const folders = [
    env.XDG_CONFIG_HOME || path.join(home, ".config"),
    ...(env.XDG_CONFIG_DIRS || "/etc/xdg").split(":"),
  ];
  const own = env.NIX_USER_CONF_FILES?.split(":") ?? folders.map((folder) => path.join(folder, "nix/nix.conf"));
  return [path.join(env.NIX_CONF_DIR || "/etc/nix", "nix.conf"), ...own];
}

/**
 * @param {string} file
 * @param {import("node:crypto").Hash} hash
 * @param {Set<string>} seen
 */
function addConfiguration(file, hash, seen) {
  if (seen.has(file)) return;
  seen.add(file);
  let text;
  try {
    text = fs.readFileSync(file, "utf8");
  } catch {
    return; // Nix does without it, too.
  }
  hash.update(`${file}\0${text}\0`);
  for (const [, included = ""] of text.matchAll(/^[ \t]*!?include[ \t]+(\S+)/gm)) {
    addConfiguration(path.resolve(path.dirname(file), included), hash, seen);
  }
}
