// @ts-check
import { DeploymentError } from "./errors.mjs";
import { FLAKE_REFERENCE, parseFlakeReference } from "./flake.mjs";
import { publicKeyOf } from "./publicKey.mjs";

/**
 * What a deployment is told.
 * @typedef {ReturnType<typeof readSettings>} Settings
 */

const HOST = /^[A-Za-z0-9][A-Za-z0-9.-]*$|^[0-9A-Fa-f]*:[0-9A-Fa-f:.]*$/;
const PUBLIC_KEY = /^(ssh-[a-z0-9-]+|ecdsa-[a-z0-9-]+) [A-Za-z0-9+/]+=*( .*)?$/;
// user@host, host, or a name of the user's own ssh configuration. Never an option.
const DESTINATION = /^[A-Za-z0-9_][A-Za-z0-9_.@-]*$/;
const REPOSITORY = /^[A-Za-z0-9_.-]+\/[A-Za-z0-9_.-]+$/;

/** Arguments of nixos-rebuild that this program sets itself, or that would install something else than was evaluated. */
const REFUSED_ARGUMENTS = {
  "--fast": "it was renamed to --no-reexec, which is always given",
  "--use-remote-sudo": "it was renamed to --sudo, and the deployment logs in as root",
  "--no-build-nix": "it was dropped",
  "--no-ssh-tty": "it was dropped",
  "--install-grub": "it was renamed to --install-bootloader",
  "--flake": "set by the property flake",
  "--file": "set by the property flake",
  "--attr": "set by the property flake",
  "--target-host": "set by the property host",
  "--build-host": "set by the property buildOn",
  "--use-substitutes": "set by the property substitute",
  "--store-path": "the preview would show another system",
  "--rollback": "the preview would show another system",
  "--specialisation": "the preview would show another system",
  "--profile-name": "the rollback knows only the profile of the system",
  "--upgrade": "the preview would show another system",
  "--upgrade-all": "the preview would show another system",
  "--impure": "the preview would show another system",
  "--override-input": "the preview would show another system",
  "--update-input": "the preview would show another system",
  "--recreate-lock-file": "the preview would show another system",
  "--commit-lock-file": "the preview would show another system",
};
/** @type {Record<string, string>} */
const SHORT_ARGUMENTS = {
  "-f": "--file",
  "-A": "--attr",
  "-F": "--flake",
  "-p": "--profile-name",
  "-c": "--specialisation",
  "-s": "--use-substitutes",
};

/**
 * Reads all settings from the environment; throws one error that lists every problem.
 * @param {NodeJS.ProcessEnv} env
 */
export function readSettings(env) {
  /** @type {string[]} */
  const problems = [];
  /** @param {string} name @param {string} got @param {string} allowed */
  const problem = (name, got, allowed) => problems.push(`${name}: got ${got}; allowed: ${allowed}.`);

  /** @param {string} name @param {RegExp} form @param {string} allowed @param {string} [otherwise] */
  const text = (name, form, allowed, otherwise) => {
    const value = env[name] || otherwise;
    if (value === undefined) problem(name, "nothing", allowed);
    else if (value !== "" && !form.test(value)) problem(name, JSON.stringify(value), allowed);
    return value ?? "";
  };
  /** @param {string} name @param {number} otherwise @param {number} least @param {number} most */
  const number = (name, otherwise, least, most) => {
    const value = env[name] || String(otherwise);
    if (/^\d+$/.test(value) && Number(value) >= least && Number(value) <= most) return Number(value);
    problem(name, JSON.stringify(value), `a whole number from ${least} to ${most}`);
    return otherwise;
  };
  /** @param {string} name @param {boolean} otherwise */
  const flag = (name, otherwise) => {
    const value = env[name] || String(otherwise);
    if (value !== "true" && value !== "false") problem(name, JSON.stringify(value), '"true" or "false"');
    return value === "true";
  };

  const privateKey = env.DEPLOY_PRIVATE_KEY ?? "";
  const ownPublicKey = publicKeyOf(privateKey);
  // Never the value: it may be a key all the same.
  if (ownPublicKey === undefined)
    problem(
      "DEPLOY_PRIVATE_KEY",
      privateKey === "" ? "nothing" : "a text of another form",
      "an unencrypted private key in OpenSSH form",
    );

  const reference = text("DEPLOY_FLAKE", FLAKE_REFERENCE, '"<flake>#<attribute>"', "path:./nix#default");
  const settings = {
    host: text("DEPLOY_HOST", HOST, "a DNS name or an IP address"),
    port: number("DEPLOY_PORT", 22, 1, 65535),
    hostKey: text("DEPLOY_HOST_KEY", PUBLIC_KEY, 'a public key, "ssh-ed25519 AAAA…"'),
    privateKey,
    machinePublicKey: text(
      "DEPLOY_MACHINE_PUBLIC_KEY",
      PUBLIC_KEY,
      'a public key, "ssh-ed25519 AAAA…"',
      ownPublicKey ?? "",
    ),
    flake: parseFlakeReference(reference),
    derivation: text("DEPLOY_DERIVATION", /^\/nix\/store\/[^/\s]+\.drv$|^sha256-\S+$/, "what evaluate.mjs printed"),
    buildOn: text("DEPLOY_BUILD_ON", DESTINATION, '"host", "local" or the SSH destination of a builder', "host"),
    substitute: flag("DEPLOY_SUBSTITUTE", true),
    confirmSeconds: number("DEPLOY_CONFIRM_SECONDS", 60, 1, 3600),
    switchSeconds: number("DEPLOY_SWITCH_SECONDS", 600, 1, 86400),
    waitSeconds: number("DEPLOY_WAIT_SECONDS", 600, 1, 86400),
    allowDirty: flag("DEPLOY_ALLOW_DIRTY", false),
    allowFailedUnits: flag("DEPLOY_ALLOW_FAILED_UNITS", false),
    extraArguments: extraArguments(env.DEPLOY_EXTRA_ARGUMENTS || "[]", problem),
    ageRecipient: text("DEPLOY_AGE_RECIPIENT", /^age1[a-z0-9]+$/, 'an age recipient, "age1…", or nothing', ""),
    repository: text("DEPLOY_REPOSITORY", REPOSITORY, '"owner/name", or nothing', ""),
  };
  if (problems.length > 0) {
    const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
    throw new DeploymentError(`The deployment has ${count}:`, { details: problems.join("\n"), exitCode: 2 });
  }
  return settings;
}

/**
 * @param {string} json
 * @param {(name: string, got: string, allowed: string) => void} problem
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
  if (!Array.isArray(value) || !value.every((word) => typeof word === "string")) {
    problem(name, JSON.stringify(json), "a JSON list of texts");
    return [];
  }
  for (const word of value) {
    const option = word.replace(/=.*/s, "");
    const reason = Object.entries(REFUSED_ARGUMENTS).find(
      ([refused]) => refused === (SHORT_ARGUMENTS[option] ?? option),
    )?.[1];
    if (reason !== undefined) problem(name, JSON.stringify(word), `other arguments of nixos-rebuild (${reason})`);
    else if (/[\n\0]/.test(word)) problem(name, JSON.stringify(word), "arguments of one line");
  }
  return value;
}
