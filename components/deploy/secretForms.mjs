// @ts-check
/**
 * What a private key, a token or a file of passwords looks like. The forms are in secretForms.json, of which nix/ has the
 * same copy for its own search: regular expressions that mean the same to JavaScript and to Nix (POSIX, extended).
 *
 * Each is looked for around a mark, a fixed text: on what stands there, and not on the whole file, an expression takes
 * no longer than a moment, and Nix's do not run out of stack.
 */
import fs from "node:fs";

/**
 * @typedef {object} Form
 * @property {string} what it is, for people
 * @property {string[]} marks
 * @property {string} [last] the one character before the mark, as `before` has it: asked first, as it costs nothing
 * @property {string} [before] what stands before the mark, from the beginning of that part of the file
 * @property {string} [notBefore] the same, and it is none
 * @property {string} [after] how what follows the mark begins
 * @property {string} [not] how it begins when it is none: an example, a reference to a variable
 * @property {string} [in] names of the files in which it counts; without, in all
 *
 * @typedef {object} Format how one of SOPS's formats looks, line by line
 * @property {string} open begins SOPS's own block
 * @property {string} close ends it
 * @property {string} metadata a line of SOPS's own in a format without a block
 * @property {string} encrypted a line without anything readable but names
 * @property {string} leftReadable a value that is left readable, as its name says
 */

/**
 * @type {{
 *   text: Form[], keyNames: string, passwordNames: string, notPasswords: string, sopsNames: string, sopsEndings: string, formatNames: string, pathPattern: string, neverSops: string,
 *   binaryNames: string, surelyText: string, exampleNames: string, formats: Record<"yaml" | "json" | "env" | "ini", Format>,
 *   sops: { value: string, mac: string, readableRule: string, usualSuffix: string },
 * }}
 */
export const FORMS = JSON.parse(fs.readFileSync(new URL("secretForms.json", import.meta.url), "utf8"));

/** How much of a file is looked at before and after a mark. */
const BEFORE = 200;
const AFTER = 1000;

/** @type {Map<string, RegExp>} */
const compiled = new Map();
/** @type {Map<string, RegExp>} */
const beginnings = new Map();

/**
 * Whether a text is wholly of a form, as Nix's `match` understands it.
 * @param {string} form
 * @param {string} text
 */
export function matches(form, text) {
  return match(form, text) !== null;
}

/**
 * @param {string} form
 * @param {string} text
 */
export function match(form, text) {
  let expression = compiled.get(form);
  if (expression === undefined) {
    expression = new RegExp(`^(?:${form.replaceAll("<ENC>", FORMS.sops.value)})$`, "s");
    compiled.set(form, expression);
  }
  return expression.exec(text);
}

/**
 * Whether a text begins so.
 * @param {string} form
 * @param {string} text
 */
function begins(form, text) {
  let expression = beginnings.get(form);
  if (expression === undefined) {
    expression = new RegExp(`^(?:${form})`, "s");
    beginnings.set(form, expression);
  }
  return expression.test(text);
}

/**
 * What of these forms a text holds, in words; undefined: nothing.
 * @param {string} text
 * @param {string} name the file's, without folders
 * @param {Form[]} [forms]
 */
export function secretIn(text, name, forms = FORMS.text) {
  for (const form of forms) {
    if (form.in !== undefined && !matches(form.in, name)) continue;
    for (const mark of form.marks) {
      for (let at = text.indexOf(mark); at !== -1; at = text.indexOf(mark, at + mark.length)) {
        if (isOf(form, text, at, at + mark.length)) return form.what;
      }
    }
  }
  const isPassword =
    matches(FORMS.passwordNames, name) && /\S/.test(text) && !matches(FORMS.notPasswords, text.slice(0, AFTER));
  return isPassword ? "a password, by its name" : undefined;
}

/**
 * @param {Form} form
 * @param {string} text
 * @param {number} start
 * @param {number} end
 */
function isOf({ last, before, notBefore, after, not }, text, start, end) {
  if (last !== undefined && !matches(last, text.slice(Math.max(0, start - 1), start))) return false;
  // The end of the file is the end of a line.
  const later = `${text.slice(end, end + AFTER)}\n`;
  if (after !== undefined && !begins(after, later)) return false;
  const earlier = text.slice(Math.max(0, start - BEFORE), start);
  if (before !== undefined && !matches(before, earlier)) return false;
  if (not !== undefined && begins(not, later)) return false;
  return notBefore === undefined || !matches(notBefore, earlier);
}
