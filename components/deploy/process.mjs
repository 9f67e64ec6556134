// @ts-check
import { spawn } from "node:child_process";
import path from "node:path";
import { OutputTooLong, ProgramMissing, TooSilent } from "./errors.mjs";
import rules from "./rules.cjs";
import { Excerpt } from "./text.mjs";

/**
 * How a program ended and what it said.
 * @typedef {{ code: number | null, signal?: NodeJS.Signals | null, stdout: string, stderr: string, timedOut: boolean }} Result
 *
 * @typedef {object} RunOptions
 * @property {NodeJS.ProcessEnv} [env] of which it gets what it needs (environmentFor)
 * @property {string} [starts] the program that it starts, which needs its own secrets
 * @property {string} [input] for its standard input
 * @property {boolean} [keepInput] leave standard input open after `input`, until the program ends
 * @property {number} [timeoutSeconds] end it after this time; without, when it has been silent for too long
 * @property {string} [called] what it is for people; without, its own name
 * @property {boolean} [afterStop] start it though everything was stopped: cleaning up
 * @property {boolean} [bytes] what it prints is no text: each byte becomes one character, and the log leaves it out
 * @property {number} [mostOutput] end it when it has printed more characters than this: an answer is whole or none
 * @property {boolean} [talk] what it prints is for people, as standard error always is: beginning and end are kept
 * @property {number} [mostTalk] end it when it has said more than this
 */

/** Far more than any program here answers: `git ls-files` of a large repository, a preview of a thousand resources. */
const MOST_OUTPUT = 64 * 2 ** 20;
/** More than the largest builds say. Only a program that never stops says more. */
const MOST_TALK = 2 ** 30;

/** How long a program may take to end in order, before it is asked more harshly: on a busy computer, too. */
const PATIENCE_SECONDS = 10;

