// @ts-check
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { harmless, inSeconds, oldAndNew, shortened, shortenedLines } from "./text.mjs";

const KEPT_LOGS = 20;
const SHOWN_PACKAGES = 10;

/**
 * The whole story of a run goes to a file that only its owner reads; one line a phase goes to standard error.
 */
export class Log {
  #file = -1;
  #started = Date.now();
  /** @type {string[]} */
  #phases = [];

  /**
   * @param {NodeJS.ProcessEnv} env
   * @param {string} secret never written, nor any line of it
   */
  constructor(env, secret) {
    this.secrets = secret.split(/\s*\n/).filter((line) => line.length >= 16);
    const folder = path.join(stateFolder(env), "pulumi-nixos", "logs");
    this.path = path.join(folder, `deploy-${new Date().toISOString().replaceAll(/[:.]/g, "-")}-${process.pid}.log`);
    try {
      fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
      this.#file = fs.openSync(this.path, "wx", 0o600);
      removeOldLogs(folder);
    } catch {
      this.path = ""; // A deployment does not fail for want of its log.
    }
  }

  /** @param {string} line */
  write = (line) => {
    if (this.#file === -1) return;
    const seconds = ((Date.now() - this.#started) / 1000).toFixed(1).padStart(7);
    try {
      fs.writeSync(this.#file, `${seconds} ${this.scrub(line)}\n`);
    } catch {
      this.#file = -1; // such as a full disk
    }
  };

  /** @param {string} line */
  progress(line) {
    const text = harmless(this.scrub(line));
    this.write(text);
    process.stderr.write(`${text}\n`);
  }

  /**
   * Says at the end what has changed on the machine, and where the time went.
   * @param {string} before the system that ran
   * @param {string} after the system that runs
   * @param {string[]} packages what differs between them, a line each
   */
  summary(before, after, packages) {
    this.progress(`done: the machine runs another system, after ${inSeconds(Date.now() - this.#started)}`);
    const shown = shortenedLines(packages, SHOWN_PACKAGES).map((line) => shortened(line, 100));
    for (const line of [...oldAndNew(before, after), ...shown, this.#phases.join(", ")]) this.progress(`  ${line}`);
  }

  /** @param {string} text */
  scrub(text) {
    return this.secrets.reduce((scrubbed, secret) => scrubbed.replaceAll(secret, "[secret]"), text);
  }

  /**
   * Runs one phase and says, in one line, what it came to and how long it took.
   * @template T
   * @param {string} name
   * @param {(say: (result: string) => void) => Promise<T>} work
   * @returns {Promise<T>}
   */
  async phase(name, work) {
    const started = Date.now();
    let result = "done";
    this.write(`== ${name}`);
    try {
      return await work((text) => (result = text));
    } catch (error) {
      result = "failed";
      throw error;
    } finally {
      const seconds = inSeconds(Date.now() - started);
      this.#phases.push(`${name} ${seconds}`);
      this.progress(`${name}: ${result} (${seconds})`);
    }
  }
}

/** @param {NodeJS.ProcessEnv} env */
function stateFolder(env) {
  return absolute(env.XDG_STATE_HOME) ?? path.join(os.homedir(), ".local", "state");
}

/** @param {NodeJS.ProcessEnv} env */
export function cacheFolder(env) {
  return absolute(env.XDG_CACHE_HOME) ?? path.join(os.homedir(), ".cache");
}

/** The XDG specification has relative paths ignored. @param {string | undefined} folder */
function absolute(folder) {
  return folder !== undefined && path.isAbsolute(folder) ? folder : undefined;
}

/** @param {string} folder */
function removeOldLogs(folder) {
  const logs = fs.readdirSync(folder).filter((name) => /^deploy-.*\.log$/.test(name));
  for (const name of logs.sort().slice(0, -KEPT_LOGS)) fs.rmSync(path.join(folder, name), { force: true });
}
