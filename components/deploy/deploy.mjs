// @ts-check
// Installs the system of a flake on a machine, so that the machine either runs it, reachable, or runs what it ran
// before. What it does, in which order, and what remains when it is interrupted: docs/deployment.md.
import os from "node:os";
import process from "node:process";
import { buildSystem } from "./build.mjs";
import { DeploymentError, Interrupted, messageOf } from "./errors.mjs";
import { takeLease } from "./lease.mjs";
import { Log } from "./log.mjs";
import { commandOnMachine, Machine } from "./machine.mjs";
import { outputOf } from "./nix.mjs";
import { isPlainPath, PrivateFolder } from "./privateFolder.mjs";
import { plainEnvironment, Processes } from "./process.mjs";
import { refuseNewerMachine } from "./protocol.mjs";
import { findNixosRebuild } from "./rebuild.mjs";
import { readSettings } from "./settings.mjs";
import { checkSources, closedInputWarnings, followedRevision, openNames, refuseWithoutToken } from "./sources.mjs";
import { writeSshFiles } from "./ssh.mjs";
import { armGuard, confirmSwitch, refuseRefusedToken, refuseUnreleased, switchSystem } from "./switch.mjs";
import { sanitizeLines } from "./text.mjs";
import { waitForMachine } from "./wait.mjs";

/** @typedef {import("./machine.mjs").MachineReport} MachineReport */
/** @typedef {Awaited<ReturnType<typeof prepare>>} Deployment */

/**
 * @param {Deployment} deployment
 * @returns {Promise<{ systemPath: string, changed: boolean, rebooted: boolean }>}
 */
async function deploy(deployment) {
  const { settings, log, machine } = deployment;
  await log.phase("check", async (say) => say(await checkSources(deployment)));
  for (const name of openNames(deployment.settings.flake))
    log.progress(
      `warning: ${name} is in plain text, as its name says; whoever reads the repository or the store reads it`,
    );
  // Asked while the machine is waited for.
  const following = followedRevision(deployment).catch(() => ({ revision: "-", warning: undefined }));
  const closed = closedInputWarnings(deployment).catch(() => []);
  const seen = await log.phase("wait", async (say) => {
    const answers = await waitForMachine(deployment);
    say("the machine is ready");
    return answers;
  });
  const wanted = await outputOf(settings.derivation, deployment.processes);
  const present = presentSystem(seen, wanted, settings.derivation);
  if (present !== undefined) return unchanged(deployment, present, seen);
  refuseNewerMachine(seen);
  refuseWithoutToken(deployment, seen);

  const { revision, warning } = await following;
  if (warning !== undefined) log.progress(warning);
  for (const line of await closed) log.progress(line);
  const leased = await log.phase("lease", async (say) => {
    const answers = await takeLease(deployment, wanted);
    say("no other deployment, no automatic upgrade");
    return answers;
  });
  const { system, nixosRebuild } = await log.phase("build", (say) =>
    machine.whileLeased(async () => {
      const built = { system: await buildSystem(deployment), nixosRebuild: await findNixosRebuild(deployment) };
      say(built.system);
      return built;
    }),
  );
  if (runs(leased, system)) {
    await release(deployment);
    return unchanged(deployment, system, await machine.probe());
  }

  const previous = await log.phase("arm", async (say) => {
    await refuseUnreleased(deployment, system);
    const back = await armGuard(deployment, system, revision);
    say(`the way back is ${back}`);
    return back;
  });
  const again = () => switchSystem(deployment, nixosRebuild);
  const rebuild = await log.phase("switch", async (say) => {
    const result = await again();
    say(result.code === 0 ? "nixos-rebuild is done" : "nixos-rebuild failed; asking the machine what happened");
    return result;
  });
  const confirmed = await log.phase("confirm", async (say) => {
    if (rebuild.code === 0) await refuseRefusedToken(deployment);
    const outcome = await confirmSwitch(deployment, { system, previous, rebuild, again });
    say("reached over a new connection; the way back is disarmed");
    return outcome;
  });
  await log.phase("release", () => release(deployment));
  log.summary(previous, system, await changedPackages(deployment, previous, system));
  if (confirmed.rebootNeeded)
    log.progress(`note: the new kernel runs after a restart only: ssh root@${settings.host} systemctl reboot`);
  reportUnits(deployment, system, confirmed);
  return { systemPath: system, changed: true, rebooted: false };
}

