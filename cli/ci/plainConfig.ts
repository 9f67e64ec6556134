import { readFileSync } from "node:fs";
import { parse, stringify } from "yaml";
import { type StackSettings, withoutEncrypted } from "../common/stackFile";

/**
 * Prints the configuration of a stack without what is encrypted in it and without how: a preview that may not open the
 * stack's secrets runs with the rest, and with keys that it makes for itself.
 *
 *   npx tsx cli/ci/plainConfig.ts Pulumi.dev.yaml
 */
function plainConfig(file: string): string {
  const settings = (parse(readFileSync(file, "utf8")) ?? {}) as { config?: StackSettings };
  return stringify({ config: withoutEncrypted(settings.config ?? {}) });
}

process.stdout.write(plainConfig(process.argv[2]!));
