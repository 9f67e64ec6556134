// @ts-check
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { DeploymentError } from "./errors.mjs";

/**
 * What is taken as a flake and a system of it. An attribute may be a name with dots, such as `web.example.com`: it stands
 * in quotes wherever Nix reads it.
 */
export const FLAKE_REFERENCE = /^[^#\s]+#[A-Za-z_][A-Za-z0-9_.-]*$/;

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
 * The attribute path of what a deployment installs, as nixos-rebuild writes it: so Nix's own evaluation cache has it
 * when nixos-rebuild asks.
 * @param {FlakeReference} flake
 */
export function derivationAttribute({ flake, attribute }) {
  return `${flake}#nixosConfigurations."${attribute}".config.system.build.toplevel.drvPath`;
}

/**
 * A hash of what Nix sees of a flake: names, contents, executable bits and links. Of a folder (path:…) everything in
 * it, of a Git repository the tracked files as they are now.
 * @param {FlakeReference & { folder: string }} flake
 * @param {(folder: string) => Promise<{ root: string, files: string[] }>} trackedFiles
 */
export async function contentHash(flake, trackedFiles) {
  if (!fs.existsSync(path.join(flake.folder, "flake.nix"))) {
    throw new DeploymentError(`There is no flake.nix in ${JSON.stringify(path.resolve(flake.folder))}.`, {
      advice: [`The flake reference is ${JSON.stringify(flake.reference)}, relative to ${process.cwd()}.`],
    });
  }
  const { root, files } =
    flake.kind === "path" ? { root: flake.folder, files: allFiles(flake.folder) } : await trackedFiles(flake.folder);
  const hash = createHash("sha256");
  // Two lists of fields never look the same: each field stands with its length.
  const add = (/** @type {string | Buffer} */ field) => hash.update(`${Buffer.byteLength(field)}:`).update(field);
  add(path.relative(root, flake.folder));
  add(flake.attribute);
  for (const file of files.sort()) addFile(add, root, file);
  return hash.digest("hex");
}

/**
 * @param {(field: string | Buffer) => void} add
 * @param {string} root
 * @param {string} file
 */
function addFile(add, root, file) {
  const full = path.join(root, file);
  const stat = fs.lstatSync(full, { throwIfNoEntry: false });
  add(file);
  if (stat === undefined) add("deleted");
  else if (stat.isSymbolicLink()) add(`link ${fs.readlinkSync(full)}`);
  else if (stat.isFile()) {
    add(stat.mode & 0o100 ? "program" : "file");
    add(fs.readFileSync(full));
  } else add("folder"); // a submodule; Nix leaves it empty
}

/**
 * @param {string} folder
 * @param {string} [inner]
 * @returns {string[]}
 */
function allFiles(folder, inner = "") {
  return fs.readdirSync(path.join(folder, inner), { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(inner, entry.name);
    return entry.isDirectory() ? [`${file}/`, ...allFiles(folder, file)] : [file];
  });
}
