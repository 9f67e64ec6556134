import type { parse } from "yaml";
import { oneOf } from "../components/values/checks";
import { problem, shown } from "../components/values/errors";
import { isDeepYaml } from "../components/values/nesting";
import { runsOnPullRequests } from "./workflowTriggers";

/** The systems that can report the required checks; `other` is one that runs cli/ci/checks.sh. */
export const ciSystem = oneOf(["github-actions", "garnix", "hydra", "other", "none"]);

/**
 * Required checks that no system will report, one text each: with them nothing could ever be merged.
 *
 * @param workflows the texts of .github/workflows
 * @param branch the protected branch
 */
export function unreportedChecks(
  property: string,
  required: string[],
  {
    ci,
    protection,
    workflows,
    branch = "main",
  }: { ci: string; protection: string; workflows: string[]; branch?: string },
): string[] {
  if (protection === "off" || required.length === 0) return [];
  if (ci === "none") {
    const remedy = 'Set protection to "off", or ci to the system that reports them.';
    return [problem(property, shown(required), 'nothing while ci is "none", for nobody would report them', remedy)];
  }
  const { reports, allowed } = reporter(ci, workflows, branch);
  const missing = required.filter((name) => !reports(name));
  if (missing.length === 0) return [];
  const idle = ci === "github-actions" ? missing.filter((name) => isJob(workflows, name)) : [];
  const why = idle.length === 0 ? "" : `${idle.map(shown).join(", ")}: ${notRun(branch)} `;
  const remedy = `${why}A check that nobody reports locks the branch.`;
  return [problem(property, missing.map(shown).join(", "), allowed(), remedy)];
}

/** What is wrong with a job of a required name that is none of those that report. */
export function notRun(branch: string): string {
  return `there is a job of that name, but it does not run on every pull request to ${branch} (see the filters of its workflow's "on", and its "if").`;
}

/** Whether a job has a name, whether or not it ever runs. */
export function isJob(workflows: string[], name: string): boolean {
  const read = parsed(workflows);
  return read.some(({ jobs }) => Object.entries(jobs ?? {}).some(([id, job]) => (job?.name ?? id) === name));
}

interface Reporter {
  reports: (name: string) => boolean;
  allowed: () => string;
}

function reporter(ci: string, workflows: string[], branch: string): Reporter {
  switch (ci) {
    case "github-actions":
      return {
        reports: (name) =>
          plainlyReports(workflows, name) || reportedNames(workflows, branch).some((one) => one.fits(name)),
        allowed: () => {
          const names = reportedNames(workflows, branch).map(({ name }) => shown(name));
          return `jobs that .github/workflows runs on every pull request (${names.join(", ") || "there are none"})`;
        },
      };
    case "garnix":
      return {
        reports: (name) => GARNIX.test(name),
        allowed: () => 'what garnix reports, such as "Evaluate flake.nix" and "nixosConfig default"',
      };
    case "hydra":
      return {
        reports: (name) => HYDRA.test(name),
        allowed: () => 'what Hydra\'s GithubStatus reports, "ci/hydra:<project>:<jobset>:<job>"',
      };
    default:
      return { reports: () => true, allowed: () => "any name" };
  }
}

const GARNIX =
  /^(Evaluate flake\.nix|All Garnix checks|(app|check|darwinConfig|devShell|homeConfig|nixosConfig|package) .+)$/;
const HYDRA = /^(ci|continuous-integration)\/hydra:[^:]+:[^:]+:.+$/;

/**
 * Whether a workflow in the usual layout reports a name. Sufficient and not necessary: it spares most previews the
 * loading of a YAML parser, which takes longer than all of the rest of the program.
 */
