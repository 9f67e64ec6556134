// @ts-check
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { DeploymentError } from "./errors.mjs";

/**
 * The parts of "<flake>#<attribute>".
 * @typedef {object} FlakeReference
 * @property {string} reference the whole, as Nix takes it
 * @property {string} flake what stands before the #
 * @property {string} attribute the system's name in nixosConfigurations
 * @property {string | undefined} folder where flake.nix lies, relative to the project; undefined when it is not here
 * @property {"path" | "git"} kind whether Nix sees every file of the folder, or those of a Git repository
 */

/**
 * @param {string} reference
 * @returns {FlakeReference}
 */
export function parseFlakeReference(reference) {
  const [flake = "", attribute = ""] = reference.split("#");
  return { reference, flake, attribute, ...locate(flake) };
}

/**
 * @param {string} flake
 * @returns {Pick<FlakeReference, "folder" | "kind">}
 */
function locate(flake) {
  const [address = "", query = ""] = flake.split("?");
  const inner = new URLSearchParams(query).get("dir") ?? ".";
  const kind = address.startsWith("path:") ? "path" : "git";
  const local = /^(?:path:|git\+file:)?(?:\/\/(?=\/))?(\.{1,2}(?:\/.*)?|\/.*)$/.exec(address)?.[1];
  return { folder: local === undefined ? undefined : path.join(local, inner), kind };
}

/**
 * The folder that Nix reads whole: that of a path:, from which "dir" leads to the flake.
 * @param {FlakeReference} flake
 */
export function rootOf({ flake, folder }) {
  const inner = optionsOf({ flake }).get("dir");
  return folder === undefined || inner === null ? folder : path.join(folder, path.relative(path.join("/", inner), "/"));
}

/**
 * What stands behind the question mark of a reference.
 * @param {Pick<FlakeReference, "flake">} flake
 */
export function optionsOf({ flake }) {
  return new URLSearchParams(flake.split("?")[1] ?? "");
}

/**
 * The revision that Nix takes instead of the work tree, as git resolves it; undefined when it takes the work tree.
 * @param {Pick<FlakeReference, "flake" | "kind">} flake
 */
export function chosenRevision({ flake, kind }) {
  const options = optionsOf({ flake });
  const ref = options.get("ref");
  if (kind === "path") return undefined;
  return options.get("rev") ?? (ref === null || /^(refs\/|HEAD$)/.test(ref) ? ref : `refs/heads/${ref}`) ?? undefined;
}

/**
 * Whether a flake asks Nix for its submodules or LFS objects (inputs.self.submodules).
 * @param {string} folder
 */
export function asksForSubmodules(folder) {
  const file = path.join(folder, "flake.nix");
  return fs.existsSync(file) && /\b(submodules|lfs)\b/.test(fs.readFileSync(file, "utf8"));
}

/**
 * The attribute path of what a deployment installs, as nixos-rebuild writes it: so Nix's own evaluation cache has it
 * when nixos-rebuild asks.
 * @param {FlakeReference} flake
 */
export function derivationAttribute({ flake, attribute }) {
  return `${flake}#nixosConfigurations."${attribute}".config.system.build.toplevel.drvPath`;
}

/**
 * A hash of what Nix sees of a flake: names, contents, executable bits and links. Of a folder (path:…) everything in
 * it, of a Git repository the tracked files as they are now and the tree of the last commit.
 * @param {FlakeReference & { folder: string }} flake
 * @param {(folder: string) => Promise<{ root: string, files: string[], tree?: string }>} trackedFiles
 * @param {{ history?: boolean }} [options] `history`: whether the .git of a folder counts, which Nix copies too
 */
export async function contentHash(flake, trackedFiles, { history = true } = {}) {
  if (!fs.existsSync(path.join(flake.folder, "flake.nix"))) {
    throw new DeploymentError(`There is no flake.nix in ${JSON.stringify(path.resolve(flake.folder))}.`, {
      advice: [`The flake reference is ${JSON.stringify(flake.reference)}, relative to ${process.cwd()}.`],
    });
  }
  const whole = rootOf(flake) ?? flake.folder;
  const {
    root,
    files,
    tree = "",
  } = flake.kind === "path" ? { root: whole, files: allFiles(whole) } : await trackedFiles(flake.folder);
  const hash = createHash("sha256");
  // Two lists of fields never look the same: each field stands with its length.
  const add = (/** @type {string | Buffer} */ field) => hash.update(`${Buffer.byteLength(field)}:`).update(field);
  add(path.relative(root, flake.folder));
  add(flake.attribute);
  if (tree !== "") add(tree);
  const counted = flake.kind === "path" && !history ? files.filter((file) => !/^\.git(\/|$)/.test(file)) : files;
  for (const file of counted.sort()) addFile(add, root, file);
  return hash.digest("hex");
}

/**
 * @param {(field: string | Buffer) => void} add
 * @param {string} root
 * @param {string} file
 */
function addFile(add, root, file) {
  const full = fileIn(root, file);
  const stat = fs.lstatSync(full, { throwIfNoEntry: false });
  add(Buffer.from(file, "latin1"));
  if (stat === undefined) add("deleted");
  else if (stat.isSymbolicLink())
    add(Buffer.concat([Buffer.from("link "), fs.readlinkSync(full, { encoding: "buffer" })]));
  else if (stat.isFile()) {
    add(stat.mode & 0o100 ? "program" : "file");
    add(fs.readFileSync(full));
  } else add("folder"); // a submodule; Nix leaves it empty
}

/**
 * The names below a folder, those of folders with a slash at their end. Names are bytes: one character for each.
 * @param {string} folder
 * @param {{ inner?: string, enter?: (inner: string) => boolean }} [options] `enter`: whether a folder is looked into
 * @returns {string[]}
 */
export function allFiles(folder, { inner = "", enter = () => true } = {}) {
  const entries = fs.readdirSync(fileIn(folder, inner), { withFileTypes: true, encoding: "latin1" });
  return entries.flatMap((entry) => {
    const file = path.join(inner, entry.name);
    if (!entry.isDirectory()) return [file];
    return [`${file}/`, ...(enter(file) ? allFiles(folder, { inner: file, enter }) : [])];
  });
}

/**
 * The path of a name that is one character for each byte.
 * @param {string} folder
 * @param {string} name
 */
export function fileIn(folder, name) {
  return Buffer.concat([Buffer.from(path.join(folder, "/")), Buffer.from(name, "latin1")]);
}
