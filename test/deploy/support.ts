import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { type Ended, run } from "../../cli/rehearse/processes";

/** The folder of the deployment program. */
export const programFolder = path.resolve(__dirname, "../../components/deploy");

/** A folder for one test; the path has a space, as a home folder may. */
export function temporaryFolder(): string {
  return fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "deploy test ")));
}

/** Writes an executable shell script. */
export function writeProgram(folder: string, name: string, script: string): string {
  fs.mkdirSync(folder, { recursive: true });
  const file = path.join(folder, name);
  fs.writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return file;
}

/** Runs one of the programs, in a folder, with this environment and nothing else. */
export async function runProgram(program: string, cwd: string, env: NodeJS.ProcessEnv): Promise<Ended> {
  const { code, stdout, stderr } = await run(process.execPath, [path.join(programFolder, program)], { cwd, env });
  return { code, stdout, stderr };
}

/** What an error says, of an action that must fail. */
export async function failureOf(action: () => unknown): Promise<Error> {
  try {
    await action();
  } catch (error) {
    if (error instanceof Error) return error;
    throw new Error("What was thrown is no error.", { cause: error });
  }
  throw new Error("It did not fail.");
}
