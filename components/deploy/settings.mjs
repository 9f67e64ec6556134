// @ts-check
import { DeploymentError } from "./errors.mjs";
import { parseFlakeReference } from "./flake.mjs";
import { publicKeyOf } from "./publicKey.mjs";
import rules from "./rules.cjs";

const { DEFAULTS, RULES, quote } = rules;

/**
 * What a deployment is told.
 * @typedef {ReturnType<typeof readSettings>} Settings
 */

/**
 * Reads all settings from the environment; throws one error that lists every problem.
 * @param {NodeJS.ProcessEnv} env
 */
export function readSettings(env) {
  /** @type {string[]} */
  const problems = [];
  /** @param {string} name @param {string} got @param {import("./rules.cjs").Refusal} refusal */
  const problem = (name, got, { allowed, remedy }) =>
    problems.push(`${name}: got ${got}; allowed: ${allowed}.${remedy === undefined ? "" : ` ${remedy}`}`);

  /**
   * @template T
   * @param {string} name
   * @param {T} value
   * @param {import("./rules.cjs").Rule} rule
   */
  const checked = (name, value, rule) => {
    const refusal = rule(value);
    if (refusal !== undefined) problem(name, value === undefined ? "nothing" : quote(value), refusal);
    return value;
  };
  /** @param {string} name @param {import("./rules.cjs").Rule} rule @param {string} [otherwise] */
  const text = (name, rule, otherwise) => {
    const value = env[name] || otherwise;
    // What has the empty text for a default may be left out.
    return value === "" ? "" : (checked(name, value, rule) ?? "").trimEnd();
  };
  /** @param {string} name @param {import("./rules.cjs").Rule} rule @param {number} otherwise */
  const number = (name, rule, otherwise) => {
    const value = env[name] || String(otherwise);
    return Number(checked(name, /^\d+$/.test(value) ? Number(value) : value, rule));
  };
  /** @param {string} name @param {boolean} otherwise */
  const flag = (name, otherwise) => {
    const value = env[name] || String(otherwise);
    if (value !== "true" && value !== "false") problem(name, quote(value), { allowed: '"true" or "false"' });
    return value === "true";
  };

  const loginKey = env.DEPLOY_PRIVATE_KEY ?? "";
  const ownPublicKey = loginKey.includes("\r") ? undefined : publicKeyOf(loginKey);
  // Never the value: it may be a key all the same.
  if (ownPublicKey === undefined || RULES.publicKey(ownPublicKey) !== undefined)
    problem("DEPLOY_PRIVATE_KEY", loginKey === "" ? "nothing" : "a text of another form", {
      allowed: "an unencrypted ed25519 private key in OpenSSH form, with Unix line ends",
    });

  const settings = {
    host: text("DEPLOY_HOST", RULES.host),
    port: number("DEPLOY_PORT", RULES.sshPort, DEFAULTS.sshPort),
    hostKey: text("DEPLOY_HOST_KEY", RULES.publicKey),
    loginKey,
    machinePublicKey: text("DEPLOY_MACHINE_PUBLIC_KEY", RULES.publicKey, ownPublicKey ?? ""),
    flake: parseFlakeReference(text("DEPLOY_FLAKE", RULES.flake, DEFAULTS.flake)),
    derivation: text("DEPLOY_DERIVATION", derivation),
    buildOn: text("DEPLOY_BUILD_ON", RULES.buildOn, DEFAULTS.buildOn),
    substitute: flag("DEPLOY_SUBSTITUTE", DEFAULTS.substitute),
    confirmSeconds: number("DEPLOY_CONFIRM_SECONDS", RULES.confirmSeconds, DEFAULTS.confirmSeconds),
    switchSeconds: number("DEPLOY_SWITCH_SECONDS", RULES.switchSeconds, DEFAULTS.switchSeconds),
    waitSeconds: number("DEPLOY_WAIT_SECONDS", RULES.waitSeconds, DEFAULTS.waitSeconds),
    silentSeconds: number("DEPLOY_SILENT_SECONDS", RULES.silentSeconds, DEFAULTS.silentSeconds),
    allowDirty: flag("DEPLOY_ALLOW_DIRTY", DEFAULTS.allowDirty),
    allowFailedUnits: flag("DEPLOY_ALLOW_FAILED_UNITS", DEFAULTS.allowFailedUnits),
    extraArguments: extraArguments(env.DEPLOY_EXTRA_ARGUMENTS || "[]", problem),
    ageRecipient: text("DEPLOY_AGE_RECIPIENT", ageRecipient, ""),
    repository: text("DEPLOY_REPOSITORY", RULES.repository, ""),
  };
  if (problems.length > 0) {
    const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
    throw new DeploymentError(`The deployment has ${count}:`, { details: problems.join("\n"), exitCode: 2 });
  }
  return settings;
}

/** @type {import("./rules.cjs").Rule} */
const derivation = (value) =>
  /^\/nix\/store\/[^/\s]+\.drv$|^sha256-\S+$/.test(value) ? undefined : { allowed: "what evaluate.mjs printed" };

/** @type {import("./rules.cjs").Rule} */
const ageRecipient = (value) => (/^age1[a-z0-9]+$/.test(value) ? undefined : { allowed: 'an age recipient, "age1…"' });

/**
 * @param {string} json
 * @param {(name: string, got: string, refusal: import("./rules.cjs").Refusal) => void} problem
 * @returns {string[]}
 */
function extraArguments(json, problem) {
  const name = "DEPLOY_EXTRA_ARGUMENTS";
  let value;
  try {
    value = JSON.parse(json);
  } catch {
    // Reported below.
  }
  if (!Array.isArray(value)) {
    problem(name, quote(json), { allowed: "a JSON list of texts" });
    return [];
  }
  for (const word of value) {
    const refusal = RULES.extraArgument(word);
    if (refusal !== undefined) problem(name, quote(word), refusal);
  }
  return value;
}
