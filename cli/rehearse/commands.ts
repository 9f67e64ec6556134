import { accessSync, constants } from "node:fs";
import * as path from "node:path";

/** Whether a command is on PATH. */
export function hasCommand(name: string): boolean {
  return (process.env["PATH"] ?? "").split(path.delimiter).some((folder) => {
    try {
      accessSync(path.join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
