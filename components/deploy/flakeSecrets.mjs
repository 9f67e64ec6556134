// @ts-check
/**
 * What must not lie in a flake's folder, checked before anything is done with it: Nix copies the folder whole into its
 * store, which every user of the machine can read, and sops-nix takes a secrets.yaml that nobody encrypted.
 *
 * No dependencies and no writes: the deployment program, `npm run secrets`, `npm run doctor` and the checks of CI ask
 * this file (`node flakeSecrets.mjs nix`). nix/secretFiles.nix is the same search in Nix, for the evaluation; one table of
 * cases holds the two together (test/secrets/searchCases.ts).
 */
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { isCovered, pathPatterns } from "./creationRules.mjs";
import { FORMS, matches, secretIn } from "./secretForms.mjs";
import { accessOf, formatOf, nameIn, opens, sopsFacts } from "./sopsFile.mjs";

/** Git's own folder does not become part of the flake. */
const SKIPPED = new Set([".git"]);

const SOPS_CONFIG = ".sops.yaml";

/** A larger text is refused without being searched, here as in Nix: GitHub does not take one either. In bytes. */
const LARGEST_TEXT = 100_000_000;

/** What other programs than sops encrypted begins so. */
const OTHERWISE_ENCRYPTED =
  /^(?:\$ANSIBLE_VAULT;|age-encryption\.org\/|-----BEGIN (?:AGE ENCRYPTED FILE|PGP MESSAGE)-----)/;

/** @typedef {{ patterns: string[], from: string, below: string }} Rules those of one .sops.yaml: which files below `from` */

/**
 * One text for each problem: the file, what is wrong, what to do. Never a value. Empty: nothing to object to.
 * @param {string} flakeFolder
 * @param {string} [machineRecipient] age recipient of the machine (`age1…`); without it, who can open is not compared
 * @returns {string[]}
 */
export function secretsProblems(flakeFolder, machineRecipient) {
  const files = filesOf(flakeFolder);
  const rules = rulesOf(flakeFolder, files);
  const above = path.join(flakeFolder, "..", SOPS_CONFIG);
  const unreadable = isFile(above) ? contentOf(above).problem : undefined;
  return [
    ...(unreadable === undefined ? [] : [`${above}: ${unreadable}`]),
    ...files.flatMap((file) => {
      const problem = problemOf(flakeFolder, file, rules, machineRecipient);
      return problem === undefined ? [] : [`${path.join(flakeFolder, file)}: ${problem}`];
    }),
  ];
}

/**
 * Names in the folder's SOPS files whose values are readable because the name ends in `_unencrypted`: nothing to refuse,
 * as whoever chose the name may have wanted it, but to be said.
 * @param {string} flakeFolder
 * @returns {string[]} "file: name"
 */
export function readableNames(flakeFolder) {
  const files = filesOf(flakeFolder);
  const rules = rulesOf(flakeFolder, files);
  return files.flatMap((file) => {
    if (!isForSops(file, rules)) return [];
    const { text } = contentOf(path.join(flakeFolder, file));
    if (text === undefined) return [];
    const { readable } = sopsFacts(text, formatOf(path.basename(file), text));
    return readable.map((name) => `${path.join(flakeFolder, file)}: ${name}`);
  });
}

/**
 * The recipients that a SOPS file is encrypted for with age, as its own block lists them.
 * @param {string} text
 * @returns {string[]}
 */
export function recipientsOf(text) {
  return [...new Set(accessOf(text).groups.flat())];
}

/**
 * Whether the machine is given a token to read its repository with. Names are readable in a SOPS file. A configuration
 * that names a file of its own knows where the token is; this project's own modules, which only declare the option, do
 * not count.
 * @param {string} flakeFolder
 */
export function hasToken(flakeFolder) {
  const files = filesOf(flakeFolder);
  const read = (/** @type {string} */ file) => contentOf(path.join(flakeFolder, file)).text ?? "";
  if (files.includes("secrets.yaml") && /^github-access-token:/m.test(read("secrets.yaml"))) return true;
  const own = files.filter((file) => file.endsWith(".nix") && !/^(modules|checks)[\\/]/.test(file));
  return own.some((file) => /\btokenFile\b/.test(read(file)));
}

