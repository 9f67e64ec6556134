import { readFileSync } from "node:fs";
import { stringify } from "yaml";
import { command, start, UsageError } from "../common/command";
import { readStackFile, withoutEncrypted } from "../common/stackFile";

const HELP = `Prints the configuration of a stack without what is encrypted in it and without how: a preview that may not open the
stack's secrets runs with the rest, and with keys that it makes for itself.

  npx tsx cli/ci/plainConfig.ts Pulumi.dev.yaml
`;

function plainConfig(file: string): string {
  return stringify({ config: withoutEncrypted(readStackFile(readFileSync(file, "utf8"), file)) });
}

const ABOUT = { call: "npx tsx cli/ci/plainConfig.ts", help: HELP, options: {}, positionals: true };

void start(
  command(ABOUT, ({ positionals }, _, { say }) => {
    if (positionals.length !== 1) throw new UsageError("Name one file.");
    say(plainConfig(positionals[0]!).trimEnd());
    return 0;
  }),
);
