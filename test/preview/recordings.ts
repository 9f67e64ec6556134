import { readFileSync } from "node:fs";
import * as path from "node:path";

/** Previews of the real program by a real engine; see record.ts. */
export const RECORDINGS = [
  "create",
  "no-effect",
  "page",
  "instance-type",
  "replace",
  "network",
  "delete",
  "broken-flake",
] as const;

/** The output of `pulumi preview --json`. */
export function recordedDigest(name: string): string {
  return readFileSync(path.join(__dirname, "recorded", `${name}.json`), "utf8");
}

/** The engine's events of the same preview. */
export function recordedEvents(name: string): string {
  return readFileSync(path.join(__dirname, "recorded", `${name}.events.jsonl`), "utf8");
}
