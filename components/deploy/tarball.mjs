// @ts-check
// What GitHub's tarball of a commit holds, which is what a machine reads that has a token. GitHub runs git archive,
// which follows attributes of the commit (export-ignore, export-subst, eol, ident, working-tree-encoding); so does this,
// in a repository without settings or attributes of this computer.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { DeploymentError } from "./errors.mjs";
import { git, gitEnvironment } from "./git.mjs";
import { blobId } from "./trees.mjs";

const BLOCK = 512;

/**
 * @param {string} folder
 * @param {{ commit: string, prefix: string, algorithm: string }} source `prefix`: the folder in the repository, "nix/"
 * @param {import("./process.mjs").Processes} processes
 */
export async function tarballTree(folder, { commit, prefix, algorithm }, processes) {
  const objects = await git(folder, ["rev-parse", "--path-format=absolute", "--git-path", "objects"], processes);
  const place = fs.mkdtempSync(path.join(os.tmpdir(), "pulumi-nixos-tarball-"));
  try {
    const repository = path.join(place, "repository");
    const file = path.join(place, "archive.tar");
    const env = {
      ...gitEnvironment(processes.env),
      ...{ GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" },
      ...{ GIT_CONFIG_COUNT: "0", GIT_CONFIG_PARAMETERS: "", GIT_ATTR_NOSYSTEM: "1" },
    };
    const asGithub = ["-c", "core.attributesFile=/dev/null", "-c", "core.eol=lf", "-c", "core.autocrlf=false"];
    const run = (/** @type {string[]} */ args) => processes.run("git", [...asGithub, ...args], { env });
    const made = await run(["init", "--quiet", "--bare", "--template=", `--object-format=${algorithm}`, repository]);
    fs.mkdirSync(path.join(repository, "objects/info"), { recursive: true });
    fs.writeFileSync(path.join(repository, "objects/info/alternates"), `${objects.stdout.trim()}\n`);
    const paths = prefix === "" ? [] : ["--", prefix];
    const archived =
      made.code === 0
        ? await run(["--git-dir", repository, "archive", "--format=tar", `--output=${file}`, commit, ...paths])
        : made;
    if (archived.code !== 0) {
      throw new DeploymentError(`What GitHub's tarball would hold cannot be told: ${archived.stderr.trim()}`, {
        advice: ["A machine with a token reads it. Or set allowDirty to install the folder as it is."],
      });
    }
    return archiveTree(fs.readFileSync(file), prefix, algorithm);
  } finally {
    fs.rmSync(place, { recursive: true, force: true });
  }
}

/**
 * Reads a tar archive as git archive writes it.
 * @param {Buffer} archive
 * @param {string} prefix
 * @param {string} algorithm
 */
function archiveTree(archive, prefix, algorithm) {
  /** @type {import("./trees.mjs").Tree} */
  const tree = new Map();
  for (const { name, type, program, content, target } of archiveEntries(archive)) {
    const inner = name.slice(prefix.length).replace(/\/$/, "");
    if (!name.startsWith(prefix) || inner === "") continue;
    if (type === "5") tree.set(inner, { mode: "folder", id: "" });
    else if (type === "2") tree.set(inner, { mode: "120000", id: blobId(Buffer.from(target, "latin1"), algorithm) });
    else tree.set(inner, { mode: program ? "100755" : "100644", id: blobId(content, algorithm) });
  }
  // What lies in a folder speaks for it; one without content stands for itself.
  const names = [...tree.keys()];
  for (const name of names) {
    for (let above = path.dirname(name); above !== "."; above = path.dirname(above)) tree.delete(above);
  }
  return tree;
}

/**
 * @param {Buffer} archive
 * @returns {Generator<{ name: string, type: string, program: boolean, content: Buffer, target: string }>}
 */
function* archiveEntries(archive) {
  // A name that is too long for its field stands in a record before the entry.
  /** @type {Map<string, string>} */
  let extended = new Map();
  for (let at = 0; at + BLOCK <= archive.length && archive[at] !== 0;) {
    const header = archive.toString("latin1", at, at + BLOCK);
    const field = (/** @type {number} */ from, /** @type {number} */ length) =>
      header.slice(from, from + length).replace(/\0[^]*$/, "");
    const type = field(156, 1);
    const size = parseInt(field(124, 12), 8);
    const content = archive.subarray(at + BLOCK, at + BLOCK + size);
    at += BLOCK * (1 + Math.ceil(size / BLOCK));
    if (type === "x") extended = records(content.toString("latin1"));
    if (type === "x" || type === "g") continue;
    const above = field(345, 155);
    yield {
      name: extended.get("path") ?? (above === "" ? field(0, 100) : `${above}/${field(0, 100)}`),
      type,
      program: (parseInt(field(100, 8), 8) & 0o100) !== 0,
      content,
      target: extended.get("linkpath") ?? field(157, 100),
    };
    extended = new Map();
  }
}

/**
 * "<length> <key>=<value>", one after the other.
 * @param {string} text
 */
function records(text) {
  /** @type {Map<string, string>} */
  const found = new Map();
  for (let at = 0; at < text.length;) {
    const length = parseInt(text.slice(at), 10);
    const [key = "", ...value] = text.slice(text.indexOf(" ", at) + 1, at + length - 1).split("=");
    found.set(key, value.join("="));
    at += length;
  }
  return found;
}
