import { visible, withoutColours, withoutSecrets } from "../render/safeText";

/** Lines that tell a reader of a pull request nothing: the engine's wrapping, and the stack of the program. */
const NOISE = [
  /^(?:error: \[runtime\] )?Running program .* failed with an unhandled exception:$/,
  /^\s+at .*(\(.*\)|:\d+:\d+|<anonymous>)\s*\{?$/,
  /^\s*promise: Promise \{/,
  /^\s*\[Circular \*\d+\]/,
  /^\}$/,
  /^It looks like the Pulumi SDK has not been installed/,
];

/** The prefixes that the engine and Node put before the words that matter. */
const PREFIXES = /^\s*(?:error: |warning: |<ref \*\d+> |(?:Unhandled)?Error: |RunError: |ResourceError: )+/;

/** A message as lines of text: no colours, no secrets, nothing invisible, no empty lines at both ends. */
export function messageLines(message: string): string[] {
  return withoutColours(withoutSecrets(message))
    .replaceAll("\t", "    ")
    .split(/\r?\n/)
    .map((line) => visible(line.trimEnd()))
    .join("\n")
    .replace(/^\n+|\n+$/g, "")
    .split("\n");
}

/** What a person needs of an error: its own words first, without the stack of the program that met it. */
export function usefulLines(message: string): string[] {
  const lines = messageLines(message)
    .filter((line) => !NOISE.some((pattern) => pattern.test(line)))
    .map((line, at) => (at === 0 ? line.replace(PREFIXES, "") : line));
  const useful = lines
    .join("\n")
    .replace(/^\n+|\n+$/g, "")
    .replace(/\n{3,}/g, "\n\n");
  return useful === "" ? messageLines(message) : useful.split("\n");
}

/** Nix's own words in the message of a failed evaluation; undefined for other messages. */
export function evaluationFailure(message: string): string[] | undefined {
  const lines = usefulLines(message);
  const at = lines.findIndex((line) => /running ".*evaluate\.mjs":$/.test(line));
  if (at === -1) return undefined;
  const [first = "", ...rest] = lines.slice(at + 1);
  // The evaluation program repeats its first line where it stands in Nix's message, which is indented.
  const again = rest.findIndex((line) => line.trim() === first.trim());
  return again === -1 ? [first, ...rest] : rest.slice(again).map((line) => line.replace(/^ {2}/, ""));
}
