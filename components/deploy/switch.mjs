// @ts-check
import accesses from "./access/index.cjs";
import { StrangeAnswer } from "./answers.mjs";
import { DeploymentError } from "./errors.mjs";
import { asWord, commandOnMachine, ConnectionFailed, leaseLost, quoted } from "./machine.mjs";
import { switchArguments } from "./rebuild.mjs";
import { accessOf } from "./sources.mjs";
import { lastWords, sshTrouble } from "./ssh.mjs";
import { endedBy } from "./trouble.mjs";

/** @typedef {import("./deploy.mjs").Deployment} Deployment */
/** @typedef {import("./machine.mjs").MachineReport} MachineReport */
/** @typedef {import("./process.mjs").Result} Result */

const ATTEMPTS = 3;
const PAUSE_SECONDS = 1;
/** How long a machine may take to go back, until it answers again. */
const ROLLBACK_SECONDS = 150;

/**
 * Prepares the way back; the system that the machine would go back to.
 * @param {Deployment} deployment
 * @param {string} system
 * @param {string} revision
 */
export async function armGuard({ machine, settings, log }, system, revision) {
  const answers = await machine.arm(system, revision, settings);
  if (answers.has("unkept"))
    log.progress(
      "warning: the machine's /etc is read-only, so it does not go back if it restarts before the confirmation",
    );
  if (answers.has("armed")) return answers.get("armed");
  if (answers.has("lost")) throw leaseLost(answers);
  if (answers.has("busy"))
    throw new DeploymentError(`Another switch is under way on the machine (${answers.get("busy")}).`);
  throw new DeploymentError("The machine could not go back, so nothing was switched.", {
    details: `${answers.get("no-way-back") || "/run/current-system"} has no bin/switch-to-configuration.`,
  });
}

/**
 * A machine with pulumiNixos.upgrade.release.required takes what continuous integration has released, from a deployment
 * too.
 * @param {Pick<Deployment, "machine">} deployment
 * @param {string} system
 */
export async function refuseUnreleased({ machine }, system) {
  const answers = await machine.released(system);
  if (answers.has("takes")) return;
  throw new DeploymentError(`The machine takes only what CI has released, and no release names ${system}.`, {
    details: answers.get("unreleased"),
    advice: [
      "Merge the change: the machine installs it when CI has released it.",
      "To install it by hand all the same, merge and release pulumiNixos.upgrade.release.required = false first. Nothing was changed on the machine.",
    ],
  });
}

/**
 * Runs nixos-rebuild. How it ends says little, as its connection may break while the machine goes on: what happened
 * is then asked of the machine.
 * @param {Deployment} deployment
 * @param {string} nixosRebuild
 */
export async function switchSystem({ settings, processes, nixEnvironment }, nixosRebuild) {
  return processes.run(nixosRebuild, switchArguments(settings), {
    env: nixEnvironment,
    // The guard's own limit; the machine has then gone back, or decides by itself.
    timeoutSeconds: settings.switchSeconds + settings.confirmSeconds,
    talk: true,
  });
}

/**
 * How a switch came out.
 * @typedef {object} Confirmed
 * @property {string[]} failedUnits that this system is to blame for
 * @property {string[]} knownFailedUnits that failed before, too
 * @property {string[]} failedChecks of the machine's own
 * @property {string[]} knownFailedChecks that failed before, too
 * @property {string[]} complaints of an activation that nevertheless left no unit failing
 * @property {boolean} rebootNeeded
 */

/**
 * Confirms the switch over new connections, each made from the start, until the machine has decided.
 * @param {Deployment} deployment
 * @param {{ system: string, previous: string, rebuild: Result, again: () => Promise<Result> }} switched
 * @returns {Promise<Confirmed>}
 */
export async function confirmSwitch(deployment, { system, previous, rebuild, again }) {
  const { settings, machine, processes, log } = deployment;
  const limit = () =>
    Date.now() +
    1000 * ((rebuild.code === 0 ? 0 : settings.switchSeconds) + settings.confirmSeconds + ROLLBACK_SECONDS);
  let deadline = limit();
  let attempt = 1;
  let said = "";
  for (;;) {
    const answers = await machine.confirm(system, settings).catch((error) => {
      if (error instanceof DeploymentError && !(error instanceof StrangeAnswer)) return error;
      throw error;
    });
    let waitingFor;
    if (answers instanceof DeploymentError) {
      if (Date.now() >= deadline) throw lostSight(answers, previous, settings);
      waitingFor = answers instanceof ConnectionFailed ? `no new connection (${answers.cause})` : answers.message;
    } else {
      const [state = "", detail = ""] = answers.get("guard").split(" ");
      if (state === "confirmed") return confirmed(answers, Number(detail), rebuild);
      if (state === "armed") {
        await refuseUnguarded(deployment, answers, previous);
        // It never began: nothing was activated.
        if (attempt++ >= ATTEMPTS || sshTrouble(rebuild.stderr) === undefined) throw neverBegan(rebuild);
        log.progress(`switch: ${lastWords(rebuild.stderr)}; trying again`);
        rebuild = await again();
        deadline = limit();
        continue;
      }
      if (state === "switched") await refuseOther(deployment, answers, system);
      else if (state !== "switching" && state !== "rolling-back")
        throw rolledBack(answers, { previous, system, rebuild, settings });
      if (Date.now() >= deadline)
        throw lostSight(new DeploymentError(`It is ${state} since long.`), previous, settings);
      waitingFor = answers.has("watching")
        ? "reached over a new connection; watching its units and checks"
        : state === "rolling-back"
          ? "the machine is going back"
          : "the machine is still switching";
    }
    if (waitingFor !== said) log.progress(`confirm: ${(said = waitingFor)}`);
    await processes.sleep(PAUSE_SECONDS);
  }
}

