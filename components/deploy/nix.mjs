// @ts-check
import fs from "node:fs";
import path from "node:path";
import { DeploymentError } from "./errors.mjs";
import { isCovered, nixSettings } from "./evaluationKey.mjs";
import { asksForSubmodules, chosenRevision, contentHash, derivationAttribute, optionsOf } from "./flake.mjs";
import { refuseSecrets } from "./refuseSecrets.mjs";
import { git, trackedFiles } from "./git.mjs";
import { cacheFolder } from "./log.mjs";
import { isOwnFolder, makeOwnFolder, readOwnFile } from "./ownFiles.mjs";
import { withSlot } from "./semaphore.mjs";
import { endedBy, gitTrouble } from "./trouble.mjs";

/** Changes when what is hashed, or what is stored, changes. */
const CACHE_FORMAT = "2";

const FEATURES = ["--extra-experimental-features", "nix-command flakes"];

/** @typedef {import("./flake.mjs").FlakeReference} FlakeReference */

/**
 * The derivation of the system, evaluated by Nix unless the same sources have been before.
 * @param {FlakeReference} flake
 * @param {import("./process.mjs").Processes} processes
 * @param {{ cache: boolean, env: NodeJS.ProcessEnv }} options
 */
export async function evaluate(flake, processes, { cache, env }) {
  // Before Nix copies the folder into its store.
  refuseSecrets(flake);
  const file = cache ? await cacheFile(flake, processes, env) : undefined;
  const known = file === undefined ? undefined : readCached(file);
  if (known !== undefined) return known;
  return withSlot(path.join(ownCacheFolder(env), "turns"), async () => {
    // Another process may have evaluated the same meanwhile.
    const meanwhile = file === undefined ? undefined : readCached(file);
    if (meanwhile !== undefined) return meanwhile;
    const derivation = await evaluateNow(flake, processes);
    if (file !== undefined) writeCached(file, derivation);
    return derivation;
  });
}

/**
 * @param {FlakeReference} flake
 * @param {import("./process.mjs").Processes} processes
 */
export async function evaluateNow(flake, processes) {
  // Nix copies the folder into its store now, and it may have changed since it was looked at.
  refuseSecrets(flake);
  // A lock file that does not fit is an error: a preview writes nothing.
  const args = [...FEATURES, "eval", "--no-update-lock-file", "--raw", derivationAttribute(flake)];
  const result = await processes.run("nix", args);
  const derivation = result.stdout.trim();
  if (result.code === 0 && /^\/nix\/store\/\S+\.drv$/.test(derivation)) return derivation;
  const killed = gitTrouble(result, "nix").kind === "killed";
  const message = readable(
    killed
      ? `error: nix ${endedBy(result)}\n${result.stderr}`.trim()
      : result.stderr || `nix eval printed ${JSON.stringify(derivation)}, which is no derivation`,
    flake,
  );
  const first = killed ? `nix ${endedBy(result)}` : usefulLine(message);
  throw new DeploymentError(first, {
    details: message.trim() === first ? "" : message,
    advice: [`This was the evaluation of ${derivationAttribute(flake)}`, ...unreadableAdvice(message)],
  });
}

/** @param {string} message */
function unreadableAdvice(message) {
  return /cannot be represented as a Nix string/.test(message)
    ? [
        "Nix reads text only. If a file is meant that git-crypt locked: the search for secrets leaves out what a .gitattributes in the flake's folder names, such as `vars.nix filter=git-crypt diff=git-crypt`; what the configuration itself reads must be unlocked.",
      ]
    : [];
}

/**
 * "sha256-…" of what the flake is made of, for computers without Nix.
 * @param {FlakeReference} flake
 * @param {import("./process.mjs").Processes} processes
 */
export async function hashOnly(flake, processes) {
  refuseSecrets(flake);
  const sources = await sourcesHash(flake, processes, { commit: false });
  if (sources !== undefined) return `sha256-${sources}`;
  throw new DeploymentError(`Only Nix can read ${JSON.stringify(flake.flake)}: it is not a folder of this computer.`, {
    advice: ["Set evaluate: true, or use a flake such as path:./nix."],
  });
}

/**
 * Undefined when the flake is not on this computer.
 * @param {FlakeReference} flake
 * @param {import("./process.mjs").Processes} processes
 * @param {{ commit?: boolean }} [options] `commit`: whether the last commit counts beside the files, as it does for Nix
 */
async function sourcesHash(flake, processes, { commit = true } = {}) {
  const { folder } = flake;
  if (folder === undefined) return undefined;
  const files = async (/** @type {string} */ at) => {
    const found = await filesOf(flake, at, processes);
    return commit || found.files.length === 0 ? found : { ...found, tree: "" };
  };
  // Without the commit it is what Pulumi compares: committing the same files, or fetching, must not change it.
  return contentHash({ ...flake, folder }, files, { history: commit });
}

