// @ts-check
// What a folder holds as Git counts it: for each name a mode and the id that its content has in Git. Computed from the
// bytes themselves, so that no setting of Git's comes between a file and what was committed. Names are bytes: one
// character for each.
import { createHash } from "node:crypto";
import fs from "node:fs";
import { allFiles, fileIn } from "./flake.mjs";
import { gitList } from "./git.mjs";

/**
 * @typedef {{ mode: string, id: string }} Entry
 * @typedef {Map<string, Entry>} Tree
 */

/** Nothing but an empty folder: what is left of a submodule where nobody fetches it. */
export const FOLDER = { mode: "folder", id: "" };

/**
 * Of a commit, by Git's own list.
 * @param {string} folder in the repository
 * @param {string} treeId of that folder
 * @param {import("./process.mjs").Processes} processes
 */
export async function committedTree(folder, treeId, processes) {
  const list = await gitList(folder, ["ls-tree", "-r", "-z", "--full-tree", treeId], processes);
  /** @type {Tree} */
  const tree = new Map();
  for (const line of list) {
    const [mode = "", type, id = ""] = line.slice(0, line.indexOf("\t")).split(" ");
    tree.set(line.slice(line.indexOf("\t") + 1), type === "commit" ? FOLDER : { mode, id });
  }
  return tree;
}

/**
 * Of a folder as it lies there: everything in it but its own .git, which is what Nix takes of a path:.
 * @param {string} folder
 * @param {string} algorithm of the repository's ids
 */
export function folderTree(folder, algorithm) {
  const enter = (/** @type {string} */ inner) =>
    inner !== ".git" && !fs.existsSync(Buffer.concat([fileIn(folder, inner), Buffer.from("/.git")]));
  const names = allFiles(folder, { enter }).filter((name) => !/^\.git\/?$/.test(name));
  return namedTree(folder, names, algorithm);
}

/**
 * Of certain files as they lie there. What is missing is left out.
 * @param {string} folder
 * @param {string[]} names
 * @param {string} algorithm
 */
export function namedTree(folder, names, algorithm) {
  /** @type {Tree} */
  const tree = new Map();
  for (const name of names) {
    const entry = entryOf(fileIn(folder, name), algorithm);
    if (entry !== undefined) tree.set(name.replace(/\/$/, ""), entry);
  }
  return tree;
}

/**
 * @param {Buffer} file
 * @param {string} algorithm
 * @returns {Entry | undefined}
 */
function entryOf(file, algorithm) {
  const stat = fs.lstatSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  if (stat.isSymbolicLink()) return { mode: "120000", id: blobId(fs.readlinkSync(file, "buffer"), algorithm) };
  if (stat.isFile()) {
    return { mode: stat.mode & 0o100 ? "100755" : "100644", id: blobId(fs.readFileSync(file), algorithm) };
  }
  if (!stat.isDirectory()) return { mode: "special", id: "" };
  // What lies in a folder speaks for it; Git knows no empty one.
  const content = fs.readdirSync(file);
  return content.length === 0 ? FOLDER : content.includes(".git") ? { mode: "repository", id: "" } : undefined;
}

/**
 * The id that Git gives to a content.
 * @param {Buffer} content
 * @param {string} algorithm
 */
export function blobId(content, algorithm) {
  return createHash(algorithm).update(`blob ${content.length}\0`).update(content).digest("hex");
}
