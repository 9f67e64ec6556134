import * as rules from "../components/values/rules";
import { problem, quote } from "../components/values/errors";
import { parseJson } from "../components/values/nesting";
import { branchName, ownerName, repositoryName } from "../components/values/repositoryNames";

/** nix/repository.json: the repository that the machine follows, read by this program and by the flake. */
export interface RepositoryFile {
  /** User or organization; empty until the repository is set up. */
  owner: string;
  name: string;
  branch: string;
  /** `deploy-key` or `token`. */
  access: string;
}

const FILE = "nix/repository.json";
const FIELDS = { owner: ownerName, name: repositoryName, branch: branchName, access: rules.accessKind };

/** Reads the file's text; `value` is there unless a field is missing or is no text. */
export function parseRepositoryFile(json: string): { value?: RepositoryFile; problems: string[] } {
  let content: unknown;
  try {
    content = parseJson(json);
  } catch (error) {
    // Node repeats a part of the text, with whatever control characters it has.
    const reason = (error as Error).message.replaceAll(/[\p{Cc}\u2028-\u202e\u2066-\u2069\ufeff]+/gu, " ");
    return { problems: [`${FILE}: is not JSON: ${reason}.`] };
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    return { problems: [problem(FILE, quote(content), `an object with the fields ${Object.keys(FIELDS).join(", ")}`)] };
  }
  const fields = content as Record<string, unknown>;
  const unknown = Object.keys(fields).filter((key) => !(key in FIELDS));
  const problems = unknown.map((key) => problem(FILE, `the field ${quote(key)}`, Object.keys(FIELDS).join(", ")));
  for (const [key, check] of Object.entries(FIELDS)) problems.push(...fieldProblems(key, fields[key], check));
  const complete = Object.keys(FIELDS).every((key) => typeof fields[key] === "string");
  return { value: complete ? (fields as unknown as RepositoryFile) : undefined, problems };
}

function fieldProblems(key: string, value: unknown, check: (property: string, value: string) => string[]): string[] {
  const property = `${FILE}, ${key}`;
  if (typeof value !== "string") return [problem(property, quote(value), "a text")];
  if (key === "owner" && value === "") {
    return [
      `${property}: is empty. Write your GitHub user or organization there; the machine will follow its repository.`,
    ];
  }
  return check(property, value);
}
