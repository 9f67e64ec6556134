import type { Prompts } from "../common/prompts";

/** How setup talks to people. Without prompts (no terminal) everything must come by flags. */
export interface Ui {
  say(text: string): void;
  prompts?: Prompts;
}
