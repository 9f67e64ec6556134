// @ts-check
import fs from "node:fs";
import path from "node:path";
import accesses from "./access/index.cjs";
import { refuseUncommitted } from "./committed.mjs";
import { DeploymentError } from "./errors.mjs";
import { chosenRevision } from "./flake.mjs";
import { hasToken, readableNames } from "./flakeSecrets.mjs";
import { branchTip, revisionOf, sameFolder } from "./git.mjs";
import { closedInputs, INPUTS_ADVICE, privateInputs } from "./inputs.mjs";
import { refuseSecrets } from "./refuseSecrets.mjs";

/** @typedef {import("./deploy.mjs").Deployment} Deployment */

/**
 * Values of the flake's SOPS files that are left in plain text because their names end in `_unencrypted`.
 * @param {import("./flake.mjs").FlakeReference} flake
 */
export function openNames({ folder }) {
  return folder === undefined || !fs.existsSync(folder) ? [] : readableNames(folder);
}

/**
 * Refuses what must not reach the machine, and what it would not keep: secrets in plain text, the repository of
 * somebody else, files that are in no commit.
 * @param {Pick<Deployment, "settings" | "processes">} deployment
 */
export async function checkSources({ settings, processes }) {
  const { folder } = settings.flake;
  if (folder === undefined) return "the flake is not a folder of this computer";
  refuseSecrets(settings.flake, settings.ageRecipient || undefined);
  checkRepository(folder, settings.repository);
  const inputs = privateInputs(folder, machineOf(folder))
    .map((text) => `; warning: ${text}. ${INPUTS_ADVICE}`)
    .join("");
  if (settings.allowDirty) return `the folder is taken as it is${inputs}`;
  await refuseUncommitted({ ...settings.flake, folder }, { ...settings, access: accessOf(settings) }, processes);
  return `${folder} is what is committed${inputs}`;
}

/**
 * Warnings about inputs that only this computer may read, of those whose servers have to be asked.
 * @param {Pick<Deployment, "settings" | "processes">} deployment
 */
export async function closedInputWarnings({ settings, processes }) {
  const { folder } = settings.flake;
  if (folder === undefined) return [];
  const found = await closedInputs(folder, machineOf(folder), processes);
  return found.map((text) => `warning: ${text}. ${INPUTS_ADVICE}`);
}

/** @param {string} folder */
function machineOf(folder) {
  const { owner, name, access } = readRepository(folder);
  return { repository: `${owner}/${name}`, access };
}

/**
 * @param {string} folder
 * @param {string} wanted "owner/name", or nothing when it does not matter
 */
function checkRepository(folder, wanted) {
  if (wanted === "") return;
  const file = path.join(folder, "repository.json");
  const { owner, name } = readRepository(folder);
  const named = `${owner}/${name}`;
  if (owner !== "" && named.toLowerCase() === wanted.toLowerCase()) return;
  throw new DeploymentError(
    owner === ""
      ? `${file} names no owner, so the machine would follow no repository; the stack's is "${wanted}".`
      : `${file} names the repository "${named}", but the stack's is "${wanted}".`,
    {
      advice: [
        "The machine trusts the repository it follows as its root. Correct the file, or the stack's configuration, and commit.",
      ],
    },
  );
}

/**
 * Refuses a system that is to read its repository with a token and has none: the machine, which has been upgrading
 * itself, would stay where it is, and the update would take its deploy key away. A first system may come without one,
 * because secrets can be encrypted for a machine only when its key is there.
 * @param {Pick<Deployment, "settings">} deployment
 * @param {import("./machine.mjs").MachineReport} seen
 */
export function refuseWithoutToken({ settings }, seen) {
  const { folder } = settings.flake;
  if (seen.get("deployed") === "" || folder === undefined) return;
  const { secret } = accesses.accessBy(accessOf(settings));
  if (secret === undefined || hasToken(folder)) return;
  throw new DeploymentError(
    `${path.join(folder, "repository.json")} has the machine read its repository with ${secret.what}, but ${path.join(folder, "secrets.yaml")} holds none: the machine could not upgrade itself any more.`,
    {
      advice: [
        `Store one: ${secret.store.join(", ")}, commit, and deploy again.`,
        `Or set "access" back to "${accesses.DEFAULT_ACCESS}". Nothing was changed on the machine.`,
      ],
    },
  );
}

/**
 * How the machine is to read its repository (see access/), or nothing where the flake does not say.
 * @param {import("./settings.mjs").Settings} settings
 */
export function accessOf({ flake }) {
  return flake.folder === undefined ? "" : readRepository(flake.folder).access;
}

/**
 * The repository that the machine follows; empty texts when the file does not say.
 * @param {string} folder
 */
function readRepository(folder) {
  try {
    const {
      owner = "",
      name = "",
      branch = "",
      access = "",
    } = JSON.parse(fs.readFileSync(path.join(folder, "repository.json"), "utf8"));
    return { owner: String(owner), name: String(name), branch: String(branch), access: String(access) };
  } catch {
    return { owner: "", name: "", branch: "", access: "" };
  }
}

/**
 * The revision of the branch that the machine follows ("-" when it cannot be had), with a warning when the next
 * automatic upgrade would install something else than this deployment.
 * @param {Pick<Deployment, "settings" | "processes">} deployment
 */
export async function followedRevision({ settings, processes }) {
  const { folder } = settings.flake;
  const { owner, name, branch } = folder === undefined ? { owner: "", name: "", branch: "" } : readRepository(folder);
  if (folder === undefined || owner === "" || branch === "") return { revision: "-" };
  const head = await revisionOf(folder, chosenRevision(settings.flake) ?? "HEAD", processes).catch(() => undefined);
  // Outside of a repository there is nothing to compare with.
  if (head === undefined) return { revision: "-" };
  let tip;
  try {
    tip = await branchTip(folder, { repository: `${owner}/${name}`, branch }, processes);
  } catch (error) {
    if (!(error instanceof DeploymentError)) throw error;
    const why = error.message.split("\n")[0];
    return {
      revision: "-",
      warning: `warning: whether ${branch} of ${owner}/${name} holds what is deployed could not be asked: ${why}`,
    };
  }
  if (tip === undefined) return { revision: "-" };
  if (head === tip || (await sameFolder(folder, head, tip, processes))) return { revision: tip };
  const warning = `warning: HEAD is ${head.slice(0, 12)}, but ${branch} of ${owner}/${name} is at ${tip.slice(0, 12)}: the next automatic upgrade installs that one. Push to ${branch} to keep what is deployed now.`;
  return { revision: tip, warning };
}
