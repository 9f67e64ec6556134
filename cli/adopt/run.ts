import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { ADOPTING } from "../../components/signals";
import { findPulumi, NO_PULUMI } from "../common/pulumi";
import type { Ran, Context } from "../common/context";
import { command, refuse, UsageError } from "../common/command";
import { problem, quote } from "../../components/values/errors";
import { readPreview } from "../preview/read";
import { type Change, typeName } from "../render/change";
import { UserError } from "../common/userError";
import { filledIn, type ImportFile, nameOf } from "./importFile";

const HELP = `Imports what is there already into the places that this program has for it. Nothing in the cloud changes.

  npm run adopt -- NAME=ID …         resources by the program's names, such as nixos=i-0123456789abcdef0
                   [--stack <name>]  default: the selected one

The names are those of \`npx pulumi preview\`; docs/life-cycle.md lists them with the forms of their ids.

Exit code: 0 imported, and the next update keeps all of it; 1 not so; 2 wrong arguments.
`;

const ABOUT = {
  call: "npm run adopt --",
  help: HELP,
  options: { stack: { type: "string" } },
  positionals: true,
} as const;

/** Imports, then tells what the next update would do to what was imported. */
export const adopt = command(ABOUT, async ({ values, positionals }, context, { say }) => {
  const ids = idsIn(positionals);
  const folder = mkdtempSync(path.join(tmpdir(), "adopt-"));
  try {
    const pulumi = engine(context, values.stack);
    const file = path.join(folder, "import.json");
    succeeded(await pulumi("preview", "--import-file", file));
    const filled = filledIn(JSON.parse(readFileSync(file, "utf8")) as ImportFile, ids);
    writeFileSync(file, JSON.stringify(filled));
    // Whether they are protected is the program's to say, at the next update.
    const plainly = ["--yes", "--skip-preview", "--protect=false", "--generate-code=false"];
    succeeded(await pulumi("import", "--file", file, ...plainly));
    const imported = filled.resources.filter(({ component }) => !component);
    imported.forEach((entry) => say(`imported ${nameOf(entry)} (${typeName(entry.type)}) ${entry.id}`));

    const { code, stdout, stderr } = await pulumi("preview", "--json");
    const { failed, errors, changes } = readPreview(stdout, { exitCode: code ?? 1, log: stderr });
    // Not what it printed: JSON has the values too.
    if (failed) throw new UserError(errors.map(({ message }) => message).join("\n"));
    return report(
      imported.map((entry) => changes.find(({ name, type }) => name === nameOf(entry) && type === entry.type)),
      say,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Values are left out: the user data of an imported machine may hold a key in plain text. */
function report(changes: (Change | undefined)[], say: (text: string) => void): number {
  const changed = changes.filter((change) => change !== undefined);
  for (const { name, operation, properties, because } of changed) {
    const reason = because.length > 0 ? because : properties.map(({ path }) => path);
    say(`the next update would ${operation} ${name}: ${reason.join(", ")}`);
  }
  const lost = changed.filter(({ operation }) => operation !== "update");
  if (lost.length === 0) {
    say(`Nothing is replaced or deleted. Read it whole (\`npx pulumi preview\`), then: npx pulumi up`);
    return 0;
  }
  const names = lost.map(({ name }) => name).join(", ");
  say(
    `Do not update yet: ${names} would not survive it. Change the configuration to what is there and look again ` +
      `(\`npx pulumi preview\`), or give them back: npx pulumi state delete <URN>, which leaves the cloud alone.`,
  );
  return 1;
}

function engine(context: Context, stack: string | undefined) {
  const pulumi = findPulumi(context);
  if (pulumi === undefined) throw new UserError(NO_PULUMI);
  const selected = stack === undefined ? [] : ["--stack", stack];
  // What is to be imported is there, which is no mistake.
  const env = { [ADOPTING]: "true" };
  return (...args: string[]): Promise<Ran> => pulumi.run([...args, "--color", "never", ...selected], env);
}

function succeeded({ code, stdout, stderr }: Ran): void {
  if (code !== 0) throw new UserError(`Pulumi could not do it:\n${stdout}${stderr}`.trimEnd());
}

function idsIn(positionals: string[]): Record<string, string> {
  if (positionals.length === 0) throw new UsageError("Nothing is named that should be imported.");
  const pairs = positionals.map((text) => /^([^=]+)=(.+)$/.exec(text));
  refuse(
    positionals
      .filter((_, index) => pairs[index] === null)
      .map((text) => problem("argument", quote(text), "NAME=ID, such as nixos=i-0123456789abcdef0")),
  );
  return Object.fromEntries(pairs.map((pair) => [pair![1]!, pair![2]!]));
}
