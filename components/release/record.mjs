// @ts-check
/**
 * The release record: which system a revision of a branch is, signed by continuous integration, numbered, and valid for a
 * time. This is its format and what is wrong with one; signature.mjs says who signed it.
 *
 * No dependencies: the program that publishes in CI and whoever reads records at a computer ask this file. The machine
 * has the same rules in shell, and one table of cases holds the two together (test/release/cases.ts).
 */
import { isRevision } from "../deploy/revision.mjs";
import { escapeInvisible } from "../deploy/text.mjs";

/**
 * @typedef {object} ReleaseRecord
 * @property {1} version of the format
 * @property {"released" | "started" | "failed"} state
 * @property {string} repository `owner/name`
 * @property {number | null} repositoryId GitHub's number
 * @property {string} branch
 * @property {string} attribute which of the flake's nixosConfigurations
 * @property {string} revision that was built
 * @property {string | null} previousRevision that of the record before
 * @property {string} tip where the branch was, or where this release leads on from: `revision`, unless republished
 * @property {boolean} republished an older revision, on purpose
 * @property {string | null} system store path; null unless released
 * @property {number | null} number counts up; null unless released
 * @property {number} time of the signature, in seconds since 1970
 * @property {number} validUntil in seconds since 1970
 * @property {string | null} run address of the job
 *
 * @typedef {{ text: string, signature: string }} Envelope the record's text, whose bytes are signed
 *
 * Why a record is not taken: each has its own word in the table of cases.
 * @typedef {"size" | "envelope" | "signature" | "version" | "members" | "repository" | "branch" | "attribute" | "number"
 *   | "future" | "expired"} Refusal
 */

/** What signatures of records are for, so that one of the same key for something else is none. */
export const NAMESPACE = "nixos-release";
/** Who signs, in the file of allowed signers. */
export const SIGNER = "release";
/** The largest envelope, in bytes. Nothing longer is read. */
const LARGEST_ENVELOPE = 16 * 1024;
/** How long a record is good for. */
export const VALID_SECONDS = 7 * 24 * 60 * 60;
/** By how much the clocks of CI and of a machine may differ. */
const CLOCK_SECONDS = 300;

export class RecordRefused extends Error {
  /**
   * @param {Refusal} refusal
   * @param {string} message
   */
  constructor(refusal, message) {
    super(message);
    this.name = "RecordRefused";
    this.refusal = refusal;
  }
}

/**
 * Where the records of a branch and an attribute are in the bucket. What is no plain letter is written by its bytes in
 * hex, so that no name reaches into another's folder: after a tilde and not a percent sign, which would have to be escaped
 * once more in addresses, and in the signature of each request.
 * @param {string} branch
 * @param {string} attribute
 */
export function releaseFolder(branch, attribute) {
  return `${branchFolder(branch)}${segment(attribute)}/`;
}

/** @param {string} branch */
export function branchFolder(branch) {
  return `${RELEASES}${segment(branch)}/`;
}

/** Below which all records are. */
export const RELEASES = "releases/";

