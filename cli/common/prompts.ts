import * as inquirer from "@inquirer/prompts";
import { UserError } from "./userError";

/** A word to choose and what it means. */
export interface Choice {
  value: string;
  name: string;
}

/** How a person is asked; tests answer in its place. */
export interface Prompts {
  /** `check` returns what is wrong with an answer; it is asked again. */
  text(question: string, usual: string | undefined, check: (answer: string) => string[]): Promise<string>;
  choose(question: string, choices: Choice[], usual: string | undefined): Promise<string>;
  confirm(question: string, usual: boolean): Promise<boolean>;
}

/** Standard output may be redirected. */
const screen = { output: process.stderr };

/** At the terminal, where a secret is typed without being shown. Ctrl-C throws. */
export const terminal: Prompts & { secret(question: string): Promise<string> } = {
  text: (message, usual, check) =>
    inquirer
      .input(
        {
          message,
          default: usual,
          prefill: "editable",
          validate: (answer) => check(answer.trim()).join("\n") || true,
        },
        screen,
      )
      .then((answer) => answer.trim()),
  choose: (message, choices, usual) => inquirer.select({ message, choices, default: usual }, screen),
  confirm: (message, usual) => inquirer.confirm({ message, default: usual }, screen),
  secret: (message) => inquirer.password({ message, mask: true }, screen),
};

/** Whether an error means that the person left. */
export function isFarewell(error: unknown): boolean {
  return error instanceof Error && error.name === "ExitPromptError";
}

/** All of standard input. Another encoding than UTF-8 would become other signs without a word. */
export async function standardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new UserError([
      "Standard input is no text in UTF-8. Nothing was changed. Give text, or bytes as text: base64 FILE | …,",
      "and decode it on the machine.",
    ]);
  }
}
