import { closest } from "fastest-levenshtein";
import { problem, shown } from "../components/values/errors";
import { parseJson } from "../components/values/nesting";
import { CONFIG_KEYS, type Group, GROUPS, type Kind, MOVED, REMOVED, SECRETS } from "./configKeys";

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
  const read: ReadConfig = { values: {}, former: [], problems: [] };
  const own = Object.entries(config).filter(([key]) => key.startsWith(namespace));
  for (const [key, raw] of own) {
    const name = key.slice(namespace.length);
    if (name in GROUPS) readGroup(read, name as Group, raw, { key, namespace, removed });
    else if (!(name in MOVED))
      readSingle(read, name, raw, { key, namespace, encrypted: encrypted.includes(key), removed });
  }
  for (const [key, raw] of own) {
    const name = key.slice(namespace.length);
    if (name in MOVED) readFormer(read, name, raw, { key, namespace, encrypted: encrypted.includes(key), removed });
  }
  return read;
}

interface Place {
  /** The key with its namespace. */
  key: string;
  namespace: string;
  /** What to do instead of keys that are gone. */
  removed: Record<string, string>;
}

function readGroup(read: ReadConfig, group: Group, raw: string, { key, namespace, removed }: Place): void {
  const content = json(raw);
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    const example = `pulumi config set --path ${group}.${Object.keys(GROUPS[group])[0]} …`;
    read.problems.push(problem(key, shownKind(content ?? raw), "a group of keys", `Set one of them: ${example}`));
    return;
  }
  for (const [name, value] of Object.entries(content)) {
    const path = `${group}.${name}`;
    if (!(path in CONFIG_KEYS)) read.problems.push(unknownKey(`${key}.${name}`, name, { namespace, removed }));
    else take(read, path, value, `${key}.${name}`);
  }
}

function readSingle(read: ReadConfig, name: string, raw: string, place: Place & { encrypted: boolean }): void {
  const { key, encrypted } = place;
  if (!(name in CONFIG_KEYS) || name.includes(".")) {
    read.problems.push(/[.[]/.test(name) ? withoutPath(name, raw, place) : unknownKey(key, name, place));
  } else if (raw !== "" && SECRETS.includes(name) && !encrypted) {
    read.problems.push(plainSecret(key));
  } else {
    take(read, name, decoded(raw, CONFIG_KEYS[name]!), key);
  }
}

function readFormer(read: ReadConfig, name: string, raw: string, place: Place & { encrypted: boolean }): void {
  const path = MOVED[name]!;
  const value = decoded(raw, CONFIG_KEYS[path]!);
  // Its schema needed a default for every key, and these said "none".
  const none = value === "" || (path === "integration.ownerId" && value === 0);
  read.former.push({ name, path, value: none ? undefined : value, encrypted: place.encrypted });
  if (none) return;
  if (path in read.values) {
    const remedy = `Take the old one away: pulumi config rm ${name} (or from Pulumi.yaml, if it is there).`;
    read.problems.push(`${place.key}: ${place.namespace}${path} is set too, its name of today. ${remedy}`);
  } else take(read, path, value, place.key);
}

/** Notes a value, or that it is of another kind. The empty text means that nothing is set. */
function take(read: ReadConfig, path: string, given: unknown, key: string): void {
  const kind = CONFIG_KEYS[path]!;
  if (given === "" && kind === "text") return;
  const value = isList(kind) && typeof given === "string" ? (json(given) ?? given) : given;
  if (fits(value, kind)) read.values[path] = value;
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
  if (typeof value === "string" && fits(json(value), kind))
    return `Without quotes: pulumi config set --path ${path} ${value}`;
  return undefined;
}

/** A value of a key that has only one: a text as it is, everything else as JSON. */
function decoded(raw: string, kind: Kind): unknown {
  return kind === "text" || raw === "" ? raw : (json(raw) ?? raw);
}

function json(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

/** A group or a list is not shown whole: it may hold what is encrypted. */
function shownKind(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" && value !== null ? "a group of keys" : shown(value);
}

/** The engine ignores what its schema does not know, so a typo would silently mean the default. */
function unknownKey(key: string, name: string, { namespace, removed }: Omit<Place, "key">): string {
  const instead = removed[name];
  if (instead !== undefined) return `${key}: was removed. ${instead}`;
  return `${key}: no such key. Did you mean ${namespace}${nearest(name)}?`;
}

function nearest(name: string): string {
  const moved = MOVED[name];
  if (moved !== undefined) return moved;
  const paths = [...Object.keys(CONFIG_KEYS), ...Object.keys(GROUPS)];
  const byName = new Map(paths.map((path) => [path.split(".").at(-1)!, path]));
  return byName.get(closest(name, [...byName.keys()]))!;
}

/** One key with a dot in its name: the engine reads it as no part of a group. */
function withoutPath(name: string, raw: string, { key, encrypted }: Place & { encrypted: boolean }): string {
  const [, path = "", index = ""] = /^([^[]*)(.*)$/s.exec(name)!;
  const known = path in CONFIG_KEYS ? path : nearest(path.split(".").at(-1)!);
  const set = setCommand(`${known}${index}`, raw, encrypted);
  return `${key}: --path was left out, so that this is one key with such a name. Set it so: ${set}, and take this one away: pulumi config rm ${quoted(name)}`;
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
  if (encrypted) return `pulumi config set --path --secret ${quoted(path)}`;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return `pulumi config set --path ${quoted(path)} ${quoted(text)}`;
}

/** One word of a shell's command. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
