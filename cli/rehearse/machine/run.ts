import { spawn } from "node:child_process";
import { WAIT_SECONDS } from "../limits.cjs";

/** How a command ended and what it said. */
export interface Result {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** From start to end. */
  milliseconds: number;
}

export interface RunOptions {
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  input?: string;
}

/** Runs a command to its end, whatever its exit code. One that hangs is killed, and the promise fails. */
export function run(command: string, args: string[], options: RunOptions = {}): Promise<Result> {
  const { env, cwd, input } = options;
  return new Promise((resolve, reject) => {
    const started = Date.now();
    const child = spawn(command, args, { env, cwd, stdio: "pipe" });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`${command} ${args.join(" ")}: not done after ${WAIT_SECONDS} s\n${stdout}${stderr}`));
    }, WAIT_SECONDS * 1000);
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, stdout, stderr, milliseconds: Date.now() - started });
    });
    // A command that ends without reading its input closes the pipe; its exit code says what went wrong.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input ?? "");
  });
}

/** Runs a command that must succeed; its standard output, without the last newline. */
export async function output(command: string, args: string[], options: RunOptions = {}): Promise<string> {
  const result = await run(command, args, options);
  if (result.code !== 0) {
    const ending = result.signal ?? `exit code ${result.code}`;
    throw new Error(`${command} ${args.join(" ")}: ${ending}\n${result.stdout}${result.stderr}`);
  }
  return result.stdout.replace(/\n$/, "");
}
