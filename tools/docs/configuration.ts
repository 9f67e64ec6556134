import * as path from "node:path";
import * as prettier from "prettier";
import { GROUPS, type Kind, SECRETS, SINGLE } from "../../program/configKeys";
import { type Property, readInterfaces, readPackage } from "./read";

const KINDS: Record<Kind, string> = {
  text: "text",
  integer: "number",
  boolean: "true or false",
  texts: "list of texts",
  integers: "list of numbers",
};

/** docs/configuration.md: the keys of the root program, in the words of the arguments that they become. */
export async function configurationPage(root: string): Promise<string> {
  const { components, settings } = readPackage(root);
  const composite = components.find(({ name }) => name === "ContinuousDeployment")!.args[0]!.properties;
  const own = readInterfaces(path.join(root, "program/configKeys.ts")).find(({ name }) => name === "OwnSettings")!;
  const groups = Object.entries(GROUPS).map(([group, keys]) => {
    const argument = composite.find(({ name }) => name === group)!;
    const described = settings.find(({ name }) => name === argument.type)!.properties;
    const all = [...described, ...own.properties];
    return `## ${group}\n\n${argument.description}\n\n${table(keys, all, `${group}.`)}`;
  });
  const text = `${NOTE}

# Configuration

${INTRODUCTION}

${groups.join("\n\n")}

## Keys of no group

${table(SINGLE, composite, "")}
`;
  const style = await prettier.resolveConfig(path.join(root, "docs/configuration.md"));
  return prettier.format(text, { ...style, parser: "markdown", proseWrap: "always" });
}

const NOTE =
  "<!-- Made by `npm run docs` from program/configKeys.ts and the descriptions in components/*.ts: change those. -->";

const INTRODUCTION = `What \`Pulumi.<stack>.yaml\` says of a server, beside the providers' own keys (\`aws:region\`, \`github:owner\`). The groups
are the parts of the arguments of [\`ContinuousDeployment\`](components/ContinuousDeployment.md), under the same names.

\`\`\`sh
npx pulumi config set --path machine.instanceType t3.medium
npx pulumi config set --path machine.sshCidrBlocks '["203.0.113.0/24"]'
npx pulumi config set --path repository.branchProtection ruleset
npx pulumi config rm --path machine.instanceType   # the default again
\`\`\`

A preview refuses what does not fit, all of it at once: a name that there is not, a value of another kind, and
\`machine.instanceType\` set without \`--path\`, which the engine takes for one key of that name. Without a preview,
\`npm run doctor\` and \`npm run check\` say the same.

The last version had these keys without groups, some under other names. They are understood for one version, with a
warning that names the new ones; \`npm run setup -- --move-keys\` moves them.`;

function table(keys: Record<string, Kind>, properties: Property[], prefix: string): string {
  const rows = Object.entries(keys).map(([key, kind]) => {
    const { description, default: value } = properties.find(({ name }) => name === key)!;
    const secret = (SECRETS as readonly string[]).includes(key) ? "; encrypted" : "";
    return `| \`${prefix}${key}\` | ${KINDS[kind]}${secret} | ${usual(value)} | ${cell(description)} |`;
  });
  return ["| Key | Value | Default | What it is |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

function usual(value: string | undefined): string {
  if (value === undefined) return "none";
  return /^(["[{\d]|true$|false$)/.test(value) ? `\`${value}\`` : cell(value);
}

function cell(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, " ").replaceAll("|", "\\|");
}
