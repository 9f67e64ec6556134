// @ts-check
import { spawn } from "node:child_process";
import { ProgramMissing } from "./errors.mjs";

/**
 * How a program ended and what it said.
 * @typedef {{ code: number | null, stdout: string, stderr: string, timedOut: boolean }} Result
 *
 * @typedef {object} RunOptions
 * @property {NodeJS.ProcessEnv} [env]
 * @property {string} [input] for its standard input
 * @property {boolean} [keepInput] leave standard input open after `input`, until the program ends
 * @property {number} [timeoutSeconds] end it after this time; no limit without
 * @property {boolean} [afterStop] start it though everything was stopped: cleaning up
 * @property {boolean} [bytes] what it prints is no text: each byte becomes one character, and the log leaves it out
 */

/** How long a program may take to end in order before it is ended for good. */
const PATIENCE_SECONDS = 3;

/**
 * Starts programs, and can end them all at once. Every program leads a process group of its own, so that what it
 * started ends with it, and so that Ctrl-C reaches this program alone, which then knows what to do.
 */
export class Processes {
  /** @type {Set<{ end: () => Promise<void>, fail: (reason: Error) => void }>} */
  #running = new Set();
  /** @type {Set<(reason: Error) => void>} */
  #sleeping = new Set();
  /** @type {Error | undefined} */
  #stopped;

  /**
   * @param {NodeJS.ProcessEnv} env what programs find in their environment
   * @param {(line: string) => void} [log] is told what they are called with and what they say
   */
  constructor(env, log = () => {}) {
    this.env = env;
    this.log = log;
  }

  /**
   * Runs a program to its end, whatever its exit code.
   * @param {string} program
   * @param {string[]} args
   * @param {RunOptions} [options]
   * @returns {Promise<Result>}
   */
  run(program, args, options = {}) {
    const { env = this.env, input = "", keepInput = false, timeoutSeconds, afterStop = false, bytes = false } = options;
    if (this.#stopped !== undefined && !afterStop) return Promise.reject(this.#stopped);
    this.log(`$ ${[program, ...args].join(" ")}`);
    return new Promise((resolve, reject) => {
      const child = spawn(program, args, { env, stdio: "pipe", detached: true });
      const ended = new Promise((done) => child.once("close", done));
      let stdout = "";
      let stderr = "";
      let timedOut = false;

      const running = {
        end: async () => {
          // As from a terminal first: nixos-rebuild cleans up on SIGINT only.
          for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGKILL"])) {
            killGroup(child.pid, signal);
            if (await within(PATIENCE_SECONDS, ended)) break;
          }
          killGroup(child.pid, "SIGKILL");
        },
        fail: reject,
      };
      this.#running.add(running);
      const timer =
        timeoutSeconds === undefined
          ? undefined
          : setTimeout(() => {
              timedOut = true;
              void running.end();
            }, timeoutSeconds * 1000);

      child.stdout.setEncoding(bytes ? "latin1" : "utf8").on("data", (chunk) => (stdout += chunk));
      child.stderr.setEncoding("utf8").on("data", (chunk) => (stderr += chunk));
      // A program that ends without reading its input closes the pipe; its exit code says what went wrong.
      child.stdin.on("error", () => {});
      child.stdin.write(input);
      if (!keepInput) child.stdin.end();

      const forget = () => {
        clearTimeout(timer);
        this.#running.delete(running);
      };
      child.once("error", (error) => {
        forget();
        reject("code" in error && error.code === "ENOENT" ? new ProgramMissing(program) : error);
      });
      child.once("exit", () => child.stdin.destroy());
      child.once("close", (code, signal) => {
        forget();
        for (const line of `${bytes ? "" : stdout}${stderr}`.split("\n")) if (line !== "") this.log(`  ${line}`);
        this.log(`  ${signal ?? `exit code ${code}`}${timedOut ? `, ended after ${timeoutSeconds} s` : ""}`);
        resolve({ code, stdout, stderr, timedOut });
      });
    });
  }

  /** @param {number} seconds */
  sleep(seconds) {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped);
    return new Promise((resolve, reject) => {
      const wake = (/** @type {Error} */ reason) => {
        clearTimeout(timer);
        reject(reason);
      };
      const timer = setTimeout(() => {
        this.#sleeping.delete(wake);
        resolve(undefined);
      }, seconds * 1000);
      this.#sleeping.add(wake);
    });
  }

  /**
   * Ends every program; whoever waits for one, or sleeps, or starts another, gets the reason as an error.
   * @param {Error} reason
   */
  async stop(reason) {
    this.#stopped ??= reason;
    const running = [...this.#running];
    for (const wake of this.#sleeping) wake(this.#stopped);
    for (const { fail } of running) fail(this.#stopped);
    await Promise.all(running.map(({ end }) => end()));
  }
}

/**
 * @param {number | undefined} pid
 * @param {NodeJS.Signals} signal
 */
function killGroup(pid, signal) {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It is gone.
  }
}

/**
 * @param {number} seconds
 * @param {Promise<unknown>} promise
 * @returns {Promise<boolean>}
 */
async function within(seconds, promise) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(() => resolve(false), seconds * 1000)));
  const result = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return result === true;
}

const SAFETY_SWITCHES = [
  // Each turns off the unit that nixos-rebuild switches in, and with it the guard.
  "NIXOS_SWITCH_USE_DIRTY_ENV",
  "NIXOS_REBUILD_NO_SYSTEMD_RUN",
  "NIXOS_REBUILD_I_UNDERSTAND_THE_CONSEQUENCES_PLEASE_BREAK_MY_SYSTEM",
  "_NIXOS_REBUILD_REEXEC",
  // Ours is the only one.
  "NIX_SSHOPTS",
];

/**
 * The environment for other programs: without our secrets and without what changes how they deploy.
 * @param {NodeJS.ProcessEnv} env
 */
export function plainEnvironment(env) {
  return withoutRepository(
    Object.fromEntries(
      Object.entries(env).filter(
        ([name]) => !/^(DEPLOY|EVALUATE|PULUMI)_/.test(name) && !SAFETY_SWITCHES.includes(name),
      ),
    ),
  );
}

/** What makes git take another repository, index or history than the folder's own; a git hook sets some of them. */
const OTHER_REPOSITORY =
  /^GIT_(DIR|WORK_TREE|IMPLICIT_WORK_TREE|COMMON_DIR|INDEX_FILE|INDEX_VERSION|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|NAMESPACE|PREFIX|GRAFT_FILE|SHALLOW_FILE|REPLACE_REF_BASE|NO_REPLACE_OBJECTS|ATTR_SOURCE|DEFAULT_HASH|EXTERNAL_DIFF|DIFF_OPTS|(LITERAL|GLOB|NOGLOB|ICASE)_PATHSPECS)$/;

/**
 * The environment in which git, and what starts it, takes the repository of the folder that it is told.
 * @param {NodeJS.ProcessEnv} env
 */
export function withoutRepository(env) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !OTHER_REPOSITORY.test(name)));
}
