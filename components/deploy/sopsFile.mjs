// @ts-check
/**
 * What a SOPS file says without being opened: which values stand in it in plain text, and who can open it. It knows the
 * formats as sops writes them, one value a line; what it does not know counts as plain text.
 */
import { FORMS, match, matches } from "./secretForms.mjs";

/** @typedef {"yaml" | "json" | "env" | "ini"} FormatName */

/**
 * @typedef {object} SopsFacts
 * @property {boolean} encrypted whether SOPS's own block is there
 * @property {string} [plain] the first line that holds something readable
 * @property {string} [cause] the rule that leaves it readable, as SOPS's block repeats it from .sops.yaml: `key: value`
 * @property {string[]} readable names that say that their values are left readable
 * @property {string[]} block the lines of SOPS's own
 */

/**
 * The format that sops would take a file for. Other files than those of its formats it encrypts as JSON.
 * @param {string} name
 * @param {string} text
 * @returns {FormatName}
 */
export function formatOf(name, text) {
  if (/^\s*\{/.test(text)) return "json";
  const ending = match(FORMS.formatNames, name)?.[2];
  if (ending === undefined) return "json";
  return ending === "yml" ? "yaml" : /** @type {FormatName} */ (ending);
}

/**
 * @param {string} text
 * @param {FormatName} [name]
 * @returns {SopsFacts}
 */
export function sopsFacts(text, name = "yaml") {
  const format = FORMS.formats[name];
  /** @type {SopsFacts} */
  const facts = { encrypted: false, readable: [], block: [] };
  let inBlock = false;
  /** @type {number | undefined} the indentation of a name whose values are left readable */
  let below;
  for (const long of linesOf(text)) {
    const line = shortened(long);
    if (inBlock && matches(format.close, line)) {
      inBlock = false;
      // A brace belongs to the block, the beginning of something else does not.
      if (name === "json") continue;
    }
    if (inBlock || matches(format.metadata || "[^\\s\\S]", line)) {
      facts.block.push(line);
      if (matches(FORMS.sops.mac, line)) facts.encrypted = true;
      const [, , rule, value] = match(FORMS.sops.readableRule, line) ?? [];
      if (rule !== undefined && value !== undefined && !isUsual(rule, value))
        facts.cause ??= `${rule}: ${value.replace(/,\s*$/, "").trim()}`;
      continue;
    }
    if (format.open !== "" && matches(format.open, line)) {
      inBlock = true;
      below = undefined;
      continue;
    }
    const indentation = /^[ \t]*/.exec(line)?.[0].length ?? 0;
    if (below !== undefined && (indentation > below || line.trim() === "")) continue;
    below = undefined;
    if (matches(format.leftReadable, line)) {
      facts.readable.push(nameIn(line) ?? "a name");
      below = indentation;
    } else if (facts.plain === undefined && !matches(format.encrypted, squeezed(line))) facts.plain = line;
  }
  return facts;
}

/** One after the other: all of a large file's at once would fill the memory. @param {string} text */
function* linesOf(text) {
  for (let start = 0; start <= text.length;) {
    const found = text.indexOf("\n", start);
    const end = found === -1 ? text.length : found;
    yield text.slice(start, end).replaceAll("\r", "");
    start = end + 1;
  }
}

/**
 * A long line with short runs of blanks, which are all the same to the expression for encrypted lines, and would take it
 * cubic time.
 * @param {string} line
 */
function squeezed(line) {
  if (line.length < 100) return line;
  const many = " ".repeat(16);
  return line.replaceAll("\t", " ").replaceAll(many, " ").replaceAll(many, " ");
}

/** What a line is shows at its ends; an expression takes more than linear time on the whole of it. @param {string} line */
function shortened(line) {
  return line.length < 2000 ? line : line.slice(0, 1000) + line.slice(-1000);
}

/** @param {string} rule @param {string} value */
function isUsual(rule, value) {
  return rule === "unencrypted_suffix" && matches(FORMS.sops.usualSuffix, value);
}

/**
 * The name at the beginning of a line; never what follows it.
 * @param {string} line
 */
export function nameIn(line) {
  return /^\s*(?:- +)*["']?([A-Za-z0-9_./-]+)["']?\s*[:=]/.exec(line)?.[1];
}

/**
 * Who can open a file: its recipients with age, by key group, and how many of the groups are needed.
 * @typedef {{ groups: string[][], needed: number }} Access
 */

/**
 * @param {string} text
 * @param {FormatName} [name]
 * @returns {Access}
 */
export function accessOf(text, name = "yaml") {
  const { block } = sopsFacts(text, name);
  const { groups, threshold } = name === "json" ? ofJson(text) : name === "yaml" ? ofYaml(block) : ofFlat(block);
  return accessFor(groups, threshold);
}

/**
 * SOPS needs a part of every group where nothing else is said.
 * @param {string[][]} groups
 * @param {number} threshold 0: all
 * @returns {Access}
 */
export function accessFor(groups, threshold) {
  // One group without age, as a rule may have it, is none.
  if (groups.length === 1 && groups[0]?.length === 0) groups = [];
  return { groups, needed: groups.length < 2 || threshold < 1 ? groups.length : Math.min(threshold, groups.length) };
}

/**
 * In how many of the groups one of these recipients is, and whether that is enough.
 * @param {Access} access
 * @param {string[]} recipients
 */
export function opens({ groups, needed }, recipients) {
  const held = groups.filter((group) => group.some((recipient) => recipients.includes(recipient))).length;
  return { held, enough: held > 0 && held >= needed };
}

/**
 * Whether two files, or a file and a rule, are for the same groups.
 * @param {Access} one
 * @param {Access} other
 */
export function sameAccess(one, other) {
  const written = (/** @type {Access} */ { groups, needed }) =>
    JSON.stringify([needed, groups.map((group) => [...new Set(group)].sort())]);
  return written(one) === written(other);
}

/** @param {string[]} block */
function ofYaml(block) {
  /** @type {string[][]} */
  const groups = [];
  let threshold = 0;
  /** @type {number | undefined} indentation of "key_groups:" */
  let within;
  /** @type {number | undefined} indentation of its items */
  let items;
  for (const line of block) {
    // A PGP message has one, and it ends nothing.
    if (line.trim() === "") continue;
    const indentation = line.length - line.trimStart().length;
    if (within !== undefined && indentation <= within && !/^\s*-/.test(line)) within = undefined;
    if (/^\s*key_groups:\s*$/.test(line)) within = indentation;
    else if (within !== undefined && /^\s*- /.test(line) && indentation <= (items ?? Infinity)) {
      items ??= indentation;
      groups.push([]);
    }
    threshold = Number(/^\s*shamir_threshold:\s*(\d+)/.exec(line)?.[1] ?? threshold);
    const recipient = /^\s*(?:- )*recipient: (.+)$/.exec(line.trimEnd())?.[1];
    if (recipient === undefined) continue;
    if (groups.length === 0) groups.push([]);
    groups.at(-1)?.push(recipient.replace(/^(["'])(.*)\1$/, "$2"));
  }
  return { groups, threshold };
}

/** @param {string} text */
function ofJson(text) {
  try {
    const { sops } = JSON.parse(text);
    /** @type {{ age?: { recipient: string }[] }[]} */
    const all = Array.isArray(sops.key_groups) ? sops.key_groups : [sops];
    const groups = all.map(({ age }) => (age ?? []).map(({ recipient }) => String(recipient)));
    return { groups, threshold: Number(sops.shamir_threshold ?? 0) };
  } catch {
    return { groups: [], threshold: 0 };
  }
}

/** `sops_key_groups__list_0__map_age__list_1__map_recipient=…` @param {string[]} block */
function ofFlat(block) {
  /** @type {string[][]} */
  const groups = [];
  let threshold = 0;
  for (const line of block) {
    threshold = Number(/shamir_threshold\s*=\s*(\d+)/.exec(line)?.[1] ?? threshold);
    // A group without age counts as one.
    const group = (groups[Number(/key_groups__list_(\d{1,4})__map_/.exec(line)?.[1] ?? 0)] ??= []);
    const recipient = /age__list_\d+__map_recipient\s*=\s*(\S+)/.exec(line)?.[1];
    if (recipient !== undefined) group.push(recipient);
  }
  return { groups: Array.from(groups, (group) => group ?? []), threshold };
}
