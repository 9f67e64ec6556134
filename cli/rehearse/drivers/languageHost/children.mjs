// @ts-check
// The programs that the host runs for the engine.
import { spawn } from "node:child_process";
import process from "node:process";
import { findProgram } from "../../../../components/deploy/path.mjs";

/** @typedef {import("./commands.mjs").Command} Command */

const running = new Set(/** @type {import("node:child_process").ChildProcess[]} */ ([]));

/** How long a program may take to end in order. */
const GRACE = 5000;

/**
 * Where a program is, by the host's own PATH and not by that of what it runs.
 * @param {string} name
 */
export function located(name) {
  const found = findProgram(process.env, name);
  if (found === undefined) throw new Error(`could not find ${name} on the $PATH`);
  return found;
}

/**
 * Runs a program, and gives what it writes to two functions.
 * @param {string} program
 * @param {Command} command
 * @param {(text: Buffer) => void} stdout
 * @param {(text: Buffer) => void} stderr
 * @returns {{ stop: (signal: NodeJS.Signals) => void, code: Promise<number> }} the exit code, -1 after a signal
 */
export function run(program, { arguments: args, environment, directory }, stdout, stderr) {
  const child = spawn(located(program), args, { cwd: directory, env: environment, stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  child.stdout.on("data", stdout);
  child.stderr.on("data", stderr);
  const code = new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      running.delete(child);
      resolve(code ?? -1);
    });
  });
  return { stop: (signal) => stop(child, signal), code };
}

/** Interrupts all that still runs. */
export function interruptAll() {
  running.forEach((child) => stop(child, "SIGINT"));
}

/**
 * @param {import("node:child_process").ChildProcess} child
 * @param {NodeJS.Signals} signal
 */
function stop(child, signal) {
  child.kill(signal);
  setTimeout(() => child.kill("SIGKILL"), GRACE).unref();
}
