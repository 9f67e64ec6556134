import { closest } from "fastest-levenshtein";
import { problem, quote } from "../components/values/errors";
import { readJson } from "../components/values/nesting";
import { CONFIG_KEYS, type Group, GROUPS, type Kind, MOVED, REMOVED, SECRETS } from "./configKeys";

/** In messages, for a value that is not to be shown. */
export const ENCRYPTED = "a value that is encrypted";

/** A key of the last version that a stack still has. */
export interface FormerKey {
  name: string;
  /** Where its value belongs now. */
  path: string;
  /** Undefined: it says "none", as the last version's defaults did. */
  value: unknown;
  encrypted: boolean;
}

/** A project's own configuration. */
export interface ReadConfig {
  /** The values, by their paths; only those of the right kind. */
  values: Record<string, unknown>;
  former: FormerKey[];
  /** The groups and single keys that hold what is encrypted; no message shows a value of theirs. */
  encrypted: Set<string>;
  /** All that is wrong with names and kinds; what the values may be is the components' matter. */
  problems: string[];
}

/**
 * Reads the keys of one namespace.
 *
 * @param config keys with their namespace; texts as they are, everything else as JSON, as the engine hands it over
 * @param namespace with its colon
 * @param encrypted the keys that the stack's configuration has encrypted; a group is, when any part of it is
 */
export function readConfig(
  config: Record<string, string>,
  namespace: string,
  encrypted: string[],
  removed: Record<string, string> = REMOVED,
): ReadConfig {
  const read: ReadConfig = { values: {}, former: [], encrypted: new Set(), problems: [] };
  const places = Object.entries(config)
    .filter(([key]) => key.startsWith(namespace))
    .map(([key, raw]): [string, Place] => [
      raw,
      { key, name: key.slice(namespace.length), namespace, encrypted: encrypted.includes(key), removed },
    ]);
  for (const [raw, place] of places) {
    if (Object.hasOwn(GROUPS, place.name)) readGroup(read, raw, place);
    else if (!Object.hasOwn(MOVED, place.name)) readSingle(read, raw, place);
  }
  // When the names of today are known.
  for (const [raw, place] of places) if (Object.hasOwn(MOVED, place.name)) readFormer(read, raw, place);
  return read;
}

interface Place {
  /** The key with its namespace, and in a group with the group. */
  key: string;
  name: string;
  namespace: string;
  encrypted: boolean;
  /** What to do instead of keys that are gone. */
  removed: Record<string, string>;
}

const isKnown = (path: string) => Object.hasOwn(CONFIG_KEYS, path);

function readGroup(read: ReadConfig, raw: string, place: Place): void {
  const { key, name: group, encrypted } = place;
  if (encrypted) read.encrypted.add(group);
  const content = readJson(raw);
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    const example = `pulumi config set --path ${group}.${Object.keys(GROUPS[group as Group])[0]} …`;
    const got = encrypted ? ENCRYPTED : shownKind(content ?? raw);
    read.problems.push(problem(key, got, "a group of keys", `Set one of them: ${example}`));
    return;
  }
  for (const [name, value] of Object.entries(content)) {
    const inner = { ...place, key: `${key}.${name}`, name };
    const path = `${group}.${name}`;
    if (isKnown(path)) take(read, path, value, inner);
    else read.problems.push(unknownKey(inner));
  }
}

