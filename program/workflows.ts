import { readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";

/** The texts of a project's GitHub Actions workflows; none where it has no such folder. */
export function readWorkflows(project: string): string[] {
  const folder = path.join(project, ".github/workflows");
  let files: string[];
  try {
    files = readdirSync(folder);
  } catch {
    return [];
  }
  return files.filter((file) => /\.ya?ml$/.test(file)).map((file) => readFileSync(path.join(folder, file), "utf8"));
}
