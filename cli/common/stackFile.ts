import { type Document, isMap, isScalar, parseDocument, type YAMLMap } from "yaml";
import { problem } from "../../components/values/errors";
import { CONFIG_KEYS, GROUPS, MOVED } from "../../program/configKeys";
import { ENCRYPTED } from "../../program/readConfig";
import { UserError } from "./userError";
import { readYaml } from "./yaml";

/** The configuration of a stack, keys with their namespace, as Pulumi.<stack>.yaml writes it. */
export type StackSettings = Record<string, unknown>;

/** Reads a stack's file; throws an error for people when it is not what Pulumi would read. */
export function readStackFile(text: string, file: string): StackSettings {
  const document = readYaml(text, file);
  if (document.contents === null) return {};
  if (!isMap(document.contents)) throw new UserError(`${file}: is not a map; it must begin with "config:".`);
  const config = (document.toJS() as { config?: unknown }).config ?? {};
  if (typeof config !== "object" || Array.isArray(config)) throw new UserError(`${file}: config is not a map of keys.`);
  return config as StackSettings;
}

/** Groups that the engine takes for none, by the types in Pulumi.yaml: it stops before the program could say why. */
export function groupProblems(settings: StackSettings, project: string): string[] {
  return Object.keys(GROUPS).flatMap((group) => {
    const key = `${project}:${group}`;
    const value = settings[key];
    if (value === undefined || (isGroup(value) && !isWholeSecret(value))) return [];
    const got = isGroup(value) ? ENCRYPTED : value === null ? "nothing" : Array.isArray(value) ? "a list" : "a text";
    const example = `pulumi config set --path ${group}.${Object.keys(GROUPS[group as keyof typeof GROUPS])[0]} …`;
    const remedy = `Take it away (pulumi config rm ${group}) and set its keys one by one, with --secret what is secret: ${example}`;
    return [problem(key, got, "a group of keys", remedy)];
  });
}

/** Where a key is in the file: `project:machine.release` is the key `release` of the group `project:machine`. */
function placeOf(key: string): string[] {
  const [namespace, ...names] = key.split(/(?<=^[^:]*:)/);
  const [first = "", ...inner] = names.join("").split(".");
  return ["config", `${namespace}${first}`, ...inner];
}

/** The file with some keys changed; comments, order, other keys and their values stay. */
export function changeStackFile(text: string, changes: StackSettings): string {
  // Other readers of YAML take a bare `off` for false; with this it is quoted.
  const document = readYaml(text, "the stack's file", { compat: "yaml-1.1" });
  let changed = false;
  if (document.contents === null) document.contents = document.createNode({});
  for (const [key, value] of Object.entries(changes)) {
    const place = placeOf(key);
    const current = place.reduce<unknown>((at, name) => (at as StackSettings | undefined)?.[name], document.toJS());
    if (JSON.stringify(current) === JSON.stringify(value)) continue;
    makeMaps(document, place.slice(0, -1));
    document.setIn(place, document.createNode(value, { flow: Array.isArray(value) }));
    changed = true;
  }
  return changed ? written(document) : text;
}

/** `config:` with nothing below it is null, which cannot hold keys. */
function makeMaps(document: Document, place: string[]): void {
  for (let depth = 1; depth <= place.length; depth++) {
    const at = place.slice(0, depth);
    const there = document.getIn(at);
    if (there === undefined || there === null) document.setIn(at, document.createNode({}));
    else if (!isMap(there) || (depth > 1 && isWholeSecret(there.toJSON() as StackSettings)))
      throw new UserError(
        `${at.at(-1)}: is a text, an alias or encrypted as a whole, so ${place.slice(1).join(".")} cannot be written below it. Write its keys there one by one first.`,
      );
  }
}

