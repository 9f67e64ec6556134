// @ts-check
/**
 * What must not lie in a flake's folder, checked before anything is done with it: Nix copies the folder whole into its
 * store, which every user of the machine can read, and sops-nix takes a secrets.yaml that nobody encrypted.
 *
 * No dependencies and no writes: the deployment program, `npm run secrets` and `npm run doctor` all ask this file. It
 * knows SOPS's own output, block style with one value a line; what it does not know it refuses.
 */
import fs from "node:fs";
import path from "node:path";

/** Git's own folder and links to build results: neither becomes part of the flake. */
const SKIPPED = new Set([".git"]);

/** A private key is a few kilobytes; a larger file is searched in its beginning. */
const SEARCHED_BYTES = 1024 * 1024;

const KEY_FILE = /^(id_(rsa|dsa|ecdsa|ed25519)|.*\.age-key|keys\.txt)$/;
const KEY_TEXT = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{16}|AGE-SECRET-KEY-(PQ-)?1[A-Z0-9]{32}/;
const SOPS_FILE = /^secrets?(\.[^/]*)?\.ya?ml$/;

/**
 * One text for each problem: the file, what is wrong, what to do. Never a value. Empty: nothing to object to.
 * @param {string} flakeFolder
 * @param {string} [machineRecipient] age recipient of the machine (`age1…`); without it, who can open is not compared
 * @returns {string[]}
 */
export function secretsProblems(flakeFolder, machineRecipient) {
  return filesOf(flakeFolder).flatMap((file) => {
    const problem = problemOf(path.join(flakeFolder, file), machineRecipient);
    return problem === undefined ? [] : [`${path.join(flakeFolder, file)}: ${problem}`];
  });
}

/**
 * The recipients that a SOPS file is encrypted for with age, as its own block lists them.
 * @param {string} text
 * @returns {string[]}
 */
export function recipientsOf(text) {
  const { sopsBlock } = partsOf(text);
  return sopsBlock.flatMap((line) => {
    const match = /^\s+(?:- )?recipient: (.+)$/.exec(line.trimEnd());
    return match?.[1] === undefined ? [] : [match[1].replace(/^(["'])(.*)\1$/, "$2")];
  });
}

/**
 * Whether the machine is given a token to read its repository with. Names are readable in a SOPS file. A configuration
 * that names a file of its own knows where the token is; this project's own modules, which only declare the option, do
 * not count.
 * @param {string} flakeFolder
 */
export function hasToken(flakeFolder) {
  const files = filesOf(flakeFolder);
  const read = (/** @type {string} */ file) => fs.readFileSync(path.join(flakeFolder, file), "utf8");
  if (files.includes("secrets.yaml") && /^github-access-token:/m.test(read("secrets.yaml"))) return true;
  const own = files.filter((file) => file.endsWith(".nix") && !/^(modules|checks)[\\/]/.test(file));
  return own.some((file) => /\btokenFile\b/.test(read(file)));
}

/**
 * @param {string} folder
 * @returns {string[]} names relative to the folder, of files only: a link has no content of its own
 */
function filesOf(folder, below = "") {
  return fs.readdirSync(path.join(folder, below), { withFileTypes: true }).flatMap((entry) => {
    const name = path.join(below, entry.name);
    if (SKIPPED.has(entry.name)) return [];
    if (entry.isDirectory()) return filesOf(folder, name);
    return entry.isFile() ? [name] : [];
  });
}

/**
 * @param {string} file
 * @param {string} [machineRecipient]
 */
function problemOf(file, machineRecipient) {
  const text = beginningOf(file);
  if (KEY_TEXT.test(text)) {
    return "it holds a private key, and the folder is copied to the Nix store, where every user can read it. Move it out of the folder; if it was ever deployed, make a new key.";
  }
  if (KEY_FILE.test(path.basename(file))) return "it looks like a private key, by its name. Move it out of the folder.";
  return SOPS_FILE.test(path.basename(file)) ? sopsProblem(text, machineRecipient) : undefined;
}

/** @param {string} file */
function beginningOf(file) {
  const descriptor = fs.openSync(file, "r");
  try {
    const buffer = Buffer.alloc(Math.min(fs.fstatSync(descriptor).size, SEARCHED_BYTES));
    return buffer.toString("utf8", 0, fs.readSync(descriptor, buffer));
  } finally {
    fs.closeSync(descriptor);
  }
}

/**
 * @param {string} text
 * @param {string} [machineRecipient]
 */
function sopsProblem(text, machineRecipient) {
  const { content, sopsBlock } = partsOf(text);
  if (!sopsBlock.some((line) => /^\s+mac: (["']?)ENC\[AES256_GCM,/.test(line))) {
    return "it is not encrypted: SOPS's own block is missing. Encrypt it with `npm run secrets -- init`, or move it out of the folder.";
  }
  const plain = content.find((line) => !isEncrypted(line));
  if (plain !== undefined) {
    return `it holds a value that is not encrypted (${nameIn(plain)}). Take the last good file back from git, and store the value with \`npm run secrets -- set\`; if it was ever committed, it must be changed too.`;
  }
  const recipients = recipientsOf(text);
  if (machineRecipient === undefined || recipients.includes(machineRecipient)) return undefined;
  const raw = recipients.some((recipient) => recipient.startsWith("ssh-"))
    ? ' A recipient "ssh-ed25519 …" does not open there, even if it is the machine\'s key: it must be the converted one.'
    : "";
  return `the machine cannot open it: it is encrypted for ${recipients.join(", ") || "no age recipient"}, and not for the machine, ${machineRecipient}.${raw} Run \`npm run secrets -- init --recipient ${machineRecipient}\`, and commit.`;
}

/**
 * SOPS writes its own block at the top level, with everything in it indented.
 * @param {string} text
 */
function partsOf(text) {
  const lines = text.split(/\r?\n/);
  const start = lines.findIndex((line) => /^sops:\s*$/.test(line));
  if (start < 0) return { content: lines, sopsBlock: [] };
  const length = lines.slice(start + 1).findIndex((line) => /^\S/.test(line));
  const end = length < 0 ? lines.length : start + 1 + length;
  return { content: [...lines.slice(0, start), ...lines.slice(end)], sopsBlock: lines.slice(start + 1, end) };
}

/** A name is readable in a SOPS file; a value is not, unless it is empty or its name says that it is left as it is. */
const ENCRYPTED_LINES = [
  /^(---)?$/,
  /^#ENC\[AES256_GCM,.*\]$/,
  /^([^:]+:)?\s*(""|''|null|\[\]|\{\})?$/,
  /^([^:]+:)?\s*ENC\[AES256_GCM,.*\]$/,
  /^[^:]+_unencrypted:.*$/,
];

/** @param {string} line */
function isEncrypted(line) {
  // The marks of lists apart, or the patterns below could divide a long line between them in too many ways.
  const text = line.trim().replace(/^(?:-(?: |$))+/, "");
  return ENCRYPTED_LINES.some((pattern) => pattern.test(text));
}

/**
 * The name at the beginning of a line; never what follows it.
 * @param {string} line
 */
function nameIn(line) {
  const name = /^\s*(?:- )*([A-Za-z0-9_./-]+):/.exec(line)?.[1];
  return name === undefined ? "a line without a name" : `"${name}"`;
}
