import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

/** The three texts of one file; undefined where there is none. */
export interface Versions {
  /** What was given before. */
  base: string | undefined;
  /** What is in the repository. */
  yours: string | undefined;
  /** What the newer version gives. */
  newer: string | undefined;
}

export type Outcome = "same" | "added" | "updated" | "merged" | "kept" | "removed" | "conflict";

/** What becomes of one file; `text` is undefined where there is none afterwards. */
export interface Merged {
  outcome: Outcome;
  text: string | undefined;
}

/** Merges one file: what only one side changed is that side's, and git merges what both did. */
export function merge({ base, yours, newer }: Versions): Merged {
  if (yours === newer) return { outcome: "same", text: yours };
  if (newer === base) return { outcome: "kept", text: yours };
  if (yours === base) {
    const outcome = newer === undefined ? "removed" : base === undefined ? "added" : "updated";
    return { outcome, text: newer };
  }
  // Whoever deleted a file does not want it, and whoever changed one wants it, whatever the newer version says.
  if (yours === undefined || newer === undefined) return { outcome: "kept", text: yours };
  const { conflicts, text } = mergeFile(yours, base ?? "", newer);
  return { outcome: conflicts ? "conflict" : text === yours ? "kept" : "merged", text };
}

function mergeFile(yours: string, base: string, newer: string): { conflicts: boolean; text: string } {
  const folder = mkdtempSync(path.join(tmpdir(), "merge-"));
  try {
    const files = Object.entries({ yours, base, newer }).map(([name, text]) => {
      writeFileSync(path.join(folder, name), text);
      return name;
    });
    const labels = ["yours", "given before", "newer version"].flatMap((label) => ["-L", label]);
    const { status, stdout, stderr, error } = spawnSync("git", ["merge-file", "-p", "--diff3", ...labels, ...files], {
      cwd: folder,
      encoding: "utf8",
    });
    // The number of conflicts, at most 127; above it is an error.
    if (error !== undefined || status === null || status > 127) throw error ?? new Error(`git merge-file: ${stderr}`);
    return { conflicts: status > 0, text: stdout };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
