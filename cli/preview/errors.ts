import { withoutColours, withoutSecrets } from "../render/safeText";

/** Lines that tell a reader of a pull request nothing: the engine's wrapping, and the stack of the program. */
const NOISE = [
  /^Running program .* failed with an unhandled exception:$/,
  /^\s+at .*(\(.*\)|:\d+:\d+|<anonymous>)\s*\{?$/,
  /^\s*promise: Promise \{/,
  /^\s*\[Circular \*\d+\]/,
  /^\}$/,
  /^It looks like the Pulumi SDK has not been installed/,
];

/** The prefixes that the engine and Node put before the words that matter. */
const PREFIXES = /^(?:error: |warning: |<ref \*\d+> |(?:Unhandled)?Error: |RunError: |ResourceError: )+/;

/** A message as lines of text: no colours, no secrets, no empty lines at both ends. */
export function messageLines(message: string): string[] {
  return withoutColours(withoutSecrets(message))
    .replaceAll("\t", "    ")
    .split(/\r?\n/)
    .map((line) => line.trimEnd())
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

/** Splits off what the command provider says about a failed evaluation before Nix's own words; undefined for others. */
export function evaluationFailure(message: string): string[] | undefined {
  const lines = usefulLines(message);
  const at = lines.findIndex((line) => /running ".*evaluate\.mjs":$/.test(line));
  return at === -1 ? undefined : lines.slice(at + 1);
}
