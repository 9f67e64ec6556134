// @ts-check
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { isStorePath, StrangeAnswer } from "./answers.mjs";
import { DeploymentError } from "./errors.mjs";
import { ConnectionFailed, quoted } from "./machine.mjs";
import { evaluatedBefore, evaluateNow, outputOf, readable } from "./nix.mjs";
import { buildOptions, machineDestination } from "./rebuild.mjs";
import { lastWords, sshTrouble } from "./ssh.mjs";
import { shortened } from "./text.mjs";
import { endedBy, gitTrouble } from "./trouble.mjs";

/** @typedef {import("./deploy.mjs").Deployment} Deployment */

const ATTEMPTS = 3;
const FULL_DISK = /no space left on device/i;

/**
 * Builds exactly what the preview showed, where it is to be built, and brings it to the machine; its path.
 * @param {Deployment} deployment
 * @returns {Promise<string>}
 */
export async function buildSystem(deployment) {
  const derivation = await instantiated(deployment);
  const { buildOn } = deployment.settings;
  if (buildOn === "host") return buildOnMachine(deployment, derivation);
  if (buildOn === "local") return buildHere(deployment, derivation);
  return buildOnBuilder(deployment, derivation);
}

/**
 * The derivation, in this computer's store: the garbage collector may have taken it since the evaluation.
 * @param {Deployment} deployment
 */
async function instantiated({ settings, processes }) {
  const { derivation, flake } = settings;
  if (!derivation.endsWith(".drv")) return evaluateNow(flake, processes);
  // nixos-rebuild will take the folder as it is by then.
  const now = (await evaluatedBefore(flake, processes, process.env)) ?? derivation;
  if (now === derivation && fs.existsSync(derivation)) return derivation;
  const evaluated = now === derivation ? await evaluateNow(flake, processes) : now;
  if (evaluated === derivation) return derivation;
  throw new DeploymentError("The flake has changed since it was evaluated for this update.", {
    details: `then: ${derivation}\nnow:  ${evaluated}`,
    advice: ["Run pulumi up again."],
  });
}

/**
 * @param {Deployment} deployment
 * @param {string} derivation
 */
async function buildOnMachine(deployment, derivation) {
  const { settings, machine } = deployment;
  await copy(deployment, ["--to", machineDestination(settings.host), derivation]);
  for (let attempt = 1; ; attempt++) {
    try {
      const answers = await machine.build(derivation, buildOptions(settings.extraArguments));
      if (answers.has("built")) return await asEvaluated(answers.get("built"), derivation, deployment);
      throw buildFailed(answers.stderr, deployment);
    } catch (error) {
      if (!(error instanceof ConnectionFailed)) throw error;
      await pauseOrGiveUp(deployment, attempt, error);
    }
  }
}

/**
 * @param {Deployment} deployment
 * @param {string} derivation
 */
async function buildHere(deployment, derivation) {
  const { settings, processes, folder } = deployment;
  // A root, so that the garbage collector leaves it until it is copied.
  const root = ["--add-root", path.join(folder.path, "build")];
  const options = buildOptions(settings.extraArguments);
  const result = await processes.run("nix-store", ["--realise", derivation, ...root, ...options]);
  if (result.code !== 0) throw buildFailed(words(result), deployment);
  const system = fs.realpathSync(result.stdout.trim());
  await copy(deployment, ["--to", machineDestination(settings.host), system]);
  return system;
}

/**
 * @param {Deployment} deployment
 * @param {string} derivation
 */
async function buildOnBuilder(deployment, derivation) {
  const { settings, processes } = deployment;
  const builder = settings.buildOn;
  await copy(deployment, ["--to", builder, derivation]);
  const command = ["nix-store", "--realise", derivation, ...buildOptions(settings.extraArguments)];
  const result = await processes.run(
    "ssh",
    ["-F", deployment.sshConfig, "-T", builder, command.map(quoted).join(" ")],
    { called: `The build on ${builder}` },
  );
  if (result.code !== 0) throw buildFailed(words(result), deployment);
  const system = await asEvaluated(result.stdout.trim(), derivation, deployment);
  await retried(deployment, "nix", [
    ...[
      "--extra-experimental-features",
      "nix-command",
      "copy",
      ...(settings.substitute ? ["--substitute-on-destination"] : []),
    ],
    ...["--from", `ssh://${builder}`, "--to", `ssh://${machineDestination(settings.host)}`, system],
  ]);
  return system;
}

