import { sanitizeLines } from "../../components/deploy/text.mjs";

/** How a check ended. A note asks for a look but stops nothing; a skipped check says why it could not be made. */
export type Outcome = "ok" | "note" | "failed" | "skipped";

/** One line of what setup and doctor say. */
export interface Result {
  /** What was looked at, in a few words. */
  subject: string;
  outcome: Outcome;
  /** What was found, in a sentence or less. Never a secret. */
  found: string;
  /** What to do about it. */
  remedy?: string;
}

export const ok = (subject: string, found: string): Result => ({ subject, outcome: "ok", found });

export const note = (subject: string, found: string, remedy?: string): Result => ({
  subject,
  outcome: "note",
  found,
  remedy,
});

export const failed = (subject: string, found: string, remedy: string): Result => ({
  subject,
  outcome: "failed",
  found,
  remedy,
});

export const skipped = (subject: string, found: string): Result => ({ subject, outcome: "skipped", found });

export function hasFailed(results: Result[]): boolean {
  return results.some(({ outcome }) => outcome === "failed");
}

const MARKS: Record<Outcome, string> = { ok: "ok  ", note: "note", failed: "FAIL", skipped: "skip" };

/** The results for people: words and not colours or signs alone, so that a log and a screen reader have all of it. */
export function printed(results: Result[]): string {
  const width = Math.max(0, ...results.map(({ subject }) => subject.length));
  return results
    .map(({ subject, outcome, found, remedy }) => {
      const line = `  ${MARKS[outcome]}  ${subject.padEnd(width)}  ${sanitizeLines(found)}`;
      const indent = " ".repeat(width + 10);
      return remedy === undefined ? line : `${line}\n${indent}-> ${sanitizeLines(remedy)}`;
    })
    .join("\n");
}

/** How many of each kind, for the last line. */
export function counted(results: Result[]): string {
  const count = (outcome: Outcome) => results.filter((result) => result.outcome === outcome).length;
  return `${count("ok")} ok, ${count("note")} notes, ${count("failed")} failed, ${count("skipped")} skipped`;
}
