// @ts-check
// Whether what is evaluated is what the machine will fetch: byte for byte, mode and link, against the commit itself or,
// for a machine that reads with a token, against GitHub's tarball of it. Git's status is asked for words only, because
// filters, attributes, flags of the index and a dozen settings keep it from seeing a difference.
import fs from "node:fs";
import path from "node:path";
import accesses from "./access/index.cjs";
import { DeploymentError, ProgramMissing } from "./errors.mjs";
import { asksForSubmodules, chosenRevision, optionsOf, rootOf } from "./flake.mjs";
import { git, gitList, revisionOf } from "./git.mjs";
import { evaluateNow } from "./nix.mjs";
import { tarballTree } from "./tarball.mjs";
import { escapeInvisible } from "./text.mjs";
import { committedTree, FOLDER, folderTree, namedTree } from "./trees.mjs";

/** @typedef {import("./flake.mjs").FlakeReference & { folder: string }} LocalFlake */
/** @typedef {import("./process.mjs").Processes} Processes */
/** @typedef {import("./trees.mjs").Tree} Tree */
/** @typedef {{ folder: string, root: string, prefix: string, commit: string, treeId: string, algorithm: string }} Place */

const SHOWN_DIFFERENCES = 10;
const DIRTY = "Commit them, or remove them, or set allowDirty to install the folder as it is.";

/**
 * Refuses a flake that is not what the machine will fetch.
 * @param {LocalFlake} flake
 * @param {{ access: string, derivation: string }} options `access`: how the machine reads its repository
 * @param {Processes} processes
 */
export async function refuseUncommitted(flake, { access, derivation }, processes) {
  const place = await placeOf(flake, processes);
  await refuseInnerRepository(place, processes);
  const committed = await committedTree(place.folder, place.treeId, processes);
  const { fetches } = accesses.accessBy(access);
  const fetched = fetches === "tarball" ? await tarballTree(place.folder, place, processes) : committed;
  const evaluated = chosenRevision(flake) === undefined ? await evaluatedTree(flake, place, processes) : committed;
  const names = differingNames(evaluated, fetched);
  if (names.length > 0) throw await refusal(names, { evaluated, committed, fetched, place }, processes);
  if (fetches === "tarball") {
    await refusePointers(place, fetched, processes);
    await refuseSubmodules(flake, place, processes);
  }
  if (await seesMore(flake, place, processes)) await refuseOtherSystem(flake, place, derivation, processes);
}

/**
 * @param {LocalFlake} flake
 * @param {Processes} processes
 * @returns {Promise<Place>}
 */
async function placeOf(flake, processes) {
  const { folder } = flake;
  const revision = chosenRevision(flake) ?? "HEAD";
  const unknown = (/** @type {string} */ details) =>
    new DeploymentError(`It cannot be told whether ${folder} is committed: Git is missing, or there is no commit.`, {
      details,
      advice: [DIRTY],
    });
  const ask = (/** @type {string[]} */ ...args) => git(folder, ["rev-parse", ...args], processes);
  const [top, prefix, commit, treeId] = await Promise.all([
    ask("--show-toplevel"),
    ask("--show-prefix"),
    revisionOf(folder, revision, processes),
    ask("--verify", "--quiet", `${revision}:./`),
  ]).catch((error) => {
    throw error instanceof ProgramMissing ? unknown("") : error;
  });
  if (top.code !== 0 || commit === undefined) throw unknown(top.stderr.trim());
  return {
    folder,
    root: top.stdout.replace(/\n$/, ""),
    prefix: prefix.stdout.replace(/\n$/, ""),
    commit,
    treeId: treeId.code === 0 ? treeId.stdout.trim() : await emptyTree(folder, processes),
    algorithm: commit.length === 64 ? "sha256" : "sha1",
  };
}

/**
 * The id of a folder without content, which stands for one that is in no commit.
 * @param {string} folder
 * @param {Processes} processes
 */
async function emptyTree(folder, processes) {
  return (await git(folder, ["hash-object", "-t", "tree", "/dev/null"], processes)).stdout.trim();
}

/**
 * What Nix takes: of a path: everything, of a Git repository the tracked files. A file that Git does not know yet counts
 * there too: it was forgotten.
 * @param {LocalFlake} flake
 * @param {Place} place
 * @param {Processes} processes
 */
