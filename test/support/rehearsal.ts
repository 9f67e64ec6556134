import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { run } from "../../cli/rehearse/processes";
import { PARTS, ROOT } from "../../cli/rehearse/project";
import type { Rehearsal } from "../../cli/rehearse/rehearse";

/** A run of the command in a process of its own. */
export interface Run {
  code: number | null;
  text: string;
  rehearsal: Rehearsal;
}

/** A folder for each test of a suite, gone after it. */
export function useFolder(): () => string {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "rehearsal-spec-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  return () => folder;
}

/** Rehearses the project in `root`; what the run leaves behind stays in `folder`. */
export async function rehearse(
  folder: string,
  root: string,
  surroundings: NodeJS.ProcessEnv,
  ...options: string[]
): Promise<Run> {
  const json = path.join(folder, "rehearsal.json");
  const args = ["--import", "tsx", "cli/rehearse.ts", "--json", json, ...options];
  const environment = { ...process.env, ...surroundings, TMPDIR: folder };
  const { code, stdout, stderr } = await run(process.execPath, args, { cwd: root, env: environment });
  return { code, text: stdout + stderr, rehearsal: JSON.parse(readFileSync(json, "utf8")) as Rehearsal };
}

/** A copy of the project, as somebody has it who uses it. */
export function copyOf(folder: string): string {
  const copy = path.join(folder, "copy");
  for (const part of [...PARTS, "cli", "test"].filter((one) => existsSync(path.join(ROOT, one))))
    cpSync(path.join(ROOT, part), path.join(copy, part), { recursive: true });
  symlinkSync(path.join(ROOT, "node_modules"), path.join(copy, "node_modules"));
  return copy;
}