/**
 * The system that is wanted, if the machine has it already and is at rest.
 * @param {MachineReport} seen
 * @param {string | undefined} wanted its path, when this computer can tell
 * @param {string} derivation
 */
function presentSystem(seen, wanted, derivation) {
  const busy =
    seen.get("lease") !== "" ||
    /^(armed|switch|rolling)/.test(seen.get("guard")) ||
    /^(active|activating)/.test(seen.get("upgrade"));
  // Otherwise the machine remembers what it was last given.
  const [deployed, deployedSystem] = seen.get("deployed").split(" ");
  const system = wanted ?? (deployed === derivation ? deployedSystem : undefined);
  return !busy && system !== undefined && runs(seen, system) ? system : undefined;
}

/**
 * Whether a system runs and is what the machine starts with.
 * @param {MachineReport} seen
 * @param {string} system
 */
function runs(seen, system) {
  return seen.get("system") === system && seen.get("profile") === system;
}

/**
 * Lets automatic upgrades and other deployments begin again. What was confirmed stays so, whether this is heard or not.
 * @param {Deployment} deployment
 */
async function release(deployment) {
  deployment.leased = false;
  await deployment.machine.abandon().catch((error) => {
    if (!(error instanceof DeploymentError)) throw error;
    deployment.log.progress(`warning: the machine's lease was not given back and ends by itself (${error.message})`);
  });
}

/**
 * What differs on the machine, those first that have another version; nothing when it does not say.
 * @param {Deployment} deployment
 * @param {string} before
 * @param {string} after
 */
async function changedPackages({ machine }, before, after) {
  const answers = await machine.changes(before, after).catch((error) => {
    if (!(error instanceof DeploymentError)) throw error;
    return undefined;
  });
  const lines = answers?.all("change") ?? [];
  return [true, false].flatMap((other) => lines.filter((line) => line.includes("→") === other));
}

/**
 * @param {Deployment} deployment
 * @param {string} systemPath
 * @param {MachineReport} seen
 */
function unchanged(deployment, systemPath, seen) {
  deployment.log.progress(`done: the machine already runs ${systemPath}`);
  const [failedUnits, knownFailedUnits] = [seen.all("failed-unit"), seen.all("known-failed-unit")];
  const nothing = { failedChecks: [], knownFailedChecks: [], complaints: [] };
  reportUnits(deployment, systemPath, { failedUnits, knownFailedUnits, ...nothing });
  return { systemPath, changed: false, rebooted: false };
}

/**
 * @param {Deployment} deployment
 * @param {string} system
 * @param {Omit<import("./switch.mjs").Confirmed, "rebootNeeded">} found
 */
function reportUnits({ settings, log }, system, found) {
  const { failedUnits, knownFailedUnits, failedChecks, knownFailedChecks, complaints } = found;
  if (knownFailedUnits.length > 0)
    log.progress(`warning: units that failed before the switch still fail: ${knownFailedUnits.join(", ")}`);
  if (knownFailedChecks.length > 0)
    log.progress(`warning: checks that failed before the switch still fail: ${knownFailedChecks.join(", ")}`);
  for (const complaint of failedUnits.length > 0 ? [] : complaints)
    log.progress(`warning: in the activation: ${complaint}; no unit fails now that did not before`);
  const failed = [...failedUnits, ...failedChecks.map((name) => `the check ${name}`)];
  if (failed.length === 0) return;
  const what = failedUnits.length > 0 ? "some units" : "some of its checks";
  const message = `The machine runs ${system}, but ${what} failed: ${failed.join(", ")}.`;
  if (settings.allowFailedUnits) return log.progress(`warning: ${message}`);
  throw new DeploymentError(message, {
    advice: [
      // Some names begin with a hyphen (`-.mount`), some hold a backslash.
      failedUnits.length > 0
        ? `Look: ${commandOnMachine(settings.host, ["systemctl", "status", "--", ...failedUnits])}`
        : `Look: ${commandOnMachine(settings.host, ["journalctl", "--identifier", `nixos-upgrade-check-${failedChecks[0]}`])}`,
      "The system stays. Set allowFailedUnits to accept it as it is.",
    ],
    exitCode: 4,
  });
}

