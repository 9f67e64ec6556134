import { findProgram } from "../../components/deploy/path.mjs";

/** Whether a command is on PATH. */
export function hasCommand(name: string): boolean {
  return findProgram(process.env, name) !== undefined;
}