async function evaluatedTree({ kind }, { folder, algorithm }, processes) {
  if (kind === "path") return folderTree(folder, algorithm);
  const names = await gitList(folder, ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], processes);
  const tree = namedTree(folder, names, algorithm);
  // Nix leaves a submodule empty, unless it is asked for it; then the systems are compared.
  for (const name of names) if (tree.get(name)?.mode === "repository") tree.set(name, FOLDER);
  return tree;
}

/**
 * @param {Tree} one
 * @param {Tree} other
 */
function differingNames(one, other) {
  const names = [...new Set([...one.keys(), ...other.keys()])].sort();
  return names.filter((name) => !same(one, other, name));
}

/**
 * @param {Tree} one
 * @param {Tree} other
 * @param {string} name
 */
function same(one, other, name) {
  const [a, b] = [one.get(name), other.get(name)];
  return a?.mode === b?.mode && a?.id === b?.id;
}

/**
 * @param {string[]} names
 * @param {{ evaluated: Tree, committed: Tree, fetched: Tree, place: Place }} trees
 * @param {Processes} processes
 */
async function refusal(names, { evaluated, committed, fetched, place }, processes) {
  const shown = names.slice(0, SHOWN_DIFFERENCES);
  const words = await wordsOfGit(place, shown, processes);
  /** @type {Set<string>} */
  const advice = new Set([DIRTY]);
  const lines = shown.map((name) => {
    const { text, remedy } = same(evaluated, committed, name)
      ? tarballDifference(fetched.get(name), words.attributes.get(name))
      : difference(name, evaluated.get(name), committed.get(name), words);
    if (remedy !== undefined) advice.add(remedy);
    return escapeInvisible(text.replace("FILE", Buffer.from(`${place.prefix}${name}`, "latin1").toString("utf8")));
  });
  const rest = names.length > shown.length ? [`and ${names.length - shown.length} more`] : [];
  return new DeploymentError(
    `The flake's folder ${place.folder} differs from the last commit, which is what the machine will follow.`,
    { details: [...lines, ...rest].join("\n"), advice: [...advice] },
  );
}

/** @typedef {{ status: Map<string, string>, flags: Map<string, string>, attributes: Map<string, string[]> }} Words */

/**
 * What Git says of files: their status, what hides them from it, and the attributes that change them.
 * @param {Place} place
 * @param {string[]} names
 * @param {Processes} processes
 * @returns {Promise<Words>}
 */
async function wordsOfGit({ folder, prefix }, names, processes) {
  const status = ["status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all", "--ignored=matching"];
  const input = names.map((name) => `${name}\0`).join("");
  const [states, flags, attributes] = await Promise.all([
    gitList(folder, [...status, "--", "."], processes).catch(() => []),
    gitList(folder, ["ls-files", "-v", "-z", "--cached"], processes).catch(() => []),
    gitList(folder, ["check-attr", "-z", "--stdin", ...ATTRIBUTES], processes, input).catch(() => []),
  ]);
  /** @type {Map<string, string[]>} */
  const set = new Map();
  for (let at = 0; at + 2 < attributes.length; at += 3) {
    const [name = "", attribute = "", value = ""] = attributes.slice(at, at + 3);
    if (value === "unspecified" || value === "unset") continue;
    set.set(name, [...(set.get(name) ?? []), value === "set" ? attribute : `${attribute}=${value}`]);
  }
  return {
    status: new Map(states.map((line) => [line.slice(3 + prefix.length).replace(/\/$/, ""), line.slice(0, 2)])),
    flags: new Map(flags.map((line) => [line.slice(2), line.slice(0, 1)])),
    attributes: set,
  };
}

const ATTRIBUTES = ["filter", "working-tree-encoding", "ident", "eol", "text", "export-ignore", "export-subst"];

/**
 * @param {string} name
 * @param {import("./trees.mjs").Entry | undefined} here
 * @param {import("./trees.mjs").Entry | undefined} there
 * @param {Words} words
 * @returns {{ text: string, remedy?: string }}
 */
function difference(name, here, there, { status, flags, attributes }) {
  const state = statusOf(status, name);
  if (here?.mode === "repository") {
    return {
      text: "a repository of its own (submodule, nested clone): FILE",
      remedy:
        "The machine's fetch has no submodules: it finds an empty folder there. Copy the files, or make the other repository an input of the flake.",
    };
  }
  if (here?.mode === "folder") {
    return { text: "an empty folder, which Git does not keep: FILE", remedy: "Remove it, or put a file into it." };
  }
  if (here?.mode === "special") return { text: "no file, folder or link: FILE" };
  if (there === undefined) {
    return { text: `${state === "!!" ? "ignored by Git" : state === "??" ? "untracked" : "changed"}: FILE` };
  }
  if (state !== undefined && state !== "??" && state !== "!!") return { text: `changed: FILE` };
  return hidden(here, there, flags.get(name), attributes.get(name) ?? []);
}

