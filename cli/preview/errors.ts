import { escapeInvisible, withoutColours, withoutSecrets } from "../render/text";

/** Lines that tell a reader of a pull request nothing: the engine's wrapping, and the stack of the program. */
const NOISE = [
  /^(?:error: \[runtime\] )?Running program .* failed with an unhandled exception:$/,
  /^\s*promise: Promise \{/,
  /^\s*\[Circular \*\d+\]/,
  /^\}$/,
  /^It looks like the Pulumi SDK has not been installed/,
];

/** The prefixes that the engine and Node put before the words that matter. */
const PREFIXES = /^\s*(?:error: |warning: |<ref \*\d+> |(?:Unhandled)?Error: |RunError: |ResourceError: )+/;

/** A message as lines of text: no colours, no secrets, nothing invisible, no empty lines at both ends. */
export function messageLines(message: string): string[] {
  const lines = withoutColours(withoutSecrets(message)).replaceAll("\t", "    ").split(/\r?\n/);
  return withoutEmptyEnds(lines.map((line) => escapeInvisible(line.trimEnd())));
}

/** At least one line, as of an empty text. */
function withoutEmptyEnds(lines: string[]): string[] {
  const first = lines.findIndex((line) => line !== "");
  let end = lines.length;
  while (end > 0 && lines[end - 1] === "") end--;
  return first === -1 ? [""] : lines.slice(first, end);
}

/** A line of a stack trace: "    at f (file.js:1:2)", "    at file.js:1:2 {". */
function isStackLine(line: string): boolean {
  return /^\s+at /.test(line) && /(?:\)|:\d+:\d+|<anonymous>)$/.test(line.replace(/\{$/, "").trimEnd());
}

/** What a person needs of an error: its own words first, without the stack of the program that met it. */
export function usefulLines(message: string): string[] {
  const lines = messageLines(message)
    .filter((line) => !isStackLine(line) && !NOISE.some((pattern) => pattern.test(line)))
    .map((line, at) => (at === 0 ? line.replace(PREFIXES, "") : line));
  const useful = withoutEmptyEnds(lines)
    .join("\n")
    .replace(/\n{3,}/g, "\n\n");
  return useful === "" ? messageLines(message) : useful.split("\n");
}

/** Nix's own words in the message of a failed evaluation; undefined for other messages. */
export function evaluationFailure(message: string): string[] | undefined {
  const lines = usefulLines(message);
  const at = lines.findIndex((line) => line.endsWith('evaluate.mjs":') && line.includes('running "'));
  if (at === -1) return undefined;
  const [first = "", ...rest] = lines.slice(at + 1);
  // The evaluation program repeats its first line where it stands in Nix's message, which is indented.
  const again = rest.findIndex((line) => line.trim() === first.trim());
  return again === -1 ? [first, ...rest] : rest.slice(again).map((line) => line.replace(/^ {2}/, ""));
}
