// @ts-check
// What the values of a deployment may be, and what they are when nobody says. The component asks these rules in the
// preview, the deployment program asks them again before it touches a machine: what one accepts, the other does too.
// CommonJS, because both load it: the component's TypeScript is compiled to it, and ES modules can import it.
const { isIP } = require("node:net");

/**
 * Why a value is refused.
 * @typedef {object} Refusal
 * @property {string} allowed what would be accepted
 * @property {string} [remedy] what to do, as a sentence
 */

/**
 * Undefined for a value that is accepted.
 * @typedef {(value: any) => Refusal | undefined} Rule
 */

/** What JSON leaves as it is and a terminal obeys: delete, the second set of controls, turns of the reading direction. */
const OBEYED = /[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/**
 * A value as a message shows it: quoted and escaped, so that a newline or a control character is visible.
 * @param {unknown} value
 * @returns {string}
 */
function quote(value) {
  const text = (json(value) ?? "undefined").replaceAll(
    OBEYED,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return text.length <= 120 ? text : `${text.slice(0, 117)}…`;
}

/**
 * @param {unknown} value
 * @returns {string | undefined}
 */
function json(value) {
  try {
    return JSON.stringify(value);
  } catch {
    // It holds itself, or is nested without end, or is a number that JSON lacks.
    return "a value that cannot be shown";
  }
}

const DEFAULTS = Object.freeze({
  flake: "path:./nix#default",
  buildOn: "host",
  sshPort: 22,
  substitute: true,
  confirmSeconds: 60,
  switchSeconds: 600,
  waitSeconds: 600,
  // Hydra's: the longest steps of nixpkgs that print nothing, linking a browser say, stay below it.
  silentSeconds: 7200,
  evaluate: true,
  evaluationCache: true,
  allowDirty: false,
  allowFailedUnits: false,
  /** @type {readonly string[]} */
  extraArguments: Object.freeze([]),
});

/**
 * @param {number} lowest
 * @param {number} highest
 * @param {string} allowed
 * @returns {Rule}
 */
function wholeNumber(lowest, highest, allowed) {
  return (value) => (Number.isInteger(value) && value >= lowest && value <= highest ? undefined : { allowed });
}

/**
 * @param {number} lowest
 * @param {number} highest
 */
const seconds = (lowest, highest) =>
  wholeNumber(lowest, highest, `a whole number of seconds from ${lowest} to ${highest}`);

/**
 * @param {RegExp} form
 * @param {string} allowed
 * @returns {Rule}
 */
function matching(form, allowed) {
  return (value) => (typeof value === "string" && form.test(value) ? undefined : { allowed });
}

/** A DNS name or an alias of ~/.ssh/config; never an option. */
const HOST_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

/** @type {Rule} */
function host(value) {
  const isHost =
    typeof value === "string" &&
    // A zone ("%eth0") means another interface on every computer.
    (HOST_NAME.test(value) || (isIP(value) !== 0 && !value.includes("%")));
  return isHost ? undefined : { allowed: "a DNS name or an IP address" };
}

/** @type {Rule} */
function buildOn(value) {
  const allowed = '"host", "local", or the SSH destination of a builder such as "builder@example.com"';
  if (typeof value !== "string" || value === "") return { allowed };
  if (value === "localhost") return { allowed, remedy: 'nixos-rebuild would log in to this computer: write "local".' };
  const [, destination] = /^(?:[A-Za-z_][A-Za-z0-9_-]*@)?([^@]*)$/.exec(value) ?? [];
  if (destination !== undefined && HOST_NAME.test(destination)) return undefined;
  const remedy = value.includes(":")
    ? "A port or an IPv6 address goes into a Host section of ~/.ssh/config; name that section here."
    : undefined;
  return { allowed, remedy };
}

/** The newline at the end is what tls.PrivateKey's `publicKeyOpenssh` has. */
const publicKey = matching(
  /^ssh-ed25519 [A-Za-z0-9+/]+={0,2}( \P{Cc}*)?\n?$/u,
  'an ed25519 public key, "ssh-ed25519 AAAA…"',
);

/** @type {Rule} */
function flake(value) {
  const allowed = 'one flake and one attribute, "<flake>#<attribute>", such as "path:./nix#default"';
  /** @param {string} remedy */
  const refused = (remedy) => ({ allowed, remedy });
  if (typeof value !== "string" || value === "") return refused("It is empty.");
  const [reference = "", attribute, ...more] = value.split("#");
  if (attribute === undefined) return refused(`The attribute is missing: write ${quote(`${value}#default`)}.`);
  if (more.length > 0) return refused("It has more than one #.");
  if (attribute === "") return refused('The attribute after the # is empty: write "#default".');
  if (reference === "") return refused('The flake is missing before the #: write "path:./nix#…".');
  if (reference.startsWith("-")) return refused("It starts with -, which would be taken for an option.");
  const illegal = /[^A-Za-z0-9._~:/?=&%+@,-]/u.exec(reference)?.[0] ?? /[^A-Za-z0-9._-]/u.exec(attribute)?.[0];
  if (illegal !== undefined) return refused(`The character ${quote(illegal)} is not allowed in it.`);
  if (!/^[A-Za-z_]/.test(attribute)) return refused("The attribute must start with a letter or _.");
  return undefined;
}

const NO_CHANGE_TO_PREVIEW = "the preview would show another system";

/**
 * Arguments of nixos-rebuild that a deployment sets itself, or that would install something else than was evaluated.
 * @type {Record<string, string>}
 */
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
  "--store-path": NO_CHANGE_TO_PREVIEW,
  "--rollback": NO_CHANGE_TO_PREVIEW,
  "--specialisation": NO_CHANGE_TO_PREVIEW,
  "--profile-name": "the rollback knows only the profile of the system",
  "--upgrade": NO_CHANGE_TO_PREVIEW,
  "--upgrade-all": NO_CHANGE_TO_PREVIEW,
  "--impure": NO_CHANGE_TO_PREVIEW,
  "--override-input": NO_CHANGE_TO_PREVIEW,
  "--update-input": NO_CHANGE_TO_PREVIEW,
  "--recreate-lock-file": NO_CHANGE_TO_PREVIEW,
  "--commit-lock-file": NO_CHANGE_TO_PREVIEW,
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
 * The options in a word: "--flake=x" is one, "-kLp" are three, and what follows -I or -j is their value.
 * @param {string} word
 */
function optionsIn(word) {
  const [, letters] = /^-([A-Za-z]+)/.exec(word) ?? [];
  if (letters === undefined) return [word.replace(/=.*/s, "")];
  return [...letters.replace(/[Ij].*/, "")].map((letter) => `-${letter}`);
}

/**
 * One word: an argument that stays one on its way through ssh.
 * @type {Rule}
 */
function extraArgument(value) {
  const allowed = "an argument of nixos-rebuild, one word without spaces, quotes or shell signs";
  if (typeof value !== "string" || !/^[^\s\p{Cc}'"\\$`;|&<>()]+$/u.test(value)) return { allowed };
  const reason = optionsIn(value)
    .map((option) => REFUSED_ARGUMENTS[SHORT_ARGUMENTS[option] ?? option])
    .find(Boolean);
  return reason === undefined ? undefined : { allowed: `other arguments of nixos-rebuild (${reason})` };
}

/** Of environments and of other languages it may come as a text, of which every one counts as true. @type {Rule} */
function flag(value) {
  return typeof value === "boolean" ? undefined : { allowed: "true or false, without quotes" };
}

/** @satisfies {Record<string, Rule>} */
const RULES = {
  host,
  sshPort: wholeNumber(1, 65535, "a TCP port, a whole number from 1 to 65535"),
  publicKey,
  flake,
  buildOn,
  flag,
  // Less is over before a new SSH connection stands, and every deployment would be rolled back.
  confirmSeconds: seconds(5, 3600),
  switchSeconds: seconds(1, 86400),
  waitSeconds: seconds(1, 86400),
  silentSeconds: seconds(1, 86400),
  extraArgument,
  repository: matching(/^[A-Za-z0-9_.-]+\/[A-Za-z0-9_.-]+$/, '"owner/name" of a repository'),
};

module.exports = { DEFAULTS, RULES, quote };
