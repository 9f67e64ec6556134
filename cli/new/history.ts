import { diffLines } from "diff";
import { git } from "./source";

/** All the versions of our files that a checkout of ours remembers. */
export class History {
  private constructor(
    private readonly source: string,
    private readonly versions: Map<string, Set<string>>,
  ) {}

  static of(source: string): History {
    const versions = new Map<string, Set<string>>();
    const log = git(source, "log", "HEAD", "--raw", "--no-abbrev", "--no-renames", "-m", "--format=", "-z");
    // `:mode mode old new status`, and the path behind a zero byte.
    const parts = log.split("\0");
    for (let at = 0; at + 1 < parts.length; at += 2) {
      const [, , , blob = ""] = parts[at]!.trim().split(" ");
      if (/^0+$/.test(blob)) continue;
      const file = parts[at + 1]!;
      versions.set(file, (versions.get(file) ?? new Set()).add(blob));
    }
    return new History(source, versions);
  }

  knows(file: string): boolean {
    return this.versions.has(file);
  }

  /** Whether a file is, to the last byte, what some version of ours had at that place. */
  has(file: string, blob: string): boolean {
    return this.versions.get(file)?.has(blob) === true;
  }

  /** The version of a file that a changed one most likely began as: the one with the fewest changed lines. */
  nearest(file: string, text: string): string | undefined {
    let best: { text: string; changed: number } | undefined;
    for (const blob of this.versions.get(file) ?? []) {
      const candidate = git(this.source, "cat-file", "blob", blob);
      const changed = diffLines(candidate, text).reduce(
        (sum, { added, removed, count }) => sum + (added || removed ? count : 0),
        0,
      );
      if (best === undefined || changed < best.changed) best = { text: candidate, changed };
    }
    return best?.text;
  }
}