/**
 * The state of a file, or of a folder above it that Git names whole.
 * @param {Map<string, string>} status
 * @param {string} name
 * @returns {string | undefined}
 */
function statusOf(status, name) {
  return status.get(name) ?? (name.includes("/") ? statusOf(status, path.dirname(name)) : undefined);
}

/**
 * Why Git's status calls a file unchanged that is not what was committed.
 * @param {import("./trees.mjs").Entry | undefined} here
 * @param {import("./trees.mjs").Entry} there
 * @param {string | undefined} flag
 * @param {string[]} attributes
 */
function hidden(here, there, flag = "H", attributes) {
  if (flag === "S" || flag === "s" || /[a-z]/.test(flag)) {
    const option = /s/i.test(flag) ? "skip-worktree" : "assume-unchanged";
    return {
      text: `${here === undefined ? "missing" : "changed"}, and hidden from git status by ${option}: FILE`,
      remedy: `git update-index --no-${option} <file> shows it to git again (after git sparse-checkout disable, where that left it out).`,
    };
  }
  if (here === undefined) return { text: "missing, though git status does not show it: FILE" };
  if (here.mode !== there.mode) {
    const [is, was] = [kindOf(here.mode), kindOf(there.mode)];
    return {
      text: `${is} here, ${was} in the commit: FILE`,
      remedy: "git config core.fileMode and core.symlinks hide that from git status. Make it here what it is there.",
    };
  }
  const changing = attributes.filter((attribute) => !attribute.startsWith("export-"));
  if (changing.length > 0) {
    return {
      text: `other bytes than in the commit, by the attribute ${changing.join(", ")}: FILE`,
      remedy:
        "The machine's Nix runs no filter and converts nothing: it takes the bytes of the commit (of LFS and git-crypt the pointer or the ciphertext). Take the attribute from what the flake reads, and commit the content itself.",
    };
  }
  return {
    text: "other bytes than in the commit, though git status does not show it: FILE",
    remedy:
      "Line ends can be why: git config core.autocrlf false, then delete these files and git restore them. So can core.fsmonitor, core.trustctime and core.checkStat: git update-index --really-refresh.",
  };
}

/** @param {string} mode */
function kindOf(mode) {
  return mode === "120000" ? "a link" : mode === "100755" ? "a program" : mode === "folder" ? "a submodule" : "a file";
}

/**
 * @param {import("./trees.mjs").Entry | undefined} there
 * @param {string[]} [attributes]
 */
function tarballDifference(there, attributes = []) {
  const why = attributes.length > 0 ? ` (${attributes.join(", ")})` : "";
  return {
    text: `${there === undefined ? "not" : "with other bytes"} in GitHub's tarball, by its attributes${why}: FILE`,
    remedy:
      "A machine that reads with a token takes GitHub's tarball, which follows .gitattributes. Take export-ignore, export-subst and the like from what the flake reads, or let the machine read with a deploy key.",
  };
}

const POINTER = Buffer.from("version https://git-lfs.github.com/spec/");

/**
 * Of LFS, GitHub's tarball holds the pointers or the contents, by a setting of the repository that is not seen here.
 * @param {Place} place
 * @param {Tree} tree
 * @param {Processes} processes
 */
async function refusePointers({ folder, root, prefix, treeId }, tree, processes) {
  const args = ["grep", "--no-color", "-l", "-z", "-I", "-e", `^${POINTER.toString()}`, treeId];
  const found = await gitList(root, args, processes).catch(() => []);
  const names = found.map((line) => line.slice(treeId.length + 1)).filter((name) => tree.has(name));
  if (names.length === 0) return;
  const text = (/** @type {string} */ name) => Buffer.from(`${prefix}${name}`, "latin1").toString("utf8");
  throw new DeploymentError(
    `The flake's folder ${folder} holds pointers of Git LFS, and it cannot be told what the machine gets for them.`,
    {
      details: names.slice(0, SHOWN_DIFFERENCES).map(text).map(escapeInvisible).join("\n"),
      advice: [
        "A machine that reads with a token takes GitHub's tarball: with the repository's setting \"Include Git LFS objects in archives\" it holds their contents.",
        "Keep such files out of the flake's folder, let the machine read with a deploy key, or set allowDirty.",
      ],
    },
  );
}

