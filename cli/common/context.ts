import { OutputTooLong, ProgramMissing } from "../../components/deploy/errors.mjs";
import { Processes } from "../../components/deploy/process.mjs";
import { endedBy } from "../../components/deploy/trouble.mjs";

/** How a program ended and what it said. */
export interface Ran {
  /** False: there is no such program on PATH. */
  found: boolean;
  code: number | null;
  /** What ended it, where it did not end by itself. */
  signal?: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  timedOut: boolean;
}

export interface RunOptions {
  input?: string;
  /** More than the usual environment. */
  env?: NodeJS.ProcessEnv;
  /** The program that it starts, which needs its own secrets. */
  starts?: string;
  timeoutSeconds?: number;
  /** Characters of standard output after which it is ended. */
  mostOutput?: number;
}

/**
 * How long a program may take by default. It ends what hangs; a busy computer takes half a minute for what else is done
 * in a second, and a program that was ended says nothing about what it was asked.
 */
const PROGRAM_SECONDS = 180;

/** Everything that the checks look at outside of the project's files, so that tests can give them another world. */
export interface Context {
  /** The project's root folder. */
  folder: string;
  env: NodeJS.ProcessEnv;
  platform: NodeJS.Platform;
  arch: string;
  nodeVersion: string;
  /** How long a server may take to answer. */
  patienceSeconds: number;
  /** Runs a program without a terminal and within a time limit; a failure is a result, not an error. */
  run(program: string, args: string[], options?: RunOptions): Promise<Ran>;
  /** Ends every program that still runs. */
  stop(): Promise<void>;
}

/** The world as it is. */
export function realContext(overrides: Partial<Context> = {}): Context {
  const env = overrides.env ?? process.env;
  const processes = new Processes(env);
  return {
    folder: process.cwd(),
    env,
    platform: process.platform,
    arch: process.arch,
    nodeVersion: process.versions.node,
    patienceSeconds: 30,
    async run(program, args, options = {}) {
      try {
        const result = await processes.run(program, args, {
          // A question that nobody sees would hang until the time limit.
          env: { ...env, GIT_TERMINAL_PROMPT: "0", PULUMI_SKIP_UPDATE_CHECK: "true", ...options.env },
          starts: options.starts,
          input: options.input,
          timeoutSeconds: options.timeoutSeconds ?? PROGRAM_SECONDS,
          mostOutput: options.mostOutput,
        });
        return { found: true, ...result };
      } catch (error) {
        if (error instanceof OutputTooLong) {
          return { found: true, code: null, stdout: "", stderr: error.message, timedOut: false };
        }
        if (!(error instanceof ProgramMissing)) throw error;
        return { found: false, code: null, stdout: "", stderr: "", timedOut: false };
      }
    },
    stop: () => processes.stop(new Error("stopped")),
    ...overrides,
  };
}

/** Why a program did not do what it was asked, in one line. */
export function failureOf(program: string, ran: Ran): string {
  if (!ran.found) return `${program} was not found on PATH`;
  if (ran.timedOut) return `${program} did not answer in time`;
  if (ran.signal) return `${program} ${endedBy(ran)}`;
  return firstLine(ran.stderr) || firstLine(ran.stdout) || `${program} ended with exit code ${ran.code}`;
}

export function firstLine(text: string): string {
  return (
    text
      .split("\n")
      .map((line) => line.trim())
      .find((line) => line !== "") ?? ""
  );
}
