import { readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";

/** The texts of a project's GitHub Actions workflows; none where it has no such folder. */
export function readWorkflows(project: string): string[] {
  const folder = path.join(project, ".github/workflows");
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.ya?ml$/.test(entry.name))
      .map(({ name }) => readFileSync(path.join(folder, name), "utf8"));
  } catch {
    return [];
  }
}
