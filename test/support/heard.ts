import type { Ui } from "../../cli/common/command";

/** Where nobody can be asked, and all that is said or complained of is kept. */
export function heard(said: string[]): Ui {
  const keep = (text: string) => void said.push(text);
  return { say: keep, complain: keep };
}
