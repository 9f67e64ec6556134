// @ts-check
import { spawn } from "node:child_process";
import { OutputTooLong, ProgramMissing } from "./errors.mjs";
import { Excerpt } from "./text.mjs";

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
 * @property {number} [mostOutput] end it when it has printed more characters than this: an answer is whole or none
 * @property {boolean} [talk] what it prints is for people, as standard error always is: beginning and end are kept
 * @property {number} [mostTalk] end it when it has said more than this
 */

/** Far more than any program here answers: `git ls-files` of a large repository, a preview of a thousand resources. */
const MOST_OUTPUT = 64 * 2 ** 20;
/** More than the largest builds say. Only a program that never stops says more. */
const MOST_TALK = 2 ** 30;

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
    const { env = this.env, input = "", keepInput = false, timeoutSeconds, afterStop = false } = options;
    const { mostOutput = MOST_OUTPUT, talk = false, mostTalk = MOST_TALK } = options;
    if (this.#stopped !== undefined && !afterStop) return Promise.reject(this.#stopped);
    this.log(`$ ${[program, ...args].join(" ")}`);
    return new Promise((resolve, reject) => {
      const child = spawn(program, args, { env, stdio: "pipe", detached: true });
      const ended = new Promise((done) => child.once("close", done));
      let output = "";
      const said = { stdout: new Excerpt(), stderr: new Excerpt() };
      /** @type {Error | undefined} */
      let excess;
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

      const endFor = (/** @type {number} */ limit) => {
        if (excess !== undefined) return;
        excess = new OutputTooLong(program, limit);
        void running.end();
      };
      const listen = (/** @type {Excerpt} */ excerpt) => (/** @type {string} */ chunk) => {
        excerpt.add(chunk);
        if (excerpt.length > mostTalk) endFor(mostTalk);
      };
      child.stderr.setEncoding("utf8").on("data", listen(said.stderr));
      child.stdout.setEncoding("utf8").on(
        "data",
        talk
          ? listen(said.stdout)
          : (chunk) => {
              if (output.length + chunk.length <= mostOutput) output += chunk;
              else endFor(mostOutput);
            },
      );
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
        const stdout = talk ? said.stdout.text() : output;
        const stderr = said.stderr.text();
        for (const line of `${stdout}${stderr}`.split("\n")) if (line !== "") this.log(`  ${line}`);
        this.log(`  ${signal ?? `exit code ${code}`}${timedOut ? `, ended after ${timeoutSeconds} s` : ""}`);
        if (excess === undefined) resolve({ code, stdout, stderr, timedOut });
        else reject(excess);
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
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^(DEPLOY|EVALUATE|PULUMI)_/.test(name) && !SAFETY_SWITCHES.includes(name)),
  );
}