/**
 * @param {FlakeReference} flake of a Git repository
 * @param {string} folder
 * @param {import("./process.mjs").Processes} processes
 */
async function filesOf(flake, folder, processes) {
  const submodules = optionsOf(flake).has("submodules") || asksForSubmodules(folder);
  const tracked = await trackedFiles(folder, processes, { submodules });
  const revision = chosenRevision(flake);
  if (revision === undefined) return tracked;
  // Nix takes that revision, whatever lies in the work tree.
  const tree = await git(folder, ["rev-parse", "--verify", "--quiet", `${revision}^{tree}`], processes);
  return tree.code === 0 ? { root: tracked.root, files: [], tree: tree.stdout.trim() } : tracked;
}

/**
 * What an earlier evaluation of the same sources came to, if there was one.
 * @param {FlakeReference} flake
 * @param {import("./process.mjs").Processes} processes
 * @param {NodeJS.ProcessEnv} env
 */
export async function evaluatedBefore(flake, processes, env) {
  const file = await cacheFile(flake, processes, env);
  return file === undefined ? undefined : readCached(file);
}

/**
 * Where the result for these sources is kept; undefined when the flake is not on this computer, or reads more than
 * its sources.
 * @param {FlakeReference} flake
 * @param {import("./process.mjs").Processes} processes
 * @param {NodeJS.ProcessEnv} env
 */
async function cacheFile(flake, processes, env) {
  const { folder } = flake;
  if (folder === undefined || !isCovered({ ...flake, folder })) return undefined;
  const [nix, sources] = await Promise.all([processes.run("nix", ["--version"]), sourcesHash(flake, processes)]);
  const version = nix.stdout.trim().replaceAll(/[^A-Za-z0-9.]+/g, "-");
  return path.join(
    ownCacheFolder(env),
    "evaluations",
    `${CACHE_FORMAT}-${version}-${flake.kind}-${nixSettings(processes.env)}-${sources}`,
  );
}

/** @param {NodeJS.ProcessEnv} env */
function ownCacheFolder(env) {
  return path.join(cacheFolder(env), "pulumi-nixos");
}

/** @param {string} file */
function readCached(file) {
  // What stands here is installed: nobody else may have written it.
  if (!isOwnFolder(path.dirname(file))) return undefined;
  return /^(\/nix\/store\/[0-9A-Za-z+._?=-]+\.drv)\n$/.exec(readOwnFile(file, 1024) ?? "")?.[1];
}

/**
 * Whoever reads meanwhile finds the whole file or none; of two that write, one wins, and both are right.
 * @param {string} file
 * @param {string} derivation
 */
function writeCached(file, derivation) {
  const temporary = `${file}.${process.pid}`;
  try {
    if (!makeOwnFolder(path.dirname(file))) return;
    fs.rmSync(temporary, { force: true });
    // Whatever the umask is, the next run takes only what nobody else could write.
    fs.writeFileSync(temporary, `${derivation}\n`, { flag: "wx", mode: 0o600 });
    fs.renameSync(temporary, file);
  } catch {
    // A full disk, or a folder that cannot be written, costs the time of another evaluation.
  }
}

/**
 * The system that a derivation builds, known without building it; undefined when this computer does not have the
 * derivation.
 * @param {string} derivation
 * @param {import("./process.mjs").Processes} processes
 */
export async function outputOf(derivation, processes) {
  if (!fs.existsSync(derivation)) return undefined;
  const result = await processes.run("nix-store", ["--query", "--outputs", derivation]);
  return result.code === 0 ? result.stdout.trim().split("\n")[0] : undefined;
}

/**
 * Nix's message with the paths of the flake as the user knows them.
 * @param {string} stderr
 * @param {FlakeReference} flake
 */
export function readable(stderr, { folder }) {
  const text = stderr.replaceAll("\u001b", "").replaceAll(/\[[0-9;]*m/g, "");
  return folder === undefined ? text : text.replaceAll(/\/nix\/store\/[0-9a-z]{32}-source(?=\/)/g, folder);
}

/**
 * The line of Nix's message that says what is wrong: the last "error:" that is followed by words, as the ones before
 * it are the way there; with the first item of a list of failed assertions.
 * @param {string} message
 */
export function usefulLine(message) {
  const lines = message.split("\n").map((line) => line.trim());
  const assertions = lines.findIndex((line) => /failed assertions:$/i.test(line));
  if (assertions !== -1)
    return `${lines[assertions]} ${lines.slice(assertions + 1).find((line) => line !== "") ?? ""}`.trim();
  const error = lines.filter((line) => /^error\b[^:]*:\s*\S/.test(line)).at(-1);
  const anything = lines.find((line) => line !== "" && !/^(warning:|error:$)/.test(line));
  return error ?? anything ?? "Nix failed without a message.";
}
