import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import { WAIT_SECONDS } from "./limits.cjs";

const running = new Set<ChildProcess>();

/** Ends every program that still runs, for a rehearsal that is interrupted. */
export function endAll(): void {
  running.forEach((child) => child.kill("SIGKILL"));
}

/** How a program ended and what it said. */
export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** The same, with what else is known. */
export interface Result extends Ended {
  signal: NodeJS.Signals | null;
  /** From start to end. */
  milliseconds: number;
}

export interface RunOptions {
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  input?: string;
  /** After so long it is ended, which its result then says. Without it, only what hangs is, and that is an error. */
  seconds?: number;
}

/** Runs a program to its end, whatever its exit code. */
export function run(program: string, args: string[], options: RunOptions = {}): Promise<Result> {
  const { env, cwd, input, seconds } = options;
  return new Promise((resolve, reject) => {
    const started = Date.now();
    // Node's pipes are sockets, and a bash whose input is one takes itself for a login from afar: it reads /etc/bash.bashrc.
    const stdio = [input === undefined ? "ignore" : "pipe", "pipe", "pipe"] as const;
    const child: ChildProcess = spawn(program, args, { env, cwd, stdio: [...stdio] });
    running.add(child);
    const said = { stdout: "", stderr: "" };
    child.stdout!.setEncoding("utf8").on("data", (chunk: string) => (said.stdout += chunk));
    child.stderr!.setEncoding("utf8").on("data", (chunk: string) => (said.stderr += chunk));
    const timer = setTimeout(
      () => {
        child.kill("SIGKILL");
        if (seconds !== undefined) return;
        const words = [program, ...args].join(" ");
        reject(new Error(`${words}: not done after ${WAIT_SECONDS} s\n${said.stdout}${said.stderr}`));
      },
      (seconds ?? WAIT_SECONDS) * 1000,
    );
    const forget = () => {
      clearTimeout(timer);
      running.delete(child);
    };
    child.on("error", (error) => {
      forget();
      reject(error);
    });
    child.on("close", (code, signal) => {
      forget();
      resolve({ code, signal, ...said, milliseconds: Date.now() - started });
    });
    // A program that ends without reading its input closes the pipe; its exit code says what went wrong.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input);
  });
}

/** Runs a program that must succeed; its standard output, without the last newline. */
export async function output(program: string, args: string[], options: RunOptions = {}): Promise<string> {
  const { code, signal, stdout, stderr } = await run(program, args, options);
  if (code === 0) return stdout.replace(/\n$/, "");
  throw new Error(`${program} ${args.join(" ")}: ${signal ?? `exit code ${code}`}\n${stdout}${stderr}`);
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