function readSingle(read: ReadConfig, raw: string, place: Place): void {
  const { key, name, encrypted } = place;
  if (encrypted) read.encrypted.add(name);
  if (/[.[]/.test(name)) read.problems.push(withoutPath(raw, place));
  else if (!isKnown(name)) read.problems.push(unknownKey(place));
  else if (raw !== "" && (SECRETS as readonly string[]).includes(name) && !encrypted)
    read.problems.push(plainSecret(key));
  else take(read, name, decoded(raw, CONFIG_KEYS[name]!), place);
}

function readFormer(read: ReadConfig, raw: string, place: Place): void {
  const { key, name, namespace, encrypted } = place;
  const path = MOVED[name]!;
  if (encrypted) read.encrypted.add(path.split(".")[0]!);
  const value = decoded(raw, CONFIG_KEYS[path]!);
  // Its schema needed a default for every key, and these said "none".
  const none = value === "" || (path === "integration.ownerId" && value === 0);
  read.former.push({ name, path, value: none ? undefined : value, encrypted });
  if (none) return;
  if (path in read.values) {
    const remedy = `Take the old one away: pulumi config rm ${name} (or from Pulumi.yaml, if it is there).`;
    read.problems.push(`${key}: ${namespace}${path} is set too, its name of today. ${remedy}`);
  } else take(read, path, value, place);
}

/** Notes a value, or that it is of another kind. The empty text means that nothing is set. */
function take(read: ReadConfig, path: string, given: unknown, { key, encrypted }: Place): void {
  const kind = CONFIG_KEYS[path]!;
  if (given === "" && kind === "text") return;
  const value = isList(kind) && typeof given === "string" ? (readJson(given) ?? given) : given;
  if (fits(value, kind)) read.values[path] = value;
  else if (encrypted) read.problems.push(problem(key, ENCRYPTED, KINDS[kind]));
  else read.problems.push(problem(key, shownKind(given), KINDS[kind], remedy(value, kind, path)));
}

const KINDS: Record<Kind, string> = {
  text: "a text",
  integer: "a whole number",
  boolean: "true or false",
  texts: 'a list of texts, ["…", "…"]',
  integers: "a list of whole numbers, [1, 2]",
};

const isList = (kind: Kind) => kind === "texts" || kind === "integers";

function fits(value: unknown, kind: Kind): boolean {
  if (isList(kind)) return Array.isArray(value);
  if (kind === "integer") return Number.isInteger(value);
  return typeof value === (kind === "text" ? "string" : "boolean");
}

/** YAML, and `pulumi config set --path`, give values a type by their looks. */
function remedy(value: unknown, kind: Kind, path: string): string | undefined {
  if (kind === "text" && (typeof value === "number" || typeof value === "boolean"))
    return "Write it in quotes in the stack's file, or YAML takes it for something else.";
  if (typeof value === "string" && fits(readJson(value), kind))
    return `Without quotes: pulumi config set --path ${path} ${value}`;
  return undefined;
}

/** A value of a key that has only one: a text as it is, everything else as JSON. */
function decoded(raw: string, kind: Kind): unknown {
  return kind === "text" || raw === "" ? raw : (readJson(raw) ?? raw);
}

/** A group or a list is not shown whole: it may hold what is encrypted. */
function shownKind(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" && value !== null ? "a group of keys" : quote(value);
}

/** The engine ignores what its schema does not know, so a typo would silently mean the default. */
function unknownKey({ key, name, namespace, removed }: Place): string {
  if (Object.hasOwn(removed, name)) return `${key}: was removed. ${removed[name]}`;
  return `${key}: no such key. Did you mean ${namespace}${nearest(name)}?`;
}

function nearest(name: string): string {
  if (Object.hasOwn(MOVED, name)) return MOVED[name]!;
  const paths = [...Object.keys(CONFIG_KEYS), ...Object.keys(GROUPS)];
  const byName = new Map(paths.map((path) => [path.split(".").at(-1)!, path]));
  return byName.get(closest(name, [...byName.keys()]))!;
}

/** One key with a dot in its name: the engine reads it as no part of a group. */
function withoutPath(raw: string, { key, name, encrypted }: Place): string {
  const [, path = "", index = ""] = /^([^[]*)(.*)$/s.exec(name)!;
  const known = isKnown(path) ? path : nearest(path.split(".").at(-1)!);
  const set = setCommand(`${known}${index}`, raw, encrypted);
  return `${key}: --path was left out, so that this is one key with such a name. Set it so: ${set}, and take this one away: pulumi config rm ${shellWord(name)}`;
}

function plainSecret(key: string): string {
  const remedy =
    `Set it again: pulumi config set --secret ${key} < FILE. ` +
    `If the plain one was ever committed or pushed, it is no secret any more.`;
  return problem(key, "a value in plain text", "an encrypted one", remedy);
}

/** What to say of the keys of the last version; undefined where there is none. */
export function formerKeysWarning(former: FormerKey[], namespace: string): string | undefined {
  if (former.length === 0) return undefined;
  const lines = former.map(({ name, path, value, encrypted }) => {
    const remove = `pulumi config rm ${name}`;
    const set = value === undefined ? [] : [setCommand(path, value, encrypted)];
    return `  ${namespace}${name} is now ${namespace}${path}: ${[...set, remove].join(" && ")}`;
  });
  return [
    "These keys of the configuration have other names now, and the next version does not know the old ones. " +
      "`npm run setup -- --move-keys` moves them all; so do these commands:",
    ...lines,
  ].join("\n");
}

function setCommand(path: string, value: unknown, encrypted: boolean): string {
  // The CLI then asks for it.
  if (encrypted) return `pulumi config set --path --secret ${shellWord(path)}`;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return `pulumi config set --path ${shellWord(path)} ${shellWord(text)}`;
}

/** One word of a shell's command. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