/**
 * @param {MachineReport} answers
 * @param {number} exitCode of switch-to-configuration: 0, or 4 when something failed in the activation
 * @param {Result} rebuild
 * @returns {Confirmed}
 */
function confirmed(answers, exitCode, rebuild) {
  return {
    failedUnits: answers.all("failed-unit"),
    knownFailedUnits: answers.all("known-failed-unit"),
    failedChecks: answers.all("failed-check"),
    knownFailedChecks: answers.all("known-failed-check"),
    complaints: exitCode === 0 ? [] : complaints(rebuild),
    rebootNeeded: answers.has("reboot-needed"),
  };
}

/** What switch-to-configuration says when it ends with exit code 4. @param {Result} rebuild */
function complaints({ stdout, stderr }) {
  const lines = `${stdout}\n${stderr}`.split("\n").map((line) => line.trim());
  const found = lines.filter((line) => /^(?:warning: .* failed\b|Failed to )/.test(line));
  return found.length > 0 ? [...new Set(found)] : ["switch-to-configuration ended with exit code 4"];
}

/**
 * The switch was good, but what runs is not what was built.
 * @param {Deployment} deployment
 * @param {MachineReport} answers
 * @param {string} system
 */
async function refuseOther({ machine }, answers, system) {
  const running = answers.get("system");
  if (running === system) return; // The next attempt confirms it.
  await machine.abandon();
  throw new DeploymentError("What runs after the switch is not what was built; the machine is going back.", {
    details: `built: ${system}\nruns:  ${running}`,
    advice: ["Somebody may have switched it at the same time, or the flake may have changed during the deployment."],
  });
}

/**
 * The new system reads its repository with a token, and GitHub refuses it: the machine could not upgrade itself any
 * more, and the update would take its deploy key away. Other answers are the repository's own trouble.
 * @param {Pick<Deployment, "settings" | "machine">} deployment
 */
export async function refuseRefusedToken({ settings, machine }) {
  const { secret } = accesses.accessBy(accessOf(settings));
  if (secret === undefined) return;
  const seconds = Math.ceil(settings.confirmSeconds / 2);
  const answers = await machine.repository(seconds).catch((error) => {
    // Whether the machine can still be reached is confirmed afterwards.
    if (error instanceof DeploymentError) return undefined;
    throw error;
  });
  const refusal = refusalOf(answers?.get("repository") ?? "", secret.troubles);
  if (refusal === undefined) return;
  await machine.abandon();
  throw new DeploymentError(`The new system cannot read its repository, so the machine is going back: ${refusal}`, {
    advice: [`Store another token: ${secret.store.at(-1)}, commit, and deploy again. See ${secret.trouble}.`],
  });
}

/**
 * @param {string} answer of the machine's nixos-upgrade-remote
 * @param {string[]} troubles that another secret would end
 */
