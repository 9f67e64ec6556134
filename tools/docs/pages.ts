import * as path from "node:path";
import * as prettier from "prettier";
import { type Component, type Package, type Properties, type Property, readPackage } from "./read";

/** The pages of docs/components/, by file name. */
export async function componentPages(root: string): Promise<Map<string, string>> {
  const all = readPackage(root);
  const pages = [["README.md", index(all)], ...all.components.map((one) => [`${one.name}.md`, page(one, all)])];
  const style = await prettier.resolveConfig(path.join(root, "docs/components/README.md"));
  const formatted = pages.map(async ([file, text]): Promise<[string, string]> => [
    file!,
    await prettier.format(text!, { ...style, parser: "markdown", proseWrap: "always" }),
  ]);
  return new Map(await Promise.all(formatted));
}

const NOTE = "<!-- Made by `npm run docs` from the descriptions in components/*.ts: change those. -->";

function index({ components }: Package): string {
  const rows = components.map(
    ({ name, description }) => `| [\`${name}\`](${name}.md) | ${firstSentence(description)} |`,
  );
  return `${NOTE}

# Components

| Component | What it is |
| --- | --- |
${rows.join("\n")}

Names are as in TypeScript and YAML; Python writes \`key_name\`, Go \`KeyName\`. An argument takes the output of another
resource too, unless it is marked as plain: then its value must be known before anything is made. The values of
secret outputs stay encrypted in the state.
`;
}

function page(component: Component, all: Package): string {
  const [own, ...inherited] = component.args as [Properties, ...Properties[]];
  // A type that is no component's arguments is told where it is used.
  const used = all.settings.filter(
    ({ name }) => homeOf(name, all) === component.name && !inherited.some((one) => one.name === name),
  );
  return `${NOTE}

# ${component.name}

${component.description}

Type \`nixos:index:${component.name}\`, made in [components/${component.source}](../../components/${component.source}).

\`\`\`ts
${component.example}
\`\`\`

## Arguments

${args(own.properties, component.name, all)}

${[...inherited, ...used].map((one) => section(one, component.name, all)).join("\n\n")}

## Outputs

${component.outputs.map((output) => entry(output, [`\`${output.type}\``, ...secrecyOf(output)])).join("\n\n")}
`;
}

function section({ name, description, properties }: Properties, page: string, all: Package): string {
  return `### ${name}\n\n${description}\n\n${args(properties, page, all)}`;
}

/** Those that must be given come first. */
function args(properties: Property[], page: string, all: Package): string {
  const sorted = [...properties].sort((a, b) => Number(a.optional) - Number(b.optional));
  return sorted.map((property) => entry(property, marksOf(property, page, all))).join("\n\n");
}

function entry({ name, description }: Property, marks: string[]): string {
  return `- **\`${name}\`** (${marks.join("; ")})\n\n  ${description.replaceAll("\n", "\n  ")}`;
}

function marksOf(property: Property, page: string, all: Package): string[] {
  const { type, optional, plain, default: value } = property;
  const isSettings = homeOf(type, all) !== undefined;
  return [
    typeOf(property, page, all),
    ...(optional ? [] : ["required"]),
    ...secrecyOf(property),
    ...(plain && !isSettings ? ["plain"] : []),
    ...(value === undefined ? [] : [`default: ${/^(["[{\d]|true$|false$)/.test(value) ? `\`${value}\`` : value}`]),
  ];
}

/** Descriptions say it in this one way; a test compares them with what is secret in a state. */
function secrecyOf({ description }: Property): string[] {
  return /\bSecret\./.test(description) ? ["secret"] : [];
}

function typeOf({ type }: Property, page: string, all: Package): string {
  const home = homeOf(type, all);
  if (home === undefined) return type.startsWith("{") ? "map of `string`" : `\`${type}\``;
  return `[\`${type}\`](${home === page ? "" : `${home}.md`}#${type.toLowerCase()})`;
}

/** The component on whose page a settings type is described: the one whose arguments it is part of, or that takes it. */
function homeOf(type: string, { components, settings }: Package): string | undefined {
  if (!settings.some(({ name }) => name === type)) return undefined;
  const part = components.find(({ args }) => args.slice(1).some(({ name }) => name === type));
  const user = components.find(({ args }) => args[0]!.properties.some((property) => property.type === type));
  return (part ?? user)?.name;
}

function firstSentence(text: string): string {
  return text.split("\n\n")[0]!.replaceAll("\n", " ");
}
