import { confirm, password } from "@inquirer/prompts";
import { Refusal } from "./refusal";

/** Who is asked and told. Tests give another one. */
export interface Person {
  /** Tells something, in one or more lines. Never a secret. */
  tell(text: string): void;
  /** Asks yes or no; `--yes` answers for everybody. */
  agree(question: string): Promise<boolean>;
  /** A secret from standard input when it is redirected, else typed without being shown. */
  secret(question: string): Promise<string>;
  /** Whether programs may use the terminal. */
  atTerminal: boolean;
}

/** The person at this terminal. */
export function personAtTerminal(yes: boolean): Person {
  const atTerminal = process.stdin.isTTY === true && process.stderr.isTTY === true;
  // Questions go to standard error: standard output may be redirected.
  const screen = { output: process.stderr };
  return {
    atTerminal,
    tell: (text) => console.log(text),
    async agree(question) {
      if (yes) return true;
      if (!atTerminal) throw new Refusal(`"${question}" cannot be asked here. Give --yes to agree beforehand.`);
      return confirm({ message: question, default: false }, screen);
    },
    async secret(question) {
      return process.stdin.isTTY ? password({ message: question, mask: true }, screen) : standardInput();
    },
  };
}

/** All of standard input. */
export async function standardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
