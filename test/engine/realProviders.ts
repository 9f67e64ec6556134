import * as path from "node:path";
import { isExecutable } from "../../components/deploy/path.mjs";

/** The emulators that the suite can do without, because it asserts nothing about what they hold. */
const REPLACEABLE = ["command", "tls"];

/** The providers that ENGINE_PROVIDERS wants real. They are found beside the engine or on PATH. */
export function realProviders(beside: string): string[] {
  const wanted = (process.env["ENGINE_PROVIDERS"] ?? "").split(",").filter(Boolean);
  const folders = [beside, ...(process.env["PATH"] ?? "").split(path.delimiter)];
  for (const name of wanted) {
    if (!REPLACEABLE.includes(name)) {
      throw new Error(
        `ENGINE_PROVIDERS names ${name}, but the suite looks into the emulated one: only ${REPLACEABLE.join(" and ")} can be real`,
      );
    }
    if (!folders.some((folder) => isExecutable(path.join(folder, `pulumi-resource-${name}`))))
      throw new Error(`ENGINE_PROVIDERS names ${name}, but there is no pulumi-resource-${name} on PATH`);
  }
  return wanted;
}
