import { type ValueRule, problem } from "./errors";

/**
 * A GitHub token of a shape that GitHub issues (https://github.blog/2021-04-05-behind-githubs-new-authentication-token-formats/
 * and the fine-grained `github_pat_`), as a whole string: a newline in it would inject settings where it is written.
 * The value never appears in the message.
 */
export const githubToken: ValueRule<string> = (property, value) => {
  if (typeof value === "string" && /^(github_pat_[A-Za-z0-9_]+|gh[pousr]_[A-Za-z0-9]+)$/.test(value)) return [];
  const text = typeof value === "string" ? value : "";
  const got =
    text === "" ? "an empty text" : /[\r\n]/.test(text) ? "a text of several lines" : "a text of another form";
  return [
    problem(property, got, "one line, github_pat_… or ghp_…", "Copy the token again, without anything around it."),
  ];
};