/** @param {NodeJS.ProcessEnv} env */
function prepare(env) {
  const settings = readSettings(env);
  const log = new Log(env, settings.privateKey);
  const folder = new PrivateFolder(env);
  try {
    const sshConfig = writeSshFiles(settings, folder);
    // nixos-rebuild puts its own temporary folder into the options of ssh.
    const temporary = isPlainPath(os.tmpdir()) ? {} : { TMPDIR: "/tmp" };
    const remind = (/** @type {string} */ line) => log.progress(`waiting: ${line}`);
    const own = { ...plainEnvironment(env), ...temporary };
    const processes = new Processes(own, log.heard, undefined, settings.silentSeconds, remind);
    const machine = new Machine(processes, settings.host, sshConfig);
    // The connection that nixos-rebuild would keep for a minute outlives it when it is killed. It asks for that before or
    // after these options, and ssh heeds the first -o; -S counts wherever it stands.
    const nixEnvironment = { ...processes.env, NIX_SSHOPTS: `-F ${sshConfig} -S none` };
    return { settings, log, folder, sshConfig, processes, machine, nixEnvironment, leased: false };
  } catch (error) {
    folder.remove();
    throw error;
  }
}

/**
 * Leaves the machine in order, whatever happened.
 * @param {Deployment} deployment
 */
async function cleanUp({ machine, leased, log }) {
  if (!leased) return;
  try {
    const answers = await machine.abandon({ afterStop: true });
    const guard = answers.get("guard");
    if (/^(switching|rolling-back)/.test(guard))
      log.progress(`cleanup: the machine goes back to ${answers.get("previous")} by itself`);
  } catch (error) {
    log.progress(
      `cleanup: the machine was not reached (${messageOf(error)}); its lease ends by itself, and an unconfirmed switch is rolled back`,
    );
  }
}

async function main() {
  // A Pulumi that was killed does not read any more; the deployment still ends in order.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

  /** @type {Deployment | undefined} */
  let deployment;
  let signals = 0;
  process.on("exit", () => deployment?.folder.remove());
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
    process.on(signal, () => {
      if (signals++ === 0 && deployment !== undefined) void deployment.processes.stop(new Interrupted(signal));
      else process.exit(exitCodeOf(new Interrupted(signal)));
    });
  }

  try {
    deployment = prepare(process.env);
    const result = await deploy(deployment);
    process.stdout.write(`${JSON.stringify(result)}\n`);
    // Such as a question to the Git remote whose answer is not needed.
    await deployment.processes.stop(new Error("The deployment is done."));
  } catch (error) {
    const text =
      error instanceof DeploymentError
        ? error.text()
        : error instanceof Interrupted
          ? error.message
          : String(error instanceof Error ? error.stack : error);
    if (deployment !== undefined) {
      // Nothing may still be switching when the machine is asked to give up.
      await deployment.processes.stop(error instanceof Error ? error : new Error(text));
      await cleanUp(deployment);
    }
    const log = deployment?.log.path;
    process.stderr.write(`${deployment?.log.shown(text) ?? sanitizeLines(text)}\n${log ? `Full log: ${log}\n` : ""}`);
    deployment?.log.write(text);
    process.exitCode = exitCodeOf(error);
  }
}

/** @param {unknown} error */
function exitCodeOf(error) {
  if (error instanceof Interrupted)
    return { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[/** @type {"SIGINT"} */ (error.signal)];
  return error instanceof DeploymentError ? error.exitCode : 1;
}

await main();
