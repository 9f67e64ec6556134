// @ts-check
import fs from "node:fs";
import { DeploymentError } from "./errors.mjs";
import { secretsProblems } from "./flakeSecrets.mjs";

/**
 * Refuses keys and plain secrets in the flake's folder.
 * @param {import("./flake.mjs").FlakeReference} flake
 * @param {string} [machineRecipient]
 */
export function refuseSecrets({ folder }, machineRecipient) {
  if (folder === undefined || !fs.existsSync(folder)) return;
  const problems = secretsProblems(folder, machineRecipient);
  if (problems.length > 0) {
    throw new DeploymentError(`The flake's folder ${folder} cannot be deployed: ${problems.join("\n")}`);
  }
}
