import { parseJson } from "../../components/values/nesting";
import { partsOfUrn } from "../render/change";
import { readDigest } from "./digest";
import { readEvents } from "./events";
import type { Preview } from "./preview";

/** What else is known of a preview. */
export interface Circumstances {
  /** Exit code of the preview, where it is known. */
  exitCode?: number | undefined;
  /** What the preview wrote on standard error: all there is when it failed before it began. */
  log?: string | undefined;
}

/** What both formats tell. */
export type Reading = Omit<Preview, "project" | "stack" | "failed"> & { urn: string | undefined; failed: boolean };

/**
 * Reads the output of `pulumi preview --json`, or the engine's events, one a line.
 *
 * Never throws: whatever cannot be read is a failed preview, and its errors say what is wrong with it.
 */
export function readPreview(text: string, { exitCode, log }: Circumstances = {}): Preview {
  const { urn, ...reading } = readReport(text);
  const failed = reading.failed || (exitCode !== undefined && exitCode !== 0);
  const errors = [...reading.errors];
  if (failed && errors.length === 0) errors.push(...unexplained(reading, exitCode, log));
  const { project = "", stack = "" } = urn === undefined ? {} : partsOfUrn(urn);
  return { ...reading, project, stack, failed, errors };
}

function readReport(text: string): Reading {
  // Wrappers such as npx may print lines of their own first.
  const start = text.search(/^[ \t]*\{/m);
  if (start === -1) {
    if (text.trim() === "") return { ...NOTHING, failed: true };
    return unreadable(`The preview's output is not JSON. It begins with:\n${text.trim().slice(0, 300)}`);
  }
  const json = text.slice(start);
  const whole = parsed(json);
  if (whole !== undefined && !("sequence" in whole)) return readDigest(whole);
  const events = json.split("\n").filter((line) => line.trim() !== "");
  if (!/^\s*\{\s*"sequence"/.test(json)) {
    return unreadable("The preview's JSON is damaged or ends in the middle, so what it would change is not known.");
  }
  return readEvents(events.map(parsed));
}

function parsed(json: string): Record<string, unknown> | undefined {
  try {
    const value = parseJson(json);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

const NOTHING: Reading = {
  urn: undefined,
  failed: false,
  changes: [],
  unchanged: undefined,
  systems: [],
  errors: [],
  warnings: [],
  policies: [],
  packs: [],
};

function unreadable(message: string): Reading {
  return { ...NOTHING, failed: true, errors: [{ severity: "error", message }] };
}

/** A preview that failed without an error of its own. */
function unexplained(
  { policies }: Pick<Reading, "policies">,
  exitCode: number | undefined,
  log = "",
): Preview["errors"] {
  // A mandatory policy is an explanation, and has a place of its own in the report.
  if (policies.some(({ mandatory }) => mandatory)) return [];
  if (log.trim() !== "") return [{ severity: "error", message: log }];
  const how = exitCode === undefined ? "" : ` with exit code ${exitCode}`;
  return [{ severity: "error", message: `The preview ended${how} and did not say why. The run's log may.` }];
}
