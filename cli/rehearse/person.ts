import type { Person } from "../secrets/workplace";

/** A person who agrees to everything, types what is prepared, and remembers what was said. */
export class PreparedPerson implements Person {
  readonly told: string[] = [];
  readonly asked: string[] = [];
  /** What is typed at questions for a secret, in order. */
  secrets: string[] = [];
  /** The question from which on the person does not agree any more. */
  refuses: RegExp | undefined;

  tell(text: string): void {
    this.told.push(text);
  }

  agree(question: string): Promise<boolean> {
    this.asked.push(question);
    return Promise.resolve(this.refuses?.test(question) !== true);
  }

  secret(): Promise<string> {
    const value = this.secrets.shift();
    if (value === undefined) throw new Error("No secret is prepared.");
    return Promise.resolve(value);
  }
}
