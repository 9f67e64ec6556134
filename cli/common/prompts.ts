import * as inquirer from "@inquirer/prompts";

/** A word to choose and what it means. */
export interface Choice {
  value: string;
  name: string;
}

/** How setup asks; tests answer in its place. */
export interface Prompts {
  /** `check` returns what is wrong with an answer; it is asked again. */
  text(question: string, usual: string | undefined, check: (answer: string) => string[]): Promise<string>;
  choose(question: string, choices: Choice[], usual: string | undefined): Promise<string>;
  confirm(question: string, usual: boolean): Promise<boolean>;
}

/** At the terminal. Ctrl-C throws. */
export const terminal: Prompts = {
  text: (message, usual, check) =>
    inquirer
      .input({
        message,
        default: usual,
        prefill: "editable",
        validate: (answer) => check(answer.trim()).join("\n") || true,
      })
      .then((answer) => answer.trim()),
  choose: (message, choices, usual) => inquirer.select({ message, choices, default: usual }),
  confirm: (message, usual) => inquirer.confirm({ message, default: usual }),
};

/** Whether an error means that the person left. */
export function isFarewell(error: unknown): boolean {
  return error instanceof Error && error.name === "ExitPromptError";
}