/** After how much silence people are told what is waited for, and how often; earlier where less is allowed. */
const REMINDER_SECONDS = 300;

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
   * @param {number} [patienceSeconds] how long a program may take to end in order
   * @param {number} [silentSeconds] how long one without a limit of its own may say nothing
   * @param {(line: string) => void} [remind] is told while one says nothing
   */
  constructor(
    env,
    log = () => {},
    patienceSeconds = PATIENCE_SECONDS,
    silentSeconds = rules.DEFAULTS.silentSeconds,
    remind = () => {},
  ) {
    this.env = env;
    this.log = log;
    this.patienceSeconds = patienceSeconds;
    this.silentSeconds = silentSeconds;
    this.remind = remind;
  }

  /**
   * Runs a program to its end, whatever its exit code.
   * @param {string} program
   * @param {string[]} args
   * @param {RunOptions} [options]
   * @returns {Promise<Result>}
   */
  run(program, args, options = {}) {
    const { env = this.env, starts, input = "", keepInput = false, timeoutSeconds, called = program } = options;
    const { afterStop = false, bytes = false, mostOutput = MOST_OUTPUT, talk = false, mostTalk = MOST_TALK } = options;
    if (this.#stopped !== undefined && !afterStop) return Promise.reject(this.#stopped);
    this.log(`$ ${[program, ...args].join(" ")}`);
    return new Promise((resolve, reject) => {
      const child = spawn(program, args, {
        env: withAbsolutePath(environmentFor(program, env, starts)),
        stdio: "pipe",
        detached: true,
      });
      const ended = new Promise((done) => child.once("close", done));
      let output = "";
      const said = { stdout: new Excerpt(), stderr: new Excerpt() };
      /** @type {Error | undefined} why it was ended, where that is its own fault */
      let fault;
      let timedOut = false;

      const running = {
        end: async () => {
          // As from a terminal first: nixos-rebuild cleans up on SIGINT only.
          for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGKILL"])) {
            killGroup(child.pid, signal);
            if (await within(this.patienceSeconds, ended)) break;
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

      const endFor = (/** @type {Error} */ reason) => {
        if (fault !== undefined) return;
        fault = reason;
        void running.end();
      };
      const silence =
        timeoutSeconds === undefined
          ? this.#listen(called, () => endFor(new TooSilent(called, this.silentSeconds, said.stderr.text())))
          : undefined;
      const listen = (/** @type {Excerpt} */ excerpt) => (/** @type {string} */ chunk) => {
        excerpt.add(chunk);
        if (excerpt.length > mostTalk) endFor(new OutputTooLong(program, mostTalk));
      };
      child.stderr.setEncoding("utf8").on("data", listen(said.stderr));
      child.stdout.setEncoding(bytes ? "latin1" : "utf8").on(
        "data",
        talk
          ? listen(said.stdout)
          : (chunk) => {
              if (output.length + chunk.length <= mostOutput) output += chunk;
              else endFor(new OutputTooLong(program, mostOutput));
            },
      );
      for (const stream of [child.stdout, child.stderr]) stream.on("data", () => silence?.broken());
      // A program that ends without reading its input closes the pipe; its exit code says what went wrong.
      child.stdin.on("error", () => {});
      child.stdin.write(input);
      if (!keepInput) child.stdin.end();

      const forget = () => {
        clearTimeout(timer);
        silence?.over();
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
        for (const line of `${bytes ? "" : stdout}${stderr}`.split("\n")) if (line !== "") this.log(`  ${line}`);
        this.log(`  ${signal ?? `exit code ${code}`}${timedOut ? `, ended after ${timeoutSeconds} s` : ""}`);
        // One that was ended has not done what it was to do, whatever it makes of that.
        if (fault === undefined) resolve({ code: timedOut ? null : code, signal, stdout, stderr, timedOut });
        else reject(fault);
      });
    });
  }

  /**
   * Counts how long a program says nothing. While the computer sleeps, no time passes for it.
   * @param {string} called
   * @param {() => void} end
   */
  #listen(called, end) {
    const step = Math.min(REMINDER_SECONDS, this.silentSeconds / 4);
    let silent = 0;
    const timer = setInterval(() => {
      silent += step;
      if (silent >= this.silentSeconds) end();
      else this.remind(`${called} has printed nothing for ${silent} s; it is ended after ${this.silentSeconds} s`);
    }, step * 1000);
    return {
      broken: () => {
        silent = 0;
        timer.refresh();
      },
      over: () => clearInterval(timer),
    };
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
 * The environment for other programs: without this program's own settings, the stack's and its backend's, and without
 * what changes how they deploy.
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

/** Variables that hold secrets: those of programs that are known, and whatever says so by its name. */
const SECRETS = [
  /^(DEPLOY|EVALUATE|PULUMI|GITHUB_APP|ACTIONS_ID_TOKEN_REQUEST|ACTIONS_RUNTIME|ARM_CLIENT|AZURE_CLIENT)_/,
  /^AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|SECURITY_TOKEN|CONTAINER_AUTHORIZATION_TOKEN)$/,
  // Settings of Nix, with access tokens among them.
  /^(NIX_CONFIG|SOPS_AGE_KEY|GOOGLE_CREDENTIALS)$/,
  /(TOKEN|PASSWORD|PASSWD|PASSPHRASE|SECRET|(^|_)(PAT|CREDENTIALS?|(API|ACCESS|SIGNING|PRIVATE|ENCRYPTION|DEPLOY|SSH)_?KEY))$/i,
];

/**
 * Programs that read their own secrets from the environment, and in which variables.
 * @type {[RegExp, RegExp][]}
 */
const OWN_SECRETS = [
  // Stores in S3; also of what nixos-rebuild starts.
  [/^nix(os)?\b/, /^(AWS_|NIX_CONFIG$)/],
  // Keys for age, and the services that keep others.
  [/^sops$/, /^(SOPS|AWS|GOOGLE|AZURE|VAULT|HUAWEICLOUD)_/],
];

/** Asked with those credentials, and by a name that nobody else has. */
const TRUSTED = ["pulumi", "aws", "gh"];

/**
 * The environment for a program: without the secrets that it does not need.
 * @param {string} program its name or path
 * @param {NodeJS.ProcessEnv} env
 * @param {string} [started] what it starts, which needs its own
 * @returns {NodeJS.ProcessEnv}
 */
export function environmentFor(program, env, started = program) {
  const names = [program, started].map((name) => name.replace(/^.*\//, ""));
  if (names.some((name) => TRUSTED.includes(name))) return env;
  const own = names.flatMap((name) =>
    OWN_SECRETS.filter(([form]) => form.test(name)).map(([, variables]) => variables),
  );
  const isKept = (/** @type {string} */ variable) =>
    own.some((variables) => variables.test(variable)) || !SECRETS.some((secret) => secret.test(variable));
  return Object.fromEntries(Object.entries(env).filter(([variable]) => isKept(variable)));
}

/**
 * PATH without folders that depend on where one is: a checkout must not bring programs along.
 * @param {NodeJS.ProcessEnv} env
 */
function withAbsolutePath(env) {
  if (env.PATH === undefined) return env;
  const folders = env.PATH.split(path.delimiter).filter((folder) => path.isAbsolute(folder));
  // An empty one means the current folder, none the system's.
  return { ...env, PATH: folders.length === 0 ? undefined : folders.join(path.delimiter) };
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
