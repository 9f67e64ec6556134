import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import { WAIT_SECONDS } from "./limits.cjs";

const running = new Set<ChildProcess>();

/** Ends every program that still runs, for a rehearsal that is interrupted. */
export function endAll(): void {
  running.forEach((child) => child.kill("SIGKILL"));
}

/** The end of a process and what it wrote. */
export interface Finished {
  code: number;
  stdout: string;
  stderr: string;
}

export interface ProcessOptions {
  directory: string;
  environment: NodeJS.ProcessEnv;
  /** When the program is ended (default: the limit of the tests, which only something that hangs reaches). */
  seconds?: number;
}

/** Runs a program to its end, or ends it when its time is up. Does not throw for a failing program. */
export function finished(program: string, args: string[], options: ProcessOptions): Promise<Finished> {
  const { directory, environment, seconds = WAIT_SECONDS } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: directory,
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: seconds * 1000,
    });
    running.add(child);
    child.on("close", () => running.delete(child));
    const written = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => (written.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (written.stderr += text));
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (signal !== null) written.stderr += `\n${program} was ended by ${signal} after ${seconds} s at most`;
      resolve({ code: code ?? 1, ...written });
    });
  });
}

/** Like `finished`, but a failing program is an error that shows what it wrote. */
export async function succeeded(program: string, args: string[], options: ProcessOptions): Promise<Finished> {
  const end = await finished(program, args, options);
  if (end.code === 0) return end;
  throw new Error(`${program} ${args.join(" ")} ended with code ${end.code}:\n${end.stdout}${end.stderr}`.trimEnd());
}

/** Calls a function when the process ends, also by a signal. Returns what takes that back. */
export function onAnyEnd(end: () => void): () => void {
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  // The usual exit code of a program that a signal has ended; leaving by `exit` runs the handlers of exit.
  const leave = (signal: NodeJS.Signals) => process.exit(128 + constants.signals[signal]);
  process.on("exit", end);
  signals.forEach((signal) => process.on(signal, leave));
  return () => {
    process.off("exit", end);
    signals.forEach((signal) => process.off(signal, leave));
  };
}
