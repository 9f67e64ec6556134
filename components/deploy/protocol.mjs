// @ts-check
// The version of what deployments and machines tell each other: remote/shared/protocol.sh.
import fs from "node:fs";
import { DeploymentError } from "./errors.mjs";

const text = fs.readFileSync(new URL("remote/shared/protocol.sh", import.meta.url), "utf8");
export const PROTOCOL_VERSION = Number(/^PROTOCOL_VERSION=(\d+)$/m.exec(text)?.[1]);

/** Whether this program knows what a version means; one that is not stated is 1. @param {string} version */
export function isUnderstood(version) {
  return Number(version || 1) <= PROTOCOL_VERSION;
}

/**
 * A machine that means more than this program knows could take its lease for none, or its guard.
 * @param {import("./machine.mjs").MachineReport} seen
 */
export function refuseNewerMachine(seen) {
  const version = seen.get("protocol");
  if (isUnderstood(version)) return;
  throw new DeploymentError(
    `The machine's system is newer than this program: it speaks to deployments in version ${version}, and this program knows ${PROTOCOL_VERSION}.`,
    { advice: ["Nothing was touched. Update this checkout to the version that the machine has, or a newer one."] },
  );
}
