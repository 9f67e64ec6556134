import { isMap } from "yaml";
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

/** The file with some keys changed; comments, order, other keys and their values stay. */
export function changeStackFile(text: string, changes: StackSettings): string {
  // Other readers of YAML take a bare `off` for false; with this it is quoted.
  const document = readYaml(text, "the stack's file", { compat: "yaml-1.1" });
  let changed = false;
  if (document.contents === null) document.contents = document.createNode({});
  for (const [key, value] of Object.entries(changes)) {
    const current: unknown = document.toJS() as unknown;
    const config = (current as { config?: StackSettings | null }).config ?? {};
    if (JSON.stringify(config[key]) === JSON.stringify(value)) continue;
    // `config:` with nothing below it is null, which cannot hold keys.
    if (!isMap(document.get("config"))) document.set("config", document.createNode({}));
    document.setIn(["config", key], document.createNode(value, { flow: Array.isArray(value) }));
    changed = true;
  }
  // Long values, such as encrypted ones, stay on their line.
  return changed ? document.toString({ lineWidth: 0, flowCollectionPadding: false }) : text;
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
  const entries = Object.entries(settings)
    .filter(([, value]) => value !== undefined && value !== null && !isEncrypted(value))
    .map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]);
  return Object.fromEntries(entries) as Record<string, string>;
}

function isEncrypted(value: unknown): boolean {
  return typeof value === "object" && value !== null && "secure" in value;
}
