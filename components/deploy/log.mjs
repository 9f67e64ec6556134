// @ts-check
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { makeOwnFolder } from "./ownFiles.mjs";
import { sanitizeLines, inSeconds, oldAndNew, shortened, shortenedLines, withoutSecrets } from "./text.mjs";

const KEPT_LOGS = 20;
const SHOWN_PACKAGES = 10;
/** Of what other programs say. What this program says itself always has its place. */
const MOST_HEARD = 16 * 2 ** 20;
const MOST_IN_A_LINE = 4000;

/**
 * The whole story of a run goes to a file that only its owner reads; one line a phase goes to standard error.
 */
export class Log {
  #file = -1;
  #started = Date.now();
  #heard = 0;
  /** @type {string[]} */
  #phases = [];

  /**
   * @param {NodeJS.ProcessEnv} env
   * @param {string} secret never written, nor any line of it
   */
  constructor(env, secret) {
    this.secrets = secret
      .split("\n")
      .map((line) => line.trimEnd())
      .filter((line) => line.length >= 16);
    const folder = path.join(stateFolder(env), "pulumi-nixos", "logs");
    this.path = path.join(folder, `deploy-${new Date().toISOString().replaceAll(/[:.]/g, "-")}-${process.pid}.log`);
    try {
      if (!makeOwnFolder(folder)) throw new Error("not ours");
      this.#file = fs.openSync(this.path, "wx", 0o600);
      removeOldLogs(folder);
    } catch {
      this.path = ""; // A deployment does not fail for want of its log.
    }
  }

  /** @param {string} text */
  write = (text) => {
    if (this.#file === -1) return;
    const seconds = ((Date.now() - this.#started) / 1000).toFixed(1).padStart(7);
    try {
      for (const line of this.shown(text).split("\n")) fs.writeSync(this.#file, `${seconds} ${line}\n`);
    } catch {
      this.#file = -1; // such as a full disk
    }
  };

  /** What another program said, a part of it when it does not end. @param {string} line */
  heard = (line) => {
    if (this.#heard > MOST_HEARD) return;
    this.#heard += Math.min(line.length, MOST_IN_A_LINE) + 10;
    this.write(line);
    if (this.#heard > MOST_HEARD) this.write("… what other programs say from here on is left out");
  };

  /** @param {string} line */
  progress(line) {
    this.write(line);
    process.stderr.write(`${this.shown(line)}\n`);
  }

  /**
   * A text as people may see it: without secrets, without what a terminal obeys, in lines of bounded length.
   * @param {string} text
   */
  shown(text) {
    const lines = this.scrub(text).split("\n");
    return sanitizeLines(lines.map((line) => shortened(line, MOST_IN_A_LINE)).join("\n"));
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
    // Other programs repeat what they were told: an address with a token, say.
    return withoutSecrets(this.secrets.reduce((scrubbed, secret) => scrubbed.replaceAll(secret, "[secret]"), text));
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
