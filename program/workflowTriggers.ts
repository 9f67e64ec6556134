/**
 * When GitHub runs a workflow. Patterns and filters as GitHub documents them in "Workflow syntax for GitHub Actions",
 * "Filter pattern cheat sheet": close to globs and to regular expressions, and neither of them.
 */

type Filters = Record<string, unknown>;

/** What must be in `types`, where it is given, for every commit of a pull request to be checked. */
export const EVERY_COMMIT = ["opened", "synchronize"];

export interface PullRequestEvent {
  name: string;
  /** Whether it also comes when a draft is made ready, which is no commit. */
  seesReady: boolean;
}

/**
 * The events by which a workflow runs for every commit of every pull request to a branch.
 *
 * @param on the workflow's `on`: one event, a list, or a map with filters
 */
export function pullRequestEvents(on: unknown, branch: string): PullRequestEvent[] {
  return ["pull_request", "pull_request_target"].flatMap((name) => {
    const filters = filtersOf(on, name);
    if (filters === undefined || !branchIsTaken(filters, branch) || !everyPathIsTaken(filters)) return [];
    const types = filters["types"] === undefined ? EVERY_COMMIT : list(filters["types"]);
    if (!EVERY_COMMIT.every((type) => types.includes(type))) return [];
    return [{ name, seesReady: types.includes("ready_for_review") }];
  });
}

/** Whether a workflow runs when a branch is pushed to, whatever the paths; undefined where pushes start it nowhere. */
export function runsOnPush(on: unknown, branch: string): boolean | undefined {
  const filters = filtersOf(on, "push");
  if (filters === undefined) return undefined;
  const tagsAlone =
    ("tags" in filters || "tags-ignore" in filters) && !("branches" in filters || "branches-ignore" in filters);
  return tagsAlone ? undefined : branchIsTaken(filters, branch);
}

/** The filters of an event; undefined where the event starts nothing. */
function filtersOf(on: unknown, event: string): Filters | undefined {
  if (typeof on === "string" || Array.isArray(on)) return list(on).includes(event) ? {} : undefined;
  if (typeof on !== "object" || on === null || !(event in on)) return undefined;
  const filters = (on as Filters)[event];
  return typeof filters === "object" && filters !== null ? (filters as Filters) : {};
}

function branchIsTaken(filters: Filters, branch: string): boolean {
  const { branches, "branches-ignore": ignored } = filters;
  // GitHub runs no workflow with both.
  if (branches !== undefined && ignored !== undefined) return false;
  if (ignored !== undefined) return !selects(list(ignored), branch);
  return branches === undefined || branches === null || selects(list(branches), branch);
}

/** Another filter by path would leave the check of some pull request unreported. */
function everyPathIsTaken({ paths, "paths-ignore": ignored }: Filters): boolean {
  if (ignored !== undefined && list(ignored).length > 0) return false;
  if (paths === undefined || paths === null) return true;
  const patterns = list(paths);
  const every = patterns.map((pattern) => pattern === "**" || pattern === "**/*").lastIndexOf(true);
  return every > patterns.map((pattern) => pattern.startsWith("!")).lastIndexOf(true);
}

/** Whether patterns select a name: the last one that fits decides, and one with ! takes back what was selected. */
export function selects(patterns: string[], name: string): boolean {
  return patterns.reduce((selected, pattern) => {
    if (pattern.startsWith("!")) return selected && !fits(pattern.slice(1), name);
    return selected || fits(pattern, name);
  }, false);
}

function fits(pattern: string, name: string): boolean {
  try {
    return new RegExp(`^${expression(pattern)}$`, "u").test(name);
  } catch {
    // A range that runs backwards, say. GitHub refuses the workflow.
    return false;
  }
}

/** The parts of a pattern, the longest first; each other sign stands for itself. */
const PARTS = /\*\*\/|\*\*|\*|\?|\+|\[[A-Za-z0-9-]+\]|\\.|./gsu;

function expression(pattern: string): string {
  return pattern.replaceAll(PARTS, (part) => {
    if (part === "**/") return "(?:.*/)?";
    if (part === "**") return ".*";
    if (part === "*") return "[^/]*";
    if (part === "?" || part === "+" || /^\[.+\]$/.test(part)) return part;
    return part.replace(/^\\(?=.)/su, "").replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  });
}

/** A text, or the texts of a list. */
function list(value: unknown): string[] {
  return (Array.isArray(value) ? value : value === null || value === undefined ? [] : [value]).map(String);
}