/** @param {string} name */
function segment(name) {
  if (/^\.*$/.test(name)) throw new Error(`There is no place for the name ${shown(name)}: it needs more than dots.`);
  return name.replace(/[^A-Za-z0-9._-]/gu, (character) =>
    [...Buffer.from(character, "utf8")].map((byte) => `~${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
  );
}

/** The name of a segment. @param {string} text */
export function nameOf(text) {
  return decodeURIComponent(text.replaceAll("~", "%"));
}

/** @param {string} folder @param {number} number */
export const numberedKey = (folder, number) => `${folder}${number}.json`;
/** @param {string} folder */
export const latestKey = (folder) => `${folder}latest.json`;
/** @param {string} folder @param {string} revision */
export const progressKey = (folder, revision) => `${folder}progress/${revision}.json`;

/** The number in the key of a numbered record. @param {string} key */
export function numberIn(key) {
  const number = /\/([1-9][0-9]{0,15})\.json$/.exec(key)?.[1];
  return number === undefined ? undefined : Number(number);
}

/**
 * The text that is signed: all members in their order.
 * @param {ReleaseRecord} record
 */
export function encodeRecord(record) {
  const text = JSON.stringify(
    Object.fromEntries(Object.keys(MEMBERS).map((name) => [name, record[/** @type {keyof ReleaseRecord} */ (name)]])),
  );
  // What no machine would take is not signed.
  decodeRecord(text);
  return text;
}

/** @param {Envelope} envelope */
export function encodeEnvelope({ text, signature }) {
  const bytes = Buffer.from(JSON.stringify({ record: text, signature }), "utf8");
  if (bytes.length > LARGEST_ENVELOPE) throw tooLarge(`${bytes.length} bytes`);
  return bytes;
}

/**
 * @param {Uint8Array} bytes
 * @returns {Envelope}
 */
export function decodeEnvelope(bytes) {
  if (bytes.length > LARGEST_ENVELOPE) throw tooLarge(`more than ${LARGEST_ENVELOPE} bytes`);
  const value = jsonObject(bytes);
  const { record, signature } = /** @type {Record<string, unknown>} */ (value ?? {});
  if (
    value === undefined ||
    Object.keys(value).length !== 2 ||
    typeof record !== "string" ||
    typeof signature !== "string"
  )
    throw new RecordRefused(
      "envelope",
      "It is no signed record: JSON with the texts record and signature, and nothing else.",
    );
  return { text: record, signature };
}

/** @param {string} size */
function tooLarge(size) {
  return new RecordRefused("size", `The record has ${size}; allowed: ${LARGEST_ENVELOPE}.`);
}

/** @param {string | Uint8Array} text an object of JSON, bytes in UTF-8; undefined: it is none */
export function jsonObject(text) {
  try {
    const read = typeof text === "string" ? text : new TextDecoder("utf-8", { fatal: true }).decode(text);
    const value = /** @type {unknown} */ (JSON.parse(read));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? /** @type {Record<string, unknown>} */ (value)
      : undefined;
  } catch {
    return undefined;
  }
}

/** @type {(value: unknown) => boolean} */
const isText = (value) =>
  typeof value === "string" && value !== "" && value === escapeInvisible(value) && value.length <= 1000;
/** @type {(value: unknown) => boolean} */
const isCount = (value) => Number.isSafeInteger(value) && /** @type {number} */ (value) >= 1;
/** @param {(value: unknown) => boolean} rule @returns {(value: unknown) => boolean} */
const orNull = (rule) => (value) => value === null || rule(value);

/** The letters are those of Nix's hashes. The folder is the one that Nix itself would be told. */
const isSystem = (/** @type {unknown} */ value) => {
  const store = process.env["NIX_STORE_DIR"] || "/nix/store";
  if (typeof value !== "string" || !value.startsWith(`${store}/`)) return false;
  return /^[0-9a-df-np-sv-z]{32}-[A-Za-z0-9+._?=-]{1,211}$/.test(value.slice(store.length + 1));
};

/** @type {Record<keyof ReleaseRecord, (value: unknown) => boolean>} */
const MEMBERS = {
  version: (value) => value === 1,
  state: (value) => value === "released" || value === "started" || value === "failed",
  repository: (value) => typeof value === "string" && /^[A-Za-z0-9_-]+\/[A-Za-z0-9._-]+$/.test(value),
  repositoryId: orNull(isCount),
  branch: isText,
  attribute: isText,
  revision: isRevision,
  previousRevision: orNull(isRevision),
  tip: isRevision,
  republished: (value) => typeof value === "boolean",
  system: orNull(isSystem),
  number: orNull(isCount),
  time: isCount,
  validUntil: isCount,
  run: orNull((value) => isText(value) && /^https:\/\//.test(/** @type {string} */ (value))),
};

/**
 * What the text of a record says. Its signature must have been checked before.
 * @param {string} text
 * @returns {ReleaseRecord}
 */
export function decodeRecord(text) {
  const value = jsonObject(text);
  if (value === undefined) throw new RecordRefused("members", "The record is no JSON object.");
  // First: what another version means by its other members nobody here knows.
  if (value["version"] !== 1) {
    throw new RecordRefused(
      "version",
      `The record is of version ${shown(value["version"])}; this program reads 1. Update it.`,
    );
  }
  const unknown = Object.keys(value).filter((name) => !Object.hasOwn(MEMBERS, name));
  const bad = Object.entries(MEMBERS).filter(([name, rule]) => !Object.hasOwn(value, name) || !rule(value[name]));
  const released = value["state"] === "released";
  const problems = [
    ...unknown.map((name) => `${shown(name)} is no member`),
    ...bad.map(([name]) => (Object.hasOwn(value, name) ? `${name} is ${shown(value[name])}` : `${name} is missing`)),
    ...(["system", "number"].some((name) => (value[name] === null) === released)
      ? ["system and number go with the state released, and with no other"]
      : []),
    ...(value["republished"] === false && value["tip"] !== value["revision"]
      ? ["tip is not the revision, and the record is not republished"]
      : []),
    ...(Number(value["validUntil"]) > Number(value["time"]) ? [] : ["validUntil is not after time"]),
  ];
  if (problems.length > 0)
    throw new RecordRefused("members", `The record has other members than it may: ${problems.join("; ")}.`);
  return /** @type {ReleaseRecord} */ (/** @type {unknown} */ (value));
}

/**
 * Throws when a record is about something else than is wanted, or not for now.
 * @param {ReleaseRecord} record
 * @param {{ repository: string, branch: string, attribute: string, now: number, highest?: number }} wanted `now` in
 *   seconds since 1970; `highest` the number of the newest record that was seen before
 */
export function checkRecord(record, wanted) {
  for (const name of /** @type {const} */ (["repository", "branch", "attribute"])) {
    // GitHub takes names in any case, and keeps the one that somebody last gave them.
    const plain = (/** @type {string} */ text) => (name === "repository" ? text.toLowerCase() : text);
    if (plain(record[name]) !== plain(wanted[name]))
      throw new RecordRefused(
        name,
        `The record is of the ${name} ${shown(record[name])}; wanted: ${shown(wanted[name])}.`,
      );
  }
  if (record.number !== null && record.number <= (wanted.highest ?? 0)) {
    throw new RecordRefused(
      "number",
      `The record has number ${record.number}, and ${wanted.highest} was seen before: it is an old one.`,
    );
  }
  if (record.time > wanted.now + CLOCK_SECONDS) {
    throw new RecordRefused(
      "future",
      `The record is ${record.time - wanted.now} s in the future; allowed: ${CLOCK_SECONDS}. Compare the clocks.`,
    );
  }
  if (record.validUntil <= wanted.now) {
    throw new RecordRefused("expired", `The record has expired ${wanted.now - record.validUntil} s ago.`);
  }
}

/** @param {unknown} value */
function shown(value) {
  return escapeInvisible(JSON.stringify(value) ?? "nothing").slice(0, 100);
}
