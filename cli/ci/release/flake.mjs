// @ts-check
/** The systems of a flake: their names, built, and brought to the cache. */
import fs from "node:fs";
import path from "node:path";
import { DeploymentError } from "../../../components/deploy/errors.mjs";
import { git } from "../../../components/deploy/git.mjs";

/** @typedef {import("../../../components/deploy/process.mjs").Processes} Processes */

const NIX = ["--extra-experimental-features", "nix-command flakes"];
const QUESTION_SECONDS = 900;
/** Less than the job has. */
const BUILD_SECONDS = 55 * 60;

const FILL_CACHE = path.join(import.meta.dirname, "../../../.github/scripts/fill-cache.sh");

/**
 * Nix with nothing of the job's: neither evaluation nor builders are to meet its credentials.
 * @param {Processes} processes
 * @param {string[]} args
 * @param {number} timeoutSeconds
 */
function nix(processes, args, timeoutSeconds) {
  const env = Object.fromEntries(
    Object.entries(processes.env).filter(([name]) => !/^(AWS|ACTIONS|GITHUB)_/.test(name)),
  );
  return processes.run("nix", [...NIX, ...args], { env, timeoutSeconds });
}

/**
 * The names of the flake's nixosConfigurations.
 * @param {string} flake
 * @param {Processes} processes
 * @returns {Promise<string[]>}
 */
export async function attributesOf(flake, processes) {
  const args = ["eval", "--json", `${flake}#nixosConfigurations`, "--apply", "builtins.attrNames"];
  const result = await nix(processes, args, QUESTION_SECONDS);
  if (result.code !== 0)
    throw new DeploymentError("The flake's systems could not be listed.", { details: result.stderr });
  const names = /** @type {string[]} */ (JSON.parse(result.stdout));
  const odd = names.filter((name) => !/^[\w.+@ -]+$/.test(name) || /^\.*$/.test(name));
  if (odd.length > 0) {
    throw new DeploymentError(
      `nixosConfigurations has the names ${JSON.stringify(odd)}; allowed: letters, digits and . _ + @ -`,
    );
  }
  if (names.length === 0)
    throw new DeploymentError("The flake has no nixosConfigurations: there is nothing to release.");
  return names;
}

/**
 * Builds the system of an attribute; its store path, or why there is none.
 * @param {string} flake
 * @param {string} attribute
 * @param {Processes} processes
 * @returns {Promise<{ system: string } | { failed: string }>}
 */
export async function build(flake, attribute, processes) {
  const installable = `${flake}#nixosConfigurations."${attribute}".config.system.build.toplevel`;
  const result = await nix(
    processes,
    ["build", "--no-link", "--print-out-paths", "--print-build-logs", installable],
    BUILD_SECONDS,
  );
  return result.code === 0 ? { system: result.stdout.trim() } : { failed: result.stderr.trimEnd() };
}

/**
 * Signs the systems with all that they refer to, and copies them to the cache. Each key signs what is there already, too.
 * @param {string[]} systems
 * @param {string} substituter
 * @param {string[]} secretKeys Nix's form
 * @param {Processes} processes
 */
export async function upload(systems, substituter, secretKeys, processes) {
  const env = { ...processes.env, CACHE_SUBSTITUTER: substituter };
  const input = secretKeys.map((key) => `${key}\n`).join("");
  // It starts Nix, which needs the job's credentials to write to the bucket.
  const result = await processes.run("bash", [FILL_CACHE, ...systems], {
    env,
    starts: "nix",
    input,
    timeoutSeconds: BUILD_SECONDS,
  });
  if (result.code !== 0) throw new DeploymentError("The cache could not be filled.", { details: result.stderr });
}

/**
 * The flake's folder in a revision other than the checked-out one; `done` removes it.
 * @param {string} root
 * @param {string} flake folder of the flake in the repository
 * @param {string} revision
 * @param {string} folder an empty place
 * @param {Processes} processes
 */
export async function checkedOut(root, flake, revision, folder, processes) {
  const added = await git(root, ["worktree", "add", "--quiet", "--detach", folder, revision], processes);
  if (added.code !== 0) throw new DeploymentError(`${revision} could not be checked out.`, { details: added.stderr });
  return {
    flake: path.join(folder, flake),
    done: async () => {
      fs.rmSync(folder, { recursive: true, force: true });
      await git(root, ["worktree", "prune"], processes);
    },
  };
}