/**
 * GitHub's tarball holds no submodule, and Nix does not say so when a flake asks for them.
 * @param {LocalFlake} flake
 * @param {Place} place
 * @param {Processes} processes
 */
async function refuseSubmodules(flake, { folder, root, commit }, processes) {
  if (flake.kind === "path" || !(optionsOf(flake).has("submodules") || asksForSubmodules(folder))) return;
  const tree = await committedTree(root, `${commit}^{tree}`, processes);
  const names = [...tree].filter(([, { mode }]) => mode === FOLDER.mode).map(([name]) => name);
  if (names.length === 0) return;
  throw new DeploymentError(`The flake in ${folder} asks for submodules, which the machine does not get.`, {
    details: names
      .slice(0, SHOWN_DIFFERENCES)
      .map((name) => escapeInvisible(Buffer.from(name, "latin1").toString("utf8")))
      .join("\n"),
    advice: [
      "A machine that reads with a token takes GitHub's tarball, which has empty folders in their place.",
      "Copy the files, make the other repository an input of the flake, or set allowDirty.",
    ],
  });
}

/**
 * A folder that is a repository inside of another: of the outer one, which the machine may follow, it is no part.
 * @param {Place} place
 * @param {Processes} processes
 */
async function refuseInnerRepository({ folder, root, prefix }, processes) {
  if (prefix !== "") return;
  const above = path.dirname(fs.realpathSync(folder));
  const outer = await git(above, ["rev-parse", "--show-toplevel"], processes);
  if (outer.code !== 0 || outer.stdout.trim() === root) return;
  const ignored = await git(above, ["check-ignore", "--quiet", "--", fs.realpathSync(folder)], processes);
  if (ignored.code === 0) return;
  throw new DeploymentError(
    `The flake's folder ${folder} is a Git repository of its own (submodule, nested clone) inside of ${outer.stdout.trim()}: the machine's fetch of that one has nothing of it.`,
    { advice: ["Move its files into the outer repository (remove its .git), or set allowDirty."] },
  );
}

/**
 * Whether an evaluation may see something beside the folder that was compared.
 * @param {LocalFlake} flake
 * @param {Place} place
 * @param {Processes} processes
 */
async function seesMore(flake, { folder, root, prefix, commit, algorithm }, processes) {
  if (flake.kind === "path") return rootOf(flake) !== folder || fs.existsSync(path.join(folder, ".git"));
  const special = [...optionsOf(flake).keys()].some((key) => !["dir", "ref", "rev", "shallow"].includes(key));
  if (special || asksForSubmodules(folder)) return true;
  if (prefix === "" || chosenRevision(flake) !== undefined) return false;
  const files = await gitList(root, ["ls-files", "-z", "--cached"], processes);
  const committed = await committedTree(root, `${commit}^{tree}`, processes);
  return differingNames(namedTree(root, files, algorithm), committed).length > 0;
}

/**
 * Compares the systems, where the folder alone does not say what Nix sees.
 * @param {LocalFlake} flake
 * @param {Place} place
 * @param {string} derivation of the preview; a hash where it was made without Nix
 * @param {Processes} processes
 */
async function refuseOtherSystem(flake, { folder, root, prefix, commit }, derivation, processes) {
  const inner = prefix.replace(/\/$/, "");
  const dir = inner === "" ? "" : `&dir=${encodeURIComponent(inner)}`;
  const machines = { ...flake, flake: `git+file://${encodeURI(root)}?rev=${commit}&shallow=1${dir}` };
  const advice = [
    `The reference ${flake.flake} lets Nix read more than ${folder}, so the systems themselves were compared.`,
    "Commit what is outside of it, and have no need of submodules or LFS objects; or set allowDirty.",
  ];
  const [here, there] = [
    derivation.endsWith(".drv") ? derivation : await evaluateNow(flake, processes),
    await evaluateNow(machines, processes).catch((/** @type {Error} */ error) => error),
  ];
  if (here === there) return;
  throw new DeploymentError(`The flake's folder ${folder} makes another system here than on the machine.`, {
    details: `here:       ${here}\nas fetched: ${there instanceof Error ? there.message : there}`,
    advice,
  });
}
