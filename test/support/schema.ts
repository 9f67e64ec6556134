import { readFileSync } from "node:fs";
import * as path from "node:path";
import { Analyzer } from "@pulumi/pulumi/provider/experimental/analyzer";
import { generateSchema } from "@pulumi/pulumi/provider/experimental/schema";
import * as components from "../../components/index";

/** A property of the schema, as far as the tests read it. */
export interface Property {
  type?: string;
  $ref?: string;
  items?: Property;
  additionalProperties?: Property;
  plain?: boolean;
  secret?: boolean;
  description?: string;
}

export interface Component {
  isComponent: boolean;
  description?: string;
  inputProperties: Record<string, Property>;
  requiredInputs: string[];
  properties: Record<string, Property>;
  required: string[];
}

export interface Schema {
  name: string;
  version: string;
  resources: Record<string, Component>;
  types: Record<string, { type: string; properties: Record<string, Property>; required: string[] }>;
}

/**
 * What `pulumi package get-schema` prints for a folder of components, without starting the plugin.
 *
 * @param names the components to look for
 */
export function analyze(folder: string, names = Object.keys(components)): Schema {
  const manifest = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8")) as Record<
    "name" | "version" | "description",
    string
  >;
  const { name, version, description } = manifest;
  const analyzer = new Analyzer(folder, name, manifest, new Set(names));
  const { components: found, typeDefinitions, dependencies } = analyzer.analyze();
  const schema = generateSchema(name, version, description, found, typeDefinitions, dependencies);
  // As it travels: what is undefined is left out.
  return JSON.parse(JSON.stringify(schema)) as Schema;
}

let ofComponents: Schema | undefined;

/** The schema of components/. Its types are compiled once, which takes seconds. */
export function componentSchema(): Schema {
  return (ofComponents ??= analyze(path.resolve(__dirname, "../../components")));
}
