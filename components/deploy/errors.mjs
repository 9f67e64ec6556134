// @ts-check
import { shortened, shortenedLines } from "./text.mjs";

/** How much of another program's words stands in an error: its cause is in there, and the rest is in the log. */
const SHOWN_LINES = 200;
const SHOWN_CHARACTERS = 2000;

/** A failure that people can act on: printed without a stack. */
export class DeploymentError extends Error {
  /**
   * @param {string} message what is wrong
   * @param {{ details?: string, advice?: string[], exitCode?: number }} [more] the words of the tool that failed; what
   *   to do or where to look; the exit code of the program
   */
  constructor(message, { details = "", advice = [], exitCode = 1 } = {}) {
    super(message);
    this.name = "DeploymentError";
    this.details = details;
    this.advice = advice;
    this.exitCode = exitCode;
  }

  /** The whole text. Its first line says what is wrong. */
  text() {
    const words = this.details.trim() === "" ? [] : this.details.trimEnd().split("\n");
    const details = shortenedLines(words, SHOWN_LINES).map((line) => `  ${shortened(line, SHOWN_CHARACTERS)}`);
    return [shortened(this.message, 10 * SHOWN_CHARACTERS), ...details, ...this.advice].join("\n");
  }
}

/** A program that went on printing, and was ended. */
export class OutputTooLong extends DeploymentError {
  /**
   * @param {string} program
   * @param {number} limit characters
   */
  constructor(program, limit) {
    const size = limit >= 2 ** 20 ? `${Math.round(limit / 2 ** 20)} MiB` : `${Math.ceil(limit / 1024)} KiB`;
    super(`${program} printed more than ${size}, and was ended.`);
  }
}

/** A program that neither ended nor said anything, and was ended. */
export class TooSilent extends DeploymentError {
  /**
   * @param {string} name
   * @param {number} seconds
   * @param {string} said before that
   */
  constructor(name, seconds, said) {
    super(`${name} printed nothing for ${seconds} s, and was ended.`, {
      details: said.trimEnd().split("\n").slice(-25).join("\n"),
      advice: ["If it only needs longer, raise silentSeconds, an argument of the deployment."],
    });
  }
}

/** A program that must be on PATH and is not. */
export class ProgramMissing extends DeploymentError {
  /** @param {string} program */
  constructor(program) {
    super(`The program "${program}" was not found on PATH.`, { advice: PROGRAM_ADVICE[program] ?? [] });
    this.program = program;
  }
}

/** @type {Record<string, string[]>} */
const PROGRAM_ADVICE = {
  nix: [
    "Install Nix from https://nixos.org/download and open a new shell, then run this again.",
    "A preview without Nix is possible with evaluate: false, which compares the files of the flake instead.",
  ],
  git: ["Install Git, or set allowDirty to install the folder as it is."],
  ssh: ["Install the OpenSSH client."],
};
PROGRAM_ADVICE["nix-store"] = PROGRAM_ADVICE["nix-copy-closure"] = PROGRAM_ADVICE.nix ?? [];

/** Somebody ended the program (Ctrl-C, `pulumi cancel`, shutdown). */
export class Interrupted extends Error {
  /** @param {NodeJS.Signals} signal */
  constructor(signal) {
    super(`Interrupted by ${signal}.`);
    this.name = "Interrupted";
    this.signal = signal;
  }
}

/** @param {unknown} error */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
