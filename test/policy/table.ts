/** Writes the tables of docs/policy.md anew from the rules: `npx tsx test/policy/table.ts`. */
import { readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { format } from "prettier";
import { policies } from "../../policy/policies";
import type { About } from "../../policy/rule";

const DOCS = path.resolve(__dirname, "../../docs/policy.md");
const PART = /(?<=<!-- rules -->\n)[^]*(?=<!-- end of rules -->)/;

/** The page as it is, and as it should be. */
export async function page(): Promise<{ actual: string; expected: string }> {
  const actual = readFileSync(DOCS, "utf8");
  const expected = await format(actual.replace(PART, `\n${rules()}\n\n${values()}\n\n`), {
    parser: "markdown",
    printWidth: 120,
  });
  return { actual, expected };
}

function rules(): string {
  return table(
    ["Rule", "What it asks for", "Level", "Severity", "Control"],
    policies.map((rule) => [
      `[\`${rule.name}\`](${rule.url})`,
      `${rule.description}.`,
      rule.enforcementLevel,
      rule.severity,
      controls(rule).join(", "),
    ]),
  );
}

/** The short names that people search for. */
const SHORT: Record<string, string> = {
  "AWS Foundational Security Best Practices": "FSBP",
  "CIS Software Supply Chain Security Guide": "CIS supply chain",
};

function controls({ framework, tags = [] }: About): string[] {
  const own = framework === undefined ? [] : [`${SHORT[framework.name]} ${framework.reference}`];
  return [...own, ...tags.map((tag) => tag.replace("CIS AWS Foundations Benchmark v", "CIS AWS "))];
}

function values(): string {
  return table(
    ["Rule", "Value", "What it is", "Default"],
    policies.flatMap(({ name, configSchema }: About) =>
      Object.entries(configSchema?.properties ?? {}).map(([key, schema]) => [
        `\`${name}\``,
        `\`${key}\``,
        schema.description ?? "",
        `\`${JSON.stringify(schema.default)}\``,
      ]),
    ),
  );
}

function table(head: string[], rows: string[][]): string {
  const row = (cells: string[]) => `| ${cells.join(" | ")} |`;
  return [row(head), row(head.map(() => "---")), ...rows.map(row)].join("\n");
}

if (require.main === module) void page().then(({ expected }) => writeFileSync(DOCS, expected));
