// @ts-check
/**
 * Plain text for a terminal and for GitHub: what is shown of a value that somebody else chose, and how lines are built.
 * Deployments and the reports in cli/render share it; it lies here because the deployment program imports nothing that
 * is not beside it.
 */

/** Stands for every secret. It is also what the engine writes in its own JSON. */
export const SECRET = "[secret]";

/** Secrets that are known by their form, wherever they turn up: in a value that nobody marked, in an error message. */
const KNOWN_SECRETS = [
  // An end that is missing (the text was cut) must not let the beginning through.
  /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|$)/g,
  /AGE-SECRET-KEY-1[0-9A-Z]+/g,
  /github_pat_[A-Za-z0-9_]{20,}/g,
  // The newest of apps are a JSON Web Token.
  /gh[pousr]_[A-Za-z0-9][A-Za-z0-9_.-]{19,}/g,
  /pul-[0-9a-f]{40}/g,
];

/**
 * Replaces what looks like a secret.
 * @param {string} text
 */
export function withoutSecrets(text) {
  return KNOWN_SECRETS.reduce((rest, pattern) => rest.replace(pattern, SECRET), text);
}

/**
 * Characters that one does not see, or that change how others are shown: controls, line separators, marks that turn the
 * direction of writing, zero-width and tag characters, halves of surrogate pairs.
 */
const INVISIBLE =
  // eslint-disable-next-line no-control-regex, no-misleading-character-class
  /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb\u{e0000}-\u{e0fff}\p{Surrogate}]/gu;

/** @type {Record<string, string>} */
const SHORT_ESCAPES = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/**
 * Shows invisible characters as escapes. The result is one line.
 * @param {string} text
 */
export function escapeInvisible(text) {
  // Nearly every text is plain ASCII, and thousands of them are in one report.
  if (/^[ -~]*$/.test(text)) return text;
  return text.replace(
    INVISIBLE,
    (character) => SHORT_ESCAPES[character] ?? `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}

/**
 * Lines that another program wrote, without what would move the cursor, colour the terminal or hide a part of them.
 * @param {string} text
 */
export function sanitizeLines(text) {
  return withoutColours(text)
    .split(/\r?\n/)
    .map((line) => escapeInvisible(line.replaceAll("\t", "  ")))
    .join("\n");
}

/**
 * Removes the colours of a terminal (with the "erase to the end of the line" that compilers write beside them) and the engine's own colour tags, which mean nothing in a message.
 * @param {string} text
 */
export function withoutColours(text) {
  // eslint-disable-next-line no-control-regex
  return text.replace(/\u001b\[[0-9;]{0,40}[mK]/g, "").replace(/<\{%[^%\n]{0,40}%\}>/g, "");
}

/**
 * At most `limit` characters, with a count of those that are left out. Does not cut a character in half.
 * @param {string} text
 * @param {number} limit
 */
export function shortened(text, limit) {
  if (text.length <= limit) return text;
  const kept = text.slice(0, limit).replace(/[\ud800-\udbff]$/, "");
  return `${kept}… (${(text.length - kept.length).toLocaleString("en-US")} more characters)`;
}

/** What is kept of an output without end: how it begins and how it ends. */
export class Excerpt {
  /** All that was added, in characters. */
  length = 0;
  #beginning = "";
  #end = "";

  /** @param {number} [kept] characters of each */
  constructor(kept = 2 ** 17) {
    this.kept = kept;
  }

  /** @param {string} chunk */
  add(chunk) {
    this.length += chunk.length;
    const space = this.kept - this.#beginning.length;
    if (space > 0) this.#beginning += chunk.slice(0, space);
    if (chunk.length > space) this.#end = (this.#end + chunk.slice(Math.max(0, space))).slice(-this.kept);
  }

  text() {
    const left = this.length - this.#beginning.length - this.#end.length;
    const gap = left === 0 ? "" : `\n… (${left.toLocaleString("en-US")} characters left out)\n`;
    return `${this.#beginning}${gap}${this.#end}`;
  }
}

/**
 * At most `limit` lines, with a count of those that are left out.
 * @param {string[]} lines
 * @param {number} limit
 */
export function shortenedLines(lines, limit) {
  if (lines.length <= limit) return lines;
  return [...lines.slice(0, limit), `… (${(lines.length - limit).toLocaleString("en-US")} more lines)`];
}

/**
 * Old and new value, one below the other; what is not there has no line.
 * @param {string | undefined} before
 * @param {string | undefined} after
 * @param {string} [label] stands before each
 */
export function oldAndNew(before, after, label = "") {
  return [
    ...(before === undefined ? [] : [`- ${label}${before}`]),
    ...(after === undefined ? [] : [`+ ${label}${after}`]),
  ];
}

/**
 * "12.3 s"
 * @param {number} milliseconds
 */
export function inSeconds(milliseconds) {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

/**
 * Rows with their cells below each other; numbers with a unit end at the same place.
 * @param {string[][]} rows all of the same length
 */
export function columns(rows) {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => (row[at] ?? "").length)));
  return rows.map((row) =>
    row
      .map((cell, at) => aligned(cell, widths[at] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/**
 * @param {string} cell
 * @param {number} width
 */
export function aligned(cell, width) {
  return /^\d+(\.\d+)?( s)?$/.test(cell) ? cell.padStart(width) : cell.padEnd(width);
}
