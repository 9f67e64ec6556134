// @ts-check
// Prints what a flake's system is, for Pulumi to compare: the path of its derivation, or without Nix a hash of the
// flake's files. Runs in every preview and update, and changes nothing but Nix's store and a cache.
import process from "node:process";
import { DeploymentError, Interrupted } from "./errors.mjs";
import { parseFlakeReference } from "./flake.mjs";
import { evaluate, hashOnly } from "./nix.mjs";
import { plainEnvironment, Processes } from "./process.mjs";
import rules from "./rules.cjs";
import { sanitizeLines } from "./text.mjs";

const { DEFAULTS, RULES, quote } = rules;

/** @param {NodeJS.ProcessEnv} env */
function readSettings(env) {
  const reference = env.EVALUATE_FLAKE || DEFAULTS.flake;
  const mode = env.EVALUATE_MODE || "nix";
  const cache = env.EVALUATE_CACHE || "true";
  const silentSeconds = Number(env.EVALUATE_SILENT_SECONDS || DEFAULTS.silentSeconds);
  const refusal = RULES.flake(reference);
  const silence = RULES.silentSeconds(silentSeconds);
  const problems = [
    refusal === undefined ||
      `EVALUATE_FLAKE: got ${quote(reference)}; allowed: ${refusal.allowed}. ${refusal.remedy ?? ""}`.trim(),
    ["nix", "hash"].includes(mode) || `EVALUATE_MODE: got ${JSON.stringify(mode)}; allowed: "nix", "hash".`,
    ["true", "false"].includes(cache) || `EVALUATE_CACHE: got ${JSON.stringify(cache)}; allowed: "true", "false".`,
    silence === undefined ||
      `EVALUATE_SILENT_SECONDS: got ${quote(env.EVALUATE_SILENT_SECONDS)}; allowed: ${silence.allowed}.`,
  ].filter((problem) => problem !== true);
  if (problems.length > 0)
    throw new DeploymentError("The evaluation has problems:", { details: problems.join("\n"), exitCode: 2 });
  return { flake: parseFlakeReference(reference), mode, cache: cache === "true", silentSeconds };
}

const processes = new Processes(plainEnvironment(process.env));
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
  process.once(signal, () => void processes.stop(new Interrupted(signal)));
}
try {
  const { flake, mode, cache, silentSeconds } = readSettings(process.env);
  processes.silentSeconds = silentSeconds;
  const result =
    mode === "hash" ? await hashOnly(flake, processes) : await evaluate(flake, processes, { cache, env: process.env });
  process.stdout.write(`${result}\n`);
} catch (error) {
  // Nix repeats what a flake says, and a flake may say anything.
  process.stderr.write(`${sanitizeLines(error instanceof DeploymentError ? error.text() : String(error))}\n`);
  process.exitCode = error instanceof DeploymentError ? error.exitCode : 1;
}
