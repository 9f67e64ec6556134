/** Something that a person can put right: printed without a stack. */
export class UserError extends Error {
  constructor(problems: string | string[]) {
    super([problems].flat().join("\n"));
    this.name = "UserError";
  }
}
