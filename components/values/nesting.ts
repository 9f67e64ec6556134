/**
 * Texts that are nested without end. A parser calls itself for every level, and whoever walks through its result does
 * too; where the stack ends, that is an error in the best case, and with YAML the end of the whole process.
 */

/** Far deeper than anything that people or programs write down. */
const DEEPEST = 200;

export const TOO_DEEP = `it is nested more than ${DEEPEST} levels deep`;

/** JSON.parse, for texts of any origin: also throws where the text is nested too deep. */
export function parseJson(text: string): unknown {
  if (isDeepJson(text)) throw new SyntaxError(TOO_DEEP);
  return JSON.parse(text);
}

/** What a text of any origin says as JSON; undefined: it is none, or is nested too deep. */
export function readJson(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

/** Whether the brackets of a JSON text go too deep; those in its strings do not count. */
export function isDeepJson(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (inString) {
      if (sign === "\\") at++;
      else if (sign === '"') inString = false;
    } else if (sign === '"') inString = true;
    else if (sign === "[" || sign === "{") {
      if (++depth > DEEPEST) return true;
    } else if (sign === "]" || sign === "}") depth--;
  }
  return false;
}

/**
 * Whether a YAML text may go too deep: by its brackets, wherever they stand, or by its indentation. Asked before it is
 * parsed.
 */
export function isDeepYaml(text: string): boolean {
  let brackets = 0;
  // The indentation of each level that is open.
  const levels: number[] = [];
  for (const line of text.split("\n")) {
    // "- - - x" is three levels in one line.
    const indicators = /^[ \t?:-]*/.exec(line)![0];
    if (indicators.length === line.length) {
      if (indicators.replaceAll(" ", "").length > DEEPEST) return true;
      continue;
    }
    const indent = indicators.length - indicators.trimStart().length;
    while (levels.length > 0 && levels.at(-1)! >= indent) levels.pop();
    levels.push(indent);
    if (levels.length + indicators.replaceAll(/[ \t]/g, "").length > DEEPEST) return true;
    for (const sign of line) {
      if (sign === "[" || sign === "{") brackets++;
      else if ((sign === "]" || sign === "}") && brackets > 0) brackets--;
      if (brackets > DEEPEST) return true;
    }
  }
  return false;
}
