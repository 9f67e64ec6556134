import { constants } from "node:os";
import { parseArgs, type ParseArgsConfig } from "node:util";
import { closest } from "fastest-levenshtein";
import { withoutSecrets } from "../../components/deploy/text.mjs";
import { problem, problemList, quote } from "../../components/values/errors";
import { realContext, type Context } from "./context";
import { isFarewell, type Prompts, terminal } from "./prompts";
import { UserError } from "./userError";

/** Where a command speaks, and asks. */
export interface Ui {
  /** What it is run for: standard output. */
  say: (text: string) => void;
  /** Why it did not do it: standard error. */
  complain: (text: string) => void;
  /** Undefined: there is no terminal to ask at. */
  prompts?: Prompts;
}

type Options = NonNullable<ParseArgsConfig["options"]>;
type Line<T extends Options> = ReturnType<typeof parseArgs<{ options: T; allowPositionals: true }>>;
/** What a command line makes possible: `values` of the options, and what is no option. */
export type { Line };

export interface About<T extends Options> {
  /** How a person calls it, in front of its options: `npm run doctor --`. */
  call: string;
  help: string;
  options: T;
  /** Whether there is something beside options; the command itself says what. */
  positionals?: boolean;
  /** Options whose empty value means something. */
  mayBeEmpty?: readonly (keyof T)[];
  /** Options that had another name in the last version, by that. */
  formerly?: Readonly<Record<string, string>>;
  /** The exit code where it could not do its work; 1 unless that has another meaning. */
  refused?: number;
  /** What is said after a reason why it could not. */
  undone?: string;
}

/** A command, which returns its exit code. */
export type Command = (argv: string[], context: Context, ui: Ui) => Promise<number>;

/** A command line that means nothing: nothing was done, and the exit code is 2. */
export class UsageError extends UserError {}

/** Throws what is wrong with a command line, if anything is. */
export function refuse(problems: string[]): void {
  if (problems.length === 1) throw new UsageError(problems);
  if (problems.length > 1) throw new UsageError(problemList("The command line", problems));
}

/** What is wrong with the value of an option. */
export function wrong(option: string, value: string | undefined, pattern: RegExp, allowed: string): string[] {
  return value === undefined || pattern.test(value) ? [] : [problem(option, quote(value), allowed)];
}

/** Gives a command what all have: `--help`, which does nothing else, and the way in which it is said what went wrong. */
export function command<T extends Options>(
  about: About<T>,
  run: (line: Line<T>, context: Context, ui: Ui) => number | Promise<number>,
): Command {
  const options = { ...about.options, help: { type: "boolean", short: "h" } } as T;
  return async (given, context, ui) => {
    const argv = given.map((word) => nameOfToday(word, about.formerly ?? {}, ui));
    const asked = parseArgs({ args: argv, options, strict: false, tokens: true });
    if (asked.values["help"] === true) {
      ui.say(about.help.trimEnd());
      return 0;
    }
    try {
      const mayBeEmpty = (about.mayBeEmpty ?? []) as string[];
      refuse([
        ...asked.tokens.flatMap((token) => problemOf(token, options, about.positionals === true, mayBeEmpty)),
        ...givenTwice(asked.tokens, options),
      ]);
      return await run(parseArgs({ args: argv, options, allowPositionals: true }), context, ui);
    } catch (error) {
      const usage = error instanceof UsageError;
      const after = [
        ...(error instanceof UserError && !usage && about.undone !== undefined ? [about.undone] : []),
        ...(usage ? [`All options: ${about.call} --help`] : []),
      ];
      ui.complain([saidOf(error), ...after].join("\n"));
      return usage ? 2 : (about.refused ?? 1);
    }
  };
}

function saidOf(error: unknown): string {
  if (isFarewell(error)) return "Stopped. What was written before stays.";
  // What the system refuses, such as a file that is missing or a full disk, is nobody's fault here.
  if (error instanceof UserError || (error instanceof Error && "syscall" in error)) return error.message;
  const trace = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `${withoutSecrets(trace)}\nThis is a fault of the program, not yours. Please report it with these lines.`;
}

