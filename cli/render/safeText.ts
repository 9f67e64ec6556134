/** Stands for every secret. It is also what the engine writes in its own JSON. */
export const SECRET = "[secret]";

/** Secrets that are known by their form, wherever they turn up: in a value that nobody marked, in an error message. */
const KNOWN_SECRETS = [
  // An end that is missing (the text was cut) must not let the beginning through.
  /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|$)/g,
  /AGE-SECRET-KEY-1[0-9A-Z]+/g,
  /github_pat_[A-Za-z0-9_]{20,}/g,
  /gh[pousr]_[A-Za-z0-9]{20,}/g,
  /pul-[0-9a-f]{40}/g,
];

/** Replaces what looks like a secret. */
export function withoutSecrets(text: string): string {
  return KNOWN_SECRETS.reduce((rest, pattern) => rest.replace(pattern, SECRET), text);
}

/**
 * Characters that one does not see, or that change how others are shown: controls, line separators, marks that turn the
 * direction of writing, zero-width and tag characters, halves of surrogate pairs.
 */
const INVISIBLE =
  // eslint-disable-next-line no-control-regex, no-misleading-character-class
  /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb\u{e0000}-\u{e0fff}\p{Surrogate}]/gu;

const SHORT_ESCAPES: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Shows invisible characters as escapes. The result is one line. */
export function visible(text: string): string {
  // Nearly every text is plain ASCII, and thousands of them are in one report.
  if (/^[ -~]*$/.test(text)) return text;
  return text.replace(
    INVISIBLE,
    (character) => SHORT_ESCAPES[character] ?? `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

/** Removes the colours of a terminal and the engine's own colour tags, which mean nothing in a message. */
export function withoutColours(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/\u001b\[[0-9;]*m/g, "").replace(/<\{%[^%\n]{0,40}%\}>/g, "");
}

/** At most `limit` characters, with a count of those that are left out. Does not cut a character in half. */
export function shortened(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const kept = text.slice(0, limit).replace(/[\ud800-\udbff]$/, "");
  return `${kept}… (${(text.length - kept.length).toLocaleString("en-US")} more characters)`;
}

/** At most `limit` lines, with a count of those that are left out. */
export function shortenedLines(lines: string[], limit: number): string[] {
  if (lines.length <= limit) return lines;
  return [...lines.slice(0, limit), `… (${(lines.length - limit).toLocaleString("en-US")} more lines)`];
}
