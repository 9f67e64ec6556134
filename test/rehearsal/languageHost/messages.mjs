// @ts-check
// The messages between engine and language host as JSON and back.
import language from "@pulumi/pulumi/proto/language_pb.js";
import struct from "google-protobuf/google/protobuf/struct_pb.js";

/** What no host reads, and what depends on this computer alone. */
const LEFT_OUT = ["configpropertymap", "envList", "loaderTarget", "mapperTarget"];

/**
 * A message as JSON, without what is empty.
 * @param {any} message
 * @returns {Record<string, unknown>}
 */
export function plain(message) {
  const options = message.getInfo?.()?.getOptions()?.toJavaScript();
  const all = /** @type {any} */ (cleaned(message.toObject()));
  if (options !== undefined) all.info.options = options;
  return all;
}

/**
 * @param {any} value
 * @returns {unknown}
 */
function cleaned(value) {
  if (Array.isArray(value)) return value.map(cleaned);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([name, one]) => !LEFT_OUT.includes(name) && !isEmpty(one));
  return Object.fromEntries(
    entries.map(([name, one]) => [name, name.endsWith("Map") ? Object.fromEntries(one) : cleaned(one)]),
  );
}

/**
 * The message that `plain` gave.
 * @param {string} type such as RunRequest
 * @param {Record<string, any>} fields
 */
export function message(type, fields) {
  const made = new /** @type {any} */ (language)[type]();
  for (const [name, value] of Object.entries(fields)) {
    if (name === "info") made.setInfo(message("ProgramInfo", value));
    else if (name === "options") made.setOptions(struct.Struct.fromJavaScript(value));
    else if (name.endsWith("Map"))
      Object.entries(value).forEach(([key, one]) => made[`get${capital(name)}`]().set(key, one));
    else made[`set${capital(name)}`](value);
  }
  return made;
}

/** @param {string} name */
const capital = (name) => `${name[0]?.toUpperCase()}${name.slice(1)}`;

/** @param {unknown} value */
const isEmpty = (value) =>
  value === undefined || value === "" || value === false || value === 0 || (Array.isArray(value) && value.length === 0);
