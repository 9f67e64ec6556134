import { execFileSync, spawnSync } from "node:child_process";
import path from "node:path";

const root = path.join(__dirname, "../..");

/** Why a revision of this repository cannot be read here, or undefined. */
export function revisionMissing(revision: string): string | undefined {
  const { status } = spawnSync("git", ["-C", root, "cat-file", "-e", `${revision}^{commit}`]);
  return status === 0 ? undefined : `this checkout has no revision ${revision} (git fetch --unshallow)`;
}

/** Writes some paths of a revision into a folder. */
export function extractRevision(revision: string, folder: string, ...paths: string[]): void {
  const archive = execFileSync("git", ["-C", root, "archive", revision, ...paths], { maxBuffer: 2 ** 28 });
  execFileSync("tar", ["-C", folder, "-x"], { input: archive });
}
