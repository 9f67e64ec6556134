// @ts-check
/**
 * Which files of a folder are for SOPS to encrypt, by the creation rules of .sops.yaml. A rule without a pattern, or
 * with one that fits whatever is written there, says how a file would be encrypted, not that it is a secret.
 */
import { FORMS, matches } from "./secretForms.mjs";

/**
 * The patterns of a .sops.yaml, as expressions that JavaScript and Nix read alike; what only Go knows is left out.
 * @param {string} text
 */
export function pathPatterns(text) {
  return text.split("\n").flatMap((line) => {
    const [, before = "", quoted, single, plain] =
      /^([^#]*[ \t{,-])?["']?path_regex["']?:[ \t]*(?:"([^"]*)"|'([^']*)'|([^ \t\r"'][^\r]*))/.exec(line) ?? [];
    // Only in a map in a line do a comma and a brace end a text.
    const end = before.includes("{") ? /[,}]|[ \t]#/ : /[ \t]#/;
    const pattern = translated(quoted?.replaceAll("\\\\", "\\") ?? single ?? plain?.split(end)[0]?.trim() ?? "");
    return pattern === undefined ? [] : [pattern];
  });
}

/** @param {string} pattern */
function translated(pattern) {
  const simple = pattern
    .replaceAll("(?:", "(")
    .replaceAll("*?", "*")
    .replaceAll("+?", "+")
    .replaceAll("\\d", "[0-9]")
    .replaceAll("\\w", "[A-Za-z0-9_]")
    .replaceAll("\\.", "[.]")
    .replaceAll("\\/", "/")
    .replaceAll("\\-", "-")
    .replaceAll("\\_", "_");
  // Nix cannot be asked whether it understands an expression: at another one it stops.
  if (!matches(FORMS.pathPattern, simple)) return undefined;
  try {
    new RegExp(simple);
    return simple;
  } catch {
    return undefined;
  }
}

/**
 * Whether a rule of this folder's .sops.yaml is for this file in particular.
 * @param {string[]} patterns
 * @param {string} below the searched folder, seen from .sops.yaml: "", or with a "/" at its end
 * @param {string} file seen from the searched folder
 */
export function isCovered(patterns, below, file) {
  const ending = /\.[^./]*$/.exec(file)?.[0] ?? "";
  const others = ["flake.nix", `other${ending}`, `modules/other${ending}`];
  return (
    !matches(FORMS.neverSops, file) &&
    patterns.some(
      (pattern) =>
        matches(`.*(${pattern}).*`, `${below}${file}`) &&
        !others.some((other) => matches(`.*(${pattern}).*`, `${below}${other}`)),
    )
  );
}