function refusalOf(answer, troubles) {
  try {
    const { state, kind, message } = JSON.parse(answer);
    return state === "failing" && troubles.includes(kind) ? String(message) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The guard was never told of a switch, and yet the machine runs something else.
 * @param {Deployment} deployment
 * @param {MachineReport} answers
 * @param {string} previous
 */
async function refuseUnguarded({ machine }, answers, previous) {
  const running = answers.get("system");
  if (running === previous) return;
  await machine.abandon();
  throw new DeploymentError("The machine was switched past its guard; it is going back.", {
    details: `guarded: ${previous}\nruns:    ${running}`,
    advice: [
      "This nixos-rebuild switches in a unit that the guard does not know. Use that of NixOS 26.05: take the one on PATH away, and the flake's own is used.",
    ],
  });
}

/** @param {Result} rebuild */
function neverBegan(rebuild) {
  const ended = rebuild.timedOut ? "took too long" : endedBy(rebuild);
  return new DeploymentError(`nixos-rebuild ${ended} before the switch began; the machine runs what it ran before.`, {
    details: tail(rebuild),
  });
}

/**
 * @param {MachineReport} answers
 * @param {{ previous: string, system: string, rebuild: Result, settings: Deployment["settings"] }} known
 */
export function rolledBack(answers, { previous, system, rebuild, settings }) {
  const [state = "", reason = ""] = answers.get("guard").split(" ");
  const look = `Look: ssh root@${settings.host} journalctl -u nixos-rebuild-switch-to-configuration -u 'nixos-deploy-*'`;
  const now = `It runs ${answers.get("system")}`;
  if (state === "rollback-failed") {
    return new DeploymentError(`${why(reason, settings)} The machine tried to go back to ${previous}, and failed.`, {
      details: tail(rebuild),
      advice: [`${now}.`, look],
    });
  }
  const restart = restartAdvice(rebuild, reason, system, settings);
  if (reason === "needs-restart") {
    return new DeploymentError(`${why(reason, settings)} ${now}, as before.`, { advice: restart });
  }
  if (state === "rolled-back") {
    const failed = [...answers.all("failed-unit"), ...answers.all("failed-check").map((name) => `the check ${name}`)];
    const isUnwell = reason === "units-failed" || reason === "checks-failed";
    const named = failed.length > 0 ? `: ${failed.join(", ")}` : "";
    return new DeploymentError(
      `${why(reason, settings)}${isUnwell ? `${named}.` : ""} The machine rolled back to ${previous}.`,
      {
        details: reason.startsWith("switch-failed") || isUnwell ? tail(rebuild) : "",
        advice: [
          ...(/^(interrupted|restarted|switch-did-not-begin)$/.test(reason)
            ? []
            : [`It will not upgrade to ${system} by itself until the branch moves.`]),
          ...(isUnwell ? ["Set allowFailedUnits to keep a system with such units and checks."] : []),
          ...(reason === "checks-failed" ? [`What a check said: ${checksJournal(answers, settings)}`] : []),
          ...restart,
          look,
        ],
      },
    );
  }
  return new DeploymentError("The machine no longer knows of this switch: it may have restarted.", {
    advice: [`${now}, and it starts with ${answers.get("profile")}.`, "Run this again: it goes on from there.", look],
  });
}

/** @param {MachineReport} answers @param {Deployment["settings"]} settings */
function checksJournal(answers, { host }) {
  const identifiers = answers.all("failed-check").flatMap((name) => ["--identifier", `nixos-upgrade-check-${name}`]);
  return commandOnMachine(host, ["journalctl", ...identifiers]);
}

/**
 * @param {string} reason
 * @param {Deployment["settings"]} settings
 */
function why(reason, { confirmSeconds, switchSeconds }) {
  const code = /^switch-failed-with-(.+)$/.exec(reason)?.[1];
  if (code !== undefined)
    return `The activation failed: switch-to-configuration ended with ${/^\d+$/.test(code) ? `exit code ${code}` : code}.`;
  switch (reason) {
    case "not-confirmed":
      return `The machine could not be reached over a new SSH connection within ${confirmSeconds} s after the switch.`;
    case "switch-took-too-long":
      return `The activation took longer than ${switchSeconds} s.`;
    case "switch-ended-unseen":
      return "The switch ended without a result.";
    case "units-failed":
      return "Units failed, or died again and again, after the switch";
    case "checks-failed":
      return "Checks of the system's own (pulumiNixos.upgrade.health.checks) failed after the switch";
    case "needs-restart":
      return "Only a restart can bring the machine to this system, as its init differs; nothing was activated.";
    case "restarted":
      return "The machine was restarted before the switch was confirmed.";
    case "switch-did-not-begin":
      return `The switch did not begin within ${switchSeconds + confirmSeconds} s.`;
    default:
      return `The switch was given up (${reason}).`;
  }
}

/**
 * @param {DeploymentError} error
 * @param {string} previous
 * @param {Deployment["settings"]} settings
 */
function lostSight(error, previous, { host }) {
  return new DeploymentError("The machine cannot be reached any more, so what it did is not known.", {
    details: error.message,
    advice: [
      `By itself it goes back to ${previous} when nobody confirms the switch.`,
      `Look: ssh root@${host} cat /run/nixos-deploy/guard/state; without SSH, the EC2 serial console.`,
    ],
  });
}

/**
 * NixOS refuses to switch to what a running system cannot become, such as another implementation of D-Bus.
 * @param {Result} rebuild
 * @param {string} reason
 * @param {string} system
 * @param {Deployment["settings"]} settings
 */
function restartAdvice({ stdout, stderr }, reason, system, { host }) {
  if (reason !== "needs-restart" && !/^There are changes to critical components/m.test(`${stdout}${stderr}`)) return [];
  const path = asWord(system);
  const install = `nix-env --profile /nix/var/nix/profiles/system --set ${path} && ${path}/bin/switch-to-configuration boot`;
  return [
    "Only a restart can bring the machine there. Install it for the next start, then run this again:",
    `ssh root@${host} ${quoted(`${install} && systemctl reboot`)}`,
  ];
}

/** @param {Result} rebuild */
function tail({ stdout, stderr }) {
  return `${stdout}${stderr}`.trimEnd().split("\n").slice(-15).join("\n");
}