/**
 * @param {string} folder
 * @returns {string[]} names relative to the folder, of files only (a link has no content of its own), and of folders
 *   that cannot be read, which opening them says
 */
function filesOf(folder, below = "") {
  /** @type {fs.Dirent[]} */
  let entries;
  try {
    entries = fs.readdirSync(path.join(folder, below), { withFileTypes: true });
  } catch (error) {
    if (below === "") throw error;
    return [below];
  }
  return entries.flatMap((entry) => {
    const name = path.join(below, entry.name);
    if (SKIPPED.has(entry.name)) return [];
    if (entry.isDirectory()) return filesOf(folder, name);
    return entry.isFile() ? [name] : [];
  });
}

/**
 * The creation rules that say something of the folder's files: its own .sops.yaml, that of the folder above, where a
 * project keeps it, and those of folders in it.
 * @param {string} flakeFolder
 * @param {string[]} files
 * @returns {Rules[]}
 */
function rulesOf(flakeFolder, files) {
  const inside = files.filter((file) => path.basename(file) === SOPS_CONFIG);
  const above = path.join(flakeFolder, "..", SOPS_CONFIG);
  return [
    ...inside.map((file) => ({
      file: path.join(flakeFolder, file),
      from: file.slice(0, -SOPS_CONFIG.length),
      below: "",
    })),
    // Also through a link; a pipe would be waited for.
    ...(isFile(above) ? [{ file: above, from: "", below: `${path.basename(path.resolve(flakeFolder))}/` }] : []),
  ].map(({ file, ...rest }) => ({ ...rest, patterns: pathPatterns(contentOf(file).text ?? "") }));
}

/** @param {string} place */
function isFile(place) {
  return fs.statSync(place, { throwIfNoEntry: false })?.isFile() === true;
}

/**
 * Whether a file is one of secrets, by its name or a creation rule.
 * @param {string} file
 * @param {Rules[]} rules
 */
function isForSops(file, rules) {
  if (matches(FORMS.exampleNames, path.basename(file))) return false;
  if (matches(FORMS.sopsNames, file) || matches(FORMS.sopsEndings, file)) return true;
  return rules.some(
    ({ patterns, from, below }) => file.startsWith(from) && isCovered(patterns, below, file.slice(from.length)),
  );
}

/**
 * @param {string} flakeFolder
 * @param {string} file
 * @param {Rules[]} rules
 * @param {string} [machineRecipient]
 */
function problemOf(flakeFolder, file, rules, machineRecipient) {
  const name = path.basename(file);
  // What cannot be decoded stands as U+FFFD, and leads to no file.
  if (file.includes("\uFFFD") && !fs.existsSync(path.join(flakeFolder, file))) {
    return "its name is not UTF-8, so that it cannot be searched for secrets. Rename it.";
  }
  if (matches(FORMS.keyNames, name)) return "it looks like a private key, by its name. Move it out of the folder.";
  const { text, problem: unsearched } = contentOf(path.join(flakeFolder, file));
  if (text === undefined) return unsearched;
  const format = formatOf(name, text);
  const facts = sopsFacts(text, format);
  if (isForSops(file, rules) && !OTHERWISE_ENCRYPTED.test(text)) {
    const problem = sopsProblem(facts);
    if (problem !== undefined) return problem;
    return machineRecipient !== undefined && matches(FORMS.sopsNames, name)
      ? accessProblem(accessOf(text, format), machineRecipient)
      : undefined;
  }
  if (facts.encrypted) {
    // What a rule leaves readable in another file than one of secrets is meant to be: a manifest for a cluster, say.
    if (facts.plain === undefined) return undefined;
    if (facts.cause === undefined) return sopsProblem(facts);
  }
  const what = secretIn(text, name);
  if (what === undefined) return undefined;
  return `it holds ${what}, and the folder is copied to the Nix store, where every user can read it. Move it out of the folder, or store it with \`npm run secrets -- set\`; if it was ever committed or deployed, make a new one.`;
}

/** One for all files: most of them fit, and there may be thousands. */
const FIRST = Buffer.allocUnsafe(65536);