type Token = ReturnType<typeof parseArgs<{ strict: false; tokens: true; options: Options }>>["tokens"][number];

function problemOf(token: Token, options: Options, positionals: boolean, mayBeEmpty: string[]): string[] {
  if (token.kind === "positional") {
    if (!positionals) return [`got ${quote(token.value)}; allowed: options alone.`];
    // What a variable that is not set leaves behind in a script.
    return token.value === "" ? ['got ""; allowed: words that are not empty.'] : [];
  }
  if (token.kind !== "option") return [];
  const { name, rawName, value, inlineValue } = token;
  const option = Object.hasOwn(options, name) ? options[name] : undefined;
  if (option === undefined) {
    return [`${rawName}: there is no such option. Did you mean --${closest(name, Object.keys(options))}?`];
  }
  if (option.type === "boolean")
    return value === undefined ? [] : [`${rawName}: got ${quote(value)}; allowed: no value.`];
  if (value === undefined) return [`${rawName}: got nothing; allowed: a value.`];
  if (value.trim() === "" && !mayBeEmpty.includes(name))
    return [`${rawName}: got ${quote(value)}; allowed: a value that is not empty.`];
  // Far more often the value was forgotten.
  const isOption = !inlineValue && value.length > 1 && value.startsWith("-");
  return isOption ? [`${rawName}: got the option ${value}; allowed: a value, or ${rawName}=${value}.`] : [];
}

/** Of two values only one could count, and which is not for the program to guess. */
function givenTwice(tokens: Token[], options: Options): string[] {
  const given = tokens.flatMap((token) => (token.kind === "option" ? [token.name] : []));
  return Object.entries(options).flatMap(([name, { type, multiple }]) => {
    const times = given.filter((one) => one === name).length;
    return type === "string" && multiple !== true && times > 1
      ? [`--${name}: given ${times} times; allowed: once.`]
      : [];
  });
}

/** A word of the command line with the name that its option has today, which is said. */
function nameOfToday(word: string, formerly: Readonly<Record<string, string>>, ui: Ui): string {
  const [, name = "", rest = ""] = /^--([^=]+)(=[^]*)?$/.exec(word) ?? [];
  const today = Object.hasOwn(formerly, name) ? formerly[name] : undefined;
  if (today === undefined) return word;
  ui.complain(`--${name} is now --${today}. The next version does not know the old name.`);
  return `--${today}${rest}`;
}

/** How long a command has to remove its temporary files after a signal. */
const GRACE_MILLISECONDS = 2000;

/**
 * Runs a command to the end of this process. A signal ends the programs that it has started, and lets it remove its
 * temporary files; one that has started none notices nothing, and is ended.
 */
export async function start(run: Command): Promise<void> {
  const context = realContext();
  let signalled: NodeJS.Signals | undefined;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      signalled = signal;
      const leave = () => process.exit(128 + constants.signals[signal]);
      void context.stop().then(() => setTimeout(leave, GRACE_MILLISECONDS).unref());
    });
  }
  // Who reads only the first lines closes the pipe: what was begun is brought to its end all the same.
  let lost = 0;
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE" || lost > 0) return;
    process.exitCode = lost = 1;
    process.stderr.write(`The output could not be written: ${error.message}\n`);
  });
  process.stderr.on("error", () => {});
  const code = await run(process.argv.slice(2), context, {
    // Not the console, which is caught where the program runs in this process.
    say: (text) => void process.stdout.write(`${text}\n`),
    complain: (text) => void (signalled ?? process.stderr.write(`${text}\n`)),
    prompts: process.stdin.isTTY && process.stderr.isTTY ? terminal : undefined,
  });
  process.exitCode = signalled === undefined ? code || lost : 128 + constants.signals[signalled];
}