/** Long values, such as encrypted ones, stay on their line. */
function written(document: Document): string {
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

/**
 * The file with the keys of the last version at their places of today; comments and encrypted values go along.
 *
 * @throws for people, where a key is set under both names
 */
export function moveKeys(text: string, project: string): string {
  const document = readYaml(text, "the stack's file", { compat: "yaml-1.1" });
  const config = document.get("config");
  if (!isMap(config)) return text;
  const namespace = `${project}:`;
  const pairs = [...config.items];
  let changed = false;
  for (const { key, value } of pairs) {
    const name = String(isScalar(key) ? key.value : key);
    const path = name.startsWith(namespace) ? MOVED[name.slice(namespace.length)] : undefined;
    if (path === undefined) continue;
    const place = placeOf(namespace + path);
    if (document.hasIn(place))
      throw new UserError(`${name}: ${namespace}${path} is set too, its name of today. Take one away.`);
    document.deleteIn(["config", name]);
    changed = true;
    const node = moved(value, path);
    if (node === undefined) continue;
    makeMaps(document, place.slice(0, -1));
    const newKey = document.createNode(place.at(-1)!);
    newKey.commentBefore = (isScalar(key) ? key.commentBefore : undefined) ?? newKey.commentBefore;
    (document.getIn(place.slice(0, -1)) as YAMLMap<unknown, unknown>).add({ key: newKey, value: node });
  }
  return changed ? written(document) : text;
}

/** The value of an old key in a group, where it must have a type; undefined for what said "none". */
function moved(node: unknown, path: string): unknown {
  if (!isScalar(node)) return node;
  if ([null, ""].some((none) => node.value === none) || (path === "integration.ownerId" && node.value === 0))
    return undefined;
  if (CONFIG_KEYS[path] === "text") {
    if (typeof node.value !== "string") node.value = node.source ?? String(node.value);
  } else if (typeof node.value === "string") {
    return parseDocument(node.value, { compat: "yaml-1.1" }).contents;
  }
  return node;
}

/** The project's name and the defaults of its configuration, from Pulumi.yaml. */
export function readProject(text: string): { name: string; defaults: StackSettings } {
  const project = readYaml(text, "Pulumi.yaml").toJS() as Partial<{
    name: unknown;
    config: Record<string, { default?: unknown } | null> | null;
  }> | null;
  const name = project?.name;
  if (typeof name !== "string" || name === "") throw new UserError('Pulumi.yaml: the project has no "name:".');
  const defaults = Object.entries(project?.config ?? {}).map(([key, schema]) => [`${name}:${key}`, schema?.default]);
  return { name, defaults: Object.fromEntries(defaults) as StackSettings };
}

/** The settings as the engine hands them to the program: texts, and everything else as JSON. Encrypted ones left out. */
export function asEngineConfig(settings: StackSettings): Record<string, string> {
  return Object.fromEntries(
    Object.entries(withoutEncrypted(settings))
      .filter(([, value]) => value !== undefined && value !== null)
      .map(([key, value]) => [key, asText(value)]),
  );
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Without what is encrypted: in a group only that, but a list whole, whose other elements would have other places. */
export function withoutEncrypted(settings: StackSettings): StackSettings {
  const plain = Object.entries(settings).filter(([, value]) => !isEncrypted(value));
  return Object.fromEntries(plain.map(([key, value]) => [key, isGroup(value) ? withoutEncrypted(value) : value]));
}

/** As `pulumi config set --secret` without --path leaves it. */
function isWholeSecret(value: StackSettings): boolean {
  return typeof value["secure"] === "string" && Object.keys(value).length === 1;
}

function isEncrypted(value: unknown): boolean {
  return Array.isArray(value) ? value.some(holdsEncrypted) : isGroup(value) && "secure" in value;
}

function holdsEncrypted(value: unknown): boolean {
  return isEncrypted(value) || (isGroup(value) && Object.values(value).some(holdsEncrypted));
}

function isGroup(value: unknown): value is StackSettings {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The engine's configuration with some of the program's keys set, by their paths; undefined takes one away.
 *
 * @param namespace with its colon
 */
export function withKeys(
  config: Record<string, string>,
  namespace: string,
  values: Record<string, unknown>,
): Record<string, string> {
  const result = { ...config };
  for (const [path, value] of Object.entries(values)) {
    const [first, name] = path.split(".") as [string, string?];
    const key = namespace + first;
    if (name !== undefined) {
      const group = JSON.parse(result[key] ?? "{}") as StackSettings;
      result[key] = JSON.stringify({ ...group, [name]: value });
    } else if (value === undefined) delete result[key];
    else result[key] = asText(value);
  }
  return result;
}