/**
 * The text of a file; none when it is none, as a picture, or what git-crypt locked, or when it cannot be had: then with
 * what is wrong.
 * @param {string} file
 * @returns {{ text?: string, problem?: string }}
 */
function contentOf(file) {
  try {
    const text = textOf(file);
    return text === undefined ? {} : { text };
  } catch (error) {
    if (error instanceof TooLarge) {
      return {
        problem: `it is a text of more than ${LARGEST_TEXT / 1_000_000} MB, which is too large to be searched for secrets. Move it out of the folder, or split it.`,
      };
    }
    const code = /** @type {NodeJS.ErrnoException} */ (error).code ?? String(error);
    return {
      problem: `it cannot be read (${code}), and so not be searched for secrets. Give yourself the right to read it, or move it out of the folder.`,
    };
  }
}

class TooLarge extends Error {}

/**
 * @param {string} file
 * @returns {string | undefined}
 */
function textOf(file) {
  const descriptor = fs.openSync(file, "r");
  try {
    const beginning = FIRST.subarray(0, fs.readSync(descriptor, FIRST));
    const wide = wideEncoding(beginning);
    // Most that is not text shows it at once, and may be large.
    if (wide === undefined && beginning.includes(0)) return undefined;
    if (fs.fstatSync(descriptor).size > LARGEST_TEXT) throw new TooLarge();
    const all = beginning.length < FIRST.length ? beginning : Buffer.concat([beginning, fs.readFileSync(descriptor)]);
    if (wide !== undefined) return new TextDecoder(wide).decode(all);
    return all.includes(0) ? undefined : all.toString("utf8").replace(/^\uFEFF/, "");
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Windows writes text like this. @param {Buffer} beginning */
function wideEncoding(beginning) {
  if (beginning[0] === 0xff && beginning[1] === 0xfe) return "utf-16le";
  return beginning[0] === 0xfe && beginning[1] === 0xff ? "utf-16be" : undefined;
}

/** @param {import("./sopsFile.mjs").SopsFacts} facts */
function sopsProblem({ encrypted, plain, cause }) {
  if (!encrypted) {
    return "it is not encrypted: SOPS's own block is missing. Encrypt it with `npm run secrets -- init`, or move it out of the folder.";
  }
  if (plain === undefined) return undefined;
  const name = nameIn(plain);
  const where = name === undefined ? "a line without a name" : `"${name}"`;
  const why = cause === undefined ? "" : ` The rule "${cause}", which it was encrypted under, leaves it readable.`;
  return `it holds a value that is not encrypted (${where}).${why} Take the last good file back from git, and store the value with \`npm run secrets -- set\`; if it was ever committed, it must be changed too.`;
}

/**
 * @param {import("./sopsFile.mjs").Access} access
 * @param {string} machineRecipient
 */
function accessProblem(access, machineRecipient) {
  const { held, enough } = opens(access, [machineRecipient]);
  if (enough) return undefined;
  const recipients = [...new Set(access.groups.flat())];
  if (held > 0) {
    return `the machine cannot open it: it is encrypted for ${access.groups.length} key groups, of which ${access.needed} are needed together, and the machine, ${machineRecipient}, is in ${held}. Put it into one group with the others in .sops.yaml (a dash too many makes a second group), run \`sops updatekeys\` on the file, and commit.`;
  }
  const raw = recipients.some((recipient) => recipient.startsWith("ssh-"))
    ? ' A recipient "ssh-ed25519 …" does not open there, even if it is the machine\'s key: it must be the converted one.'
    : "";
  return `the machine cannot open it: it is encrypted for ${recipients.join(", ") || "no age recipient"}, and not for the machine, ${machineRecipient}.${raw} Run \`npm run secrets -- init --recipient ${machineRecipient}\`, and commit.`;
}

/** For CI: `node flakeSecrets.mjs FOLDER` ends with 1 when there is something to object to. */
function main(/** @type {string[]} */ [folder = "nix"]) {
  const problems = secretsProblems(folder);
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  if (problems.length === 0) process.stdout.write(`${folder}: no private key, no secret in plain text\n`);
  return problems.length === 0 ? 0 : 1;
}

if (process.argv[1] !== undefined && fs.realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = main(process.argv.slice(2));
}