/**
 * What another computer says that it built: what the derivation makes, where this computer can tell, and a path of the
 * store in any case.
 * @param {string} built
 * @param {string} derivation
 * @param {Pick<Deployment, "processes">} deployment
 */
export async function asEvaluated(built, derivation, { processes }) {
  if (!isStorePath(built)) throw new StrangeAnswer("what it says that it built is no path of the Nix store.");
  const expected = await outputOf(derivation, processes);
  if (expected === undefined || expected === built) return built;
  throw new StrangeAnswer(`it says that it built ${built}, but ${derivation} makes ${expected}.`);
}

/**
 * @param {Deployment} deployment
 * @param {string[]} args of nix-copy-closure
 */
function copy(deployment, args) {
  return retried(deployment, "nix-copy-closure", [
    ...(deployment.settings.substitute ? ["--use-substitutes"] : []),
    ...args,
  ]);
}

/**
 * Copies, again when the connection broke: what has arrived is not sent twice.
 * @param {Deployment} deployment
 * @param {string} program
 * @param {string[]} args
 */
async function retried(deployment, program, args) {
  for (let attempt = 1; ; attempt++) {
    const result = await deployment.processes.run(program, args, { env: deployment.nixEnvironment, talk: true });
    if (result.code === 0) return;
    if (FULL_DISK.test(result.stderr) || sshTrouble(result.stderr) === undefined) throw copyFailed(result);
    await pauseOrGiveUp(deployment, attempt, copyFailed(result));
  }
}

/**
 * @param {Deployment} deployment
 * @param {number} attempt
 * @param {Error} error
 */
async function pauseOrGiveUp({ processes, log }, attempt, error) {
  if (attempt === ATTEMPTS) throw error;
  log.progress(`build: ${error.message}; trying again`);
  await processes.sleep(2 * attempt);
}

/** @param {import("./process.mjs").Result} result */
export function copyFailed(result) {
  const { stderr } = result;
  const { kind, said } = gitTrouble(result);
  if (kind === "killed")
    return new DeploymentError(`The build could not be copied: nix-copy-closure ${endedBy(result)}.`);
  if (kind === "noise") {
    return new DeploymentError(
      `The build could not be copied: root's login shell prints something, and Nix takes it for the other Nix: ${said}`,
      {
        advice: [
          "Let its startup files (~/.bashrc, ~/.profile, /etc/profile) print nothing where there is no terminal: [ -t 1 ] || return",
        ],
      },
    );
  }
  const cause = shortened(stderr.split("\n").find((line) => FULL_DISK.test(line)) ?? lastWords(stderr), 500);
  // What Nix says, too, when something is printed before the word that it waits for.
  const greeting = /failed to start SSH connection/.test(cause)
    ? ["If `ssh root@HOST true` prints anything, that is the reason: root's startup files must print nothing there."]
    : [];
  return new DeploymentError(`The build could not be copied: ${cause.trim()}`, {
    advice: [...fullDiskAdvice(stderr), ...greeting],
  });
}

/**
 * What a build said, with how it ended where something ended it: Nix itself then has no word of it.
 * @param {import("./process.mjs").Result} result
 */
function words(result) {
  return gitTrouble(result).kind === "killed" ? `error: Nix ${endedBy(result)}\n${result.stderr}` : result.stderr;
}

/**
 * @param {string} stderr
 * @param {Deployment} deployment
 */
function buildFailed(stderr, { settings }) {
  const message = readable(stderr, settings.flake);
  return new DeploymentError(buildErrorLine(message), {
    details: message.split("\n").slice(-25).join("\n"),
    advice: [...fullDiskAdvice(message), "Nothing was switched."],
  });
}

/**
 * The line of a build's output that says what is wrong: the first error, as those after it only follow from it.
 * @param {string} message
 */
export function buildErrorLine(message) {
  const lines = message.split("\n").map((line) => line.trim());
  const errors = lines.filter((line) => /^error:\s*\S/.test(line));
  const first = errors.find((line) => FULL_DISK.test(line)) ?? errors[0] ?? lastWords(message);
  return `The build failed: ${shortened(first, 500).replace(/^error:\s*/, "")}`;
}

/** @param {string} message */
function fullDiskAdvice(message) {
  return FULL_DISK.test(message)
    ? [
        "A disk is full. On the machine, nix-collect-garbage --delete-older-than 14d frees what old systems use; or enlarge its root volume.",
      ]
    : [];
}
