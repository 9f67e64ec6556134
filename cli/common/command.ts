import { constants } from "node:os";
import type { Surroundings } from "./context";

/**
 * Runs a command to its exit code. A signal ends the programs that it has started, and lets it remove its temporary
 * files; an error is printed without a stack.
 */
export async function runCli(around: Surroundings, command: (around: Surroundings) => Promise<number>): Promise<void> {
  let signalled: NodeJS.Signals | undefined;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      signalled = signal;
      void around.stop();
    });
  }
  try {
    process.exitCode = await command(around);
  } catch (error) {
    if (signalled === undefined) process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
  }
  if (signalled !== undefined) process.exitCode = 128 + constants.signals[signalled];
}
