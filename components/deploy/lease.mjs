// @ts-check
import { DeploymentError } from "./errors.mjs";
import { isUnderstood } from "./protocol.mjs";
import { holderOf, isDead } from "./machine.mjs";

/** @typedef {import("./deploy.mjs").Deployment} Deployment */
/** @typedef {import("./machine.mjs").MachineReport} MachineReport */

const PAUSE_SECONDS = 2;

/**
 * Takes the machine for this deployment alone: no other deployment, no automatic upgrade, nothing half done by one
 * that was killed.
 * @param {Deployment} deployment
 * @param {string | undefined} wanted the system to install, when it is known already
 * @returns {Promise<MachineReport>} the machine as it is then
 */
export async function takeLease(deployment, wanted) {
  const { settings, processes, machine, log } = deployment;
  const deadline = Date.now() + settings.waitSeconds * 1000;
  let deadToken = "-";
  let said = "";
  for (;;) {
    deployment.leased = true;
    const answers = await machine.takeLease(deadToken);
    const lease = answers.get("held");
    // In bounds: a machine that is not ours may always name another one.
    if (lease !== "" && isDead(lease) && Date.now() < deadline) {
      deadToken = lease.split(" ")[0] ?? "-";
      continue;
    }
    const obstacle =
      lease === ""
        ? await obstacleOf(answers, deployment, wanted)
        : `another deployment is under way: ${holderOf(lease)}`;
    if (obstacle === undefined) return answers;

    if (obstacle !== said) log.progress(`lease: ${(said = obstacle)}`);
    if (Date.now() >= deadline) {
      throw new DeploymentError(`The machine is not free: ${obstacle}.`, {
        advice: [
          `Waited ${settings.waitSeconds} s. Nothing was changed on the machine; run this again later.`,
          `Look: ssh root@${settings.host} "cat /run/nixos-deploy/lease; systemctl status nixos-upgrade 'nixos-deploy-*'".`,
        ],
      });
    }
    await processes.sleep(PAUSE_SECONDS);
  }
}

/**
 * What there is to wait for, now that the lease is ours. Undefined: nothing.
 * @param {MachineReport} answers
 * @param {Deployment} deployment
 * @param {string | undefined} wanted
 */
async function obstacleOf(answers, { machine, settings }, wanted) {
  const guard = answers.get("guard");
  if (/^(armed|switching|switched|rolling-back)/.test(guard)) {
    const state = guard.split(" ")[0];
    if (!isUnderstood(answers.get("guard-protocol")))
      return `the machine finishes what a deployment of a newer version began (${state})`;
    // Of a deployment that lost its lease: it is dead, or cut off for good.
    const ours = answers.get("guard-system") === wanted;
    if (ours && guard.startsWith("switched")) await machine.confirm(answers.get("guard-system"), settings);
    else if (!ours || guard === "armed") await machine.abandon({ token: answers.get("guard-token") });
    return `the machine finishes what an interrupted deployment began (${state})`;
  }
  if (/^(active|activating|deactivating|reloading)/.test(answers.get("upgrade")))
    return "the automatic upgrade is running";
  return undefined;
}
