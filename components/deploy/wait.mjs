// @ts-check
import { StrangeAnswer } from "./answers.mjs";
import { DeploymentError } from "./errors.mjs";
import { ConnectionFailed } from "./machine.mjs";
import { samePublicKey } from "./publicKey.mjs";
import { shortened } from "./text.mjs";

/** @typedef {import("./deploy.mjs").Deployment} Deployment */
/** @typedef {import("./machine.mjs").MachineReport} MachineReport */

/**
 * Why a machine is not ready: what it is, in a sentence, how to look, and after how many seconds of it alone there is
 * no more hope.
 * @typedef {{ problem: string, advice: string[], hopeSeconds?: number }} NotReady
 */

const PAUSE_SECONDS = 2;

/**
 * Waits until the machine answers under its pinned host key and has its own key; what it then says of itself.
 * @param {Pick<Deployment, "settings" | "processes" | "machine" | "log">} deployment
 * @returns {Promise<MachineReport>}
 */
export async function waitForMachine({ settings, processes, machine, log }) {
  const started = Date.now();
  let problem = "";
  let since = started;
  for (;;) {
    const found = await look(settings, machine);
    if ("answers" in found) return found.answers;

    if (found.problem !== problem) {
      problem = found.problem;
      since = Date.now();
      log.progress(`wait: ${problem}`);
    }
    const waited = (Date.now() - started) / 1000;
    const hopeless = (Date.now() - since) / 1000 >= (found.hopeSeconds ?? Infinity);
    if (hopeless || waited >= settings.waitSeconds) {
      const advice = [
        ...found.advice,
        `Waited ${Math.round(waited)} of ${settings.waitSeconds} s. Nothing was changed on the machine.`,
      ];
      throw new DeploymentError(`The machine is not ready: ${problem}`, { advice });
    }
    await processes.sleep(Math.min(PAUSE_SECONDS, settings.waitSeconds - waited));
  }
}

/**
 * @param {Deployment["settings"]} settings
 * @param {Deployment["machine"]} machine
 * @returns {Promise<{ answers: MachineReport } | NotReady>}
 */
async function look(settings, machine) {
  try {
    const answers = await machine.probe();
    return notReady(answers, settings) ?? { answers };
  } catch (error) {
    if (error instanceof ConnectionFailed) return unreachable(error, settings);
    if (error instanceof StrangeAnswer) return { problem: error.message, advice: error.advice, hopeSeconds: 3 };
    if (error instanceof DeploymentError && !("program" in error))
      return { problem: error.message, advice: [shortened(error.details, 2000)] };
    throw error;
  }
}

/**
 * @param {MachineReport} answers
 * @param {Deployment["settings"]} settings
 * @returns {NotReady | undefined}
 */
export function notReady(answers, settings) {
  const look = `Look: ssh root@${settings.host} journalctl -u amazon-init (it runs the user data, which writes the file).`;
  const file = "/var/lib/id_ed25519";
  if (answers.has("key-missing")) return { problem: `${file} is not there.`, advice: [look] };
  if (answers.has("key-empty")) return { problem: `${file} is empty.`, advice: [look] };
  if (answers.has("key-unreadable"))
    return { problem: `${file} holds no private key without a passphrase.`, advice: [look] };
  if (!samePublicKey(answers.get("key"), settings.machinePublicKey)) {
    return {
      problem: `${file} holds another key.`,
      advice: [`Its public half: ${answers.get("key")}`, `Expected:        ${settings.machinePublicKey}`, look],
    };
  }
  if (!answers.get("system").startsWith("/nix/store/")) {
    return { problem: "it runs no NixOS: /run/current-system is not there.", advice: ["Is this the right machine?"] };
  }
  return undefined;
}

/**
 * @param {ConnectionFailed} error
 * @param {Deployment["settings"]} settings
 * @returns {NotReady}
 */
export function unreachable(error, { host, port, hostKey }) {
  const cause = `ssh said: ${error.cause}`;
  const serial = "Look: the EC2 console's system log, or its serial console.";
  switch (error.trouble) {
    case "host-key":
      return {
        problem: "it shows another host key than the pinned one, so nothing was sent to it.",
        advice: [
          cause,
          `Pinned: ${hostKey}`,
          `Look: ssh-keyscan -p ${port} ${host}. Another machine may have this address now.`,
        ],
        hopeSeconds: 3,
      };
    case "login":
      return {
        problem: "it refuses the login key of root.",
        advice: [
          cause,
          "EC2 puts a key pair into /root/.ssh/authorized_keys only when a machine starts for the first time.",
          serial,
        ],
      };
    case "address":
      return { problem: `the name ${host} has no address.`, advice: [cause] };
    case "refused":
      return { problem: `nothing listens on port ${port} of ${host}.`, advice: [cause, serial] };
    case "silent":
      return {
        problem: `port ${port} of ${host} does not answer.`,
        advice: [cause, "It may be stopped, or its security group may not let this computer in.", serial],
      };
    default:
      return { problem: `the connection to port ${port} of ${host} ends before the login.`, advice: [cause, serial] };
  }
}