function plainlyReports(workflows: string[], name: string): boolean {
  return workflows.some((text) => {
    if (!/^ {2}pull_request:[ \t]*\n {0,2}(\S|\n)/m.test(text)) return false;
    // A job, as its lines; with anything that changes its name, or whether it runs, it is not plain.
    return text
      .split(/^(?= {0,2}[^\s#])/m)
      .some((job) => job.split("\n").includes(`    name: ${name}`) && !/^ {4}(if|uses|strategy|"|')/m.test(job));
  });
}

interface Reported {
  name: string;
  fits: (name: string) => boolean;
}

/** The names under which the jobs of workflows report on every pull request to a branch. */
export function reportedNames(workflows: string[], branch = "main"): Reported[] {
  const read = parsed(workflows);
  const called = read.filter(({ on }) => isCalled(on));
  return read
    .filter(({ on }) => runsOnPullRequests(on, branch))
    .flatMap((workflow) => jobNames(workflow, called, branch))
    .map((name) => ({ name, fits: (wanted: string) => fits(name, wanted) }));
}

/** The workflows that can be read; GitHub runs no other. */
export function parsed(workflows: string[]): Workflow[] {
  // Loaded only here, see plainlyReports.
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- an import cannot be late and in time
  const yaml = require("yaml") as { parse: typeof parse };
  return workflows.flatMap((text) => {
    if (isDeepYaml(text)) return [];
    try {
      const workflow = yaml.parse(text) as unknown;
      return typeof workflow === "object" && workflow !== null ? [workflow] : [];
    } catch {
      return [];
    }
  });
}

export interface Workflow {
  name?: string;
  on?: unknown;
  jobs?: Record<string, Job | null>;
}

interface Job {
  name?: string;
  uses?: string;
  if?: string | boolean | null;
  strategy?: { matrix?: unknown };
}

function isCalled(on: unknown): boolean {
  if (Array.isArray(on)) return on.includes("workflow_call");
  return on === "workflow_call" || (typeof on === "object" && on !== null && "workflow_call" in on);
}

/** The names of a workflow's jobs, with * for what cannot be told from here. */
function jobNames({ jobs }: Workflow, called: Workflow[], branch: string): string[] {
  return Object.entries(jobs ?? {})
    .filter(([, job]) => !neverRuns(job?.if, branch))
    .flatMap(([id, job]) => {
      const names = ownNames(id, job ?? {});
      const uses = job?.uses;
      if (uses === undefined) return names;
      // Files are not told apart here: a workflow of this repository is one of those that can be called.
      // What that one calls is left open, or four that call each other would make millions of names.
      const here = uses.startsWith("./") && called.length > 0;
      const inner = here ? called.flatMap((workflow) => jobNames(workflow, [], branch)) : ["*"];
      return names.flatMap((name) => [...new Set(inner)].map((one) => `${name} / ${one}`));
    });
}

/** The names that a job's matrix makes of one: GitHub appends the values, or puts them where the name has expressions. */
function ownNames(id: string, { name, strategy }: Job): string[] {
  const own = String(name ?? id);
  const placed = name !== undefined && own.includes("${{");
  const rows = strategy?.matrix === undefined ? [{}] : matrixRows(strategy.matrix);
  if (rows === undefined) return [placed ? withValues(own, {}) : `${own} (*)`];
  return rows.map((row: Record<string, string>) => {
    const values = Object.values(row);
    if (placed) return withValues(own, row);
    return values.length === 0 ? own : `${own} (${values.join(", ")})`;
  });
}

/** A text with the values of its matrix expressions, and * for every other one. */
function withValues(text: string, row: Record<string, string>): string {
  const [first = "", ...others] = text.split("${{");
  const rest = others.map((part) => {
    const end = part.indexOf("}}");
    if (end === -1) return "*";
    const key = /^matrix\.([\w-]+)$/.exec(part.slice(0, end).trim())?.[1];
    return ((key === undefined ? undefined : row[key]) ?? "*") + part.slice(end + 2);
  });
  return first + rest.join("");
}

/** The combinations of a matrix; undefined where they cannot be told: expressions, objects, include and exclude. */
function matrixRows(matrix: unknown): Record<string, string>[] | undefined {
  if (typeof matrix !== "object" || matrix === null || "include" in matrix || "exclude" in matrix) return undefined;
  let rows: Record<string, string>[] = [{}];
  for (const [key, values] of Object.entries(matrix as Record<string, unknown>)) {
    if (!Array.isArray(values) || values.some((value) => typeof value === "object" || /\$\{\{/.test(String(value)))) {
      return undefined;
    }
    rows = rows.flatMap((row) => values.map((value) => ({ ...row, [key]: String(value) })));
    // GitHub makes no more.
    if (rows.length > 256) return undefined;
  }
  return rows;
}

/**
 * Whether a job's condition is plainly false on every pull request: a constant, or a comparison that cannot hold. GitHub
 * counts a job that was skipped for it as passed, so that a required check of its name would guard nothing.
 */
function neverRuns(condition: Job["if"], branch: string): boolean {
  if (condition === undefined || condition === null) return false;
  const text = String(condition)
    .trim()
    .replace(/^\$\{\{([^]*)\}\}$/, "$1")
    .trim();
  if (/[|()]/.test(text)) return false;
  return text.split("&&").some((part) => {
    const term = part.trim();
    if (term === "false" || term === "!true") return true;
    const [, subject = "", operator, value = ""] = /^github\.(\w+) *(==|!=) *'([^']*)'$/.exec(term) ?? [];
    const holds = valuesOnPullRequest(branch)[subject]?.some((one) => (operator === "==") === (one === value));
    return operator !== undefined && holds === false;
  });
}

/** What github.* may be on a pull request. */
function valuesOnPullRequest(branch: string): Record<string, string[]> {
  return {
    event_name: ["pull_request", "pull_request_target"],
    base_ref: [branch],
    // Of pull_request_target the branch, of pull_request refs/pull/<number>/merge.
    ref: [`refs/heads/${branch}`, "refs/pull/0/merge"],
    ref_name: [branch, "0/merge"],
    ref_type: ["branch"],
  };
}

/** Whether a text fits a pattern in which every * is one character or more. As a regular expression it could take ages. */
function fits(pattern: string, text: string): boolean {
  const [first = "", ...others] = pattern.split("*");
  const last = others.pop();
  if (last === undefined) return text === pattern;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of others) {
    const found = text.indexOf(part, at + 1);
    if (found === -1) return false;
    at = found + part.length;
  }
  return text.length - last.length > at && text.endsWith(last);
}
