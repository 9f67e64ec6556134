import { githubToken } from "../../components/values/githubToken";
import { UserError } from "../common/userError";
import { requireOwnKey, store } from "./set";
import type { Workplace } from "./workplace";

/** Where the token is in the file; nix/modules/default.nix declares it. */
export const TOKEN_NAME = "github-access-token";

/** Stores the GitHub token that the machine reads its repository with, as the line that Nix knows. */
export async function token(place: Workplace): Promise<void> {
  requireOwnKey(place);
  const value = (await place.person.secret("GitHub token (not shown):")).trim();
  const problems = githubToken("token", value);
  if (problems.length > 0) throw new UserError(problems);
  await store(place, [TOKEN_NAME], tokenLine(value));
}

export function tokenLine(value: string): string {
  return `extra-access-tokens = github.com=${value}`;
}

/** What is wrong with a stored token; empty when nothing is. Never shows it. */
export function tokenLineProblems(stored: unknown): string[] {
  const line = /^extra-access-tokens = github\.com=(.*)$/s.exec(String(stored));
  const remedy = "Run `npm run secrets -- token`.";
  if (line === null) return [`${TOKEN_NAME} is not a line "extra-access-tokens = github.com=…". ${remedy}`];
  return githubToken(TOKEN_NAME, line[1]!).map((problem) => `${problem} ${remedy}`);
}
