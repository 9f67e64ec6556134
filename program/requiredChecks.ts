import type { parse } from "yaml";
import { oneOf } from "../components/values/rules";
import { problem, quote } from "../components/values/errors";
import { isDeepYaml } from "../components/values/nesting";
import { type Context, isSkipped } from "./workflowConditions";
import { EVERY_COMMIT, pullRequestEvents, type PullRequestEvent } from "./workflowTriggers";

/** What reports the checks of a stack that says nothing. */
export const CHECKS_FROM = "github-actions";

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
    checksFrom,
    branchProtection,
    workflows,
    branch = "main",
  }: { checksFrom: string; branchProtection: string; workflows: string[]; branch?: string },
): string[] {
  if (branchProtection === "off" || required.length === 0) return [];
  if (checksFrom === "none") {
    const remedy = 'Set branchProtection to "off", or checksFrom to the system that reports them.';
    return [
      problem(property, quote(required), 'nothing while checksFrom is "none", for nobody would report them', remedy),
    ];
  }
  const { reports, allowed } = reporter(checksFrom, workflows, branch);
  const missing = required.filter((name) => !reports(name));
  if (missing.length === 0) return [];
  const idle = checksFrom === "github-actions" ? missing.filter((name) => isJob(workflows, name)) : [];
  const why = idle.length === 0 ? "" : `${idle.map(quote).join(", ")}: ${notRun(branch)} `;
  const remedy = `${why}A check that nobody reports locks the branch.`;
  return [problem(property, missing.map(quote).join(", "), allowed(), remedy)];
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

function reporter(checksFrom: string, workflows: string[], branch: string): Reporter {
  switch (checksFrom) {
    case "github-actions":
      return {
        reports: (name) =>
          plainlyReports(workflows, name) || reportedNames(workflows, branch).some((one) => one.fits(name)),
        allowed: () => {
          const names = reportedNames(workflows, branch).map(({ name }) => quote(name));
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
    // What follows is not indented more, and is no comment or empty line, after which anything might come.
    if (!/^ {2}pull_request:[ \t]*\n {0,2}[^\s#]/m.test(text)) return false;
    // A job, as its lines; with anything that changes its name, or whether it runs, it is not plain.
    return text
      .split(/^(?= {0,2}[^\s#])/m)
      .some((job) => job.split("\n").includes(`    name: ${name}`) && !/^ {4}(if|needs|uses|strategy|"|')/m.test(job));
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
    .flatMap((workflow) => jobNames(workflow, called, { events: pullRequestEvents(workflow.on, branch), branch }))
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
      const workflow = yaml.parse(text, { logLevel: "error" }) as unknown;
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
  needs?: string | string[] | null;
  strategy?: { matrix?: unknown };
}

function isCalled(on: unknown): boolean {
  if (Array.isArray(on)) return on.includes("workflow_call");
  return on === "workflow_call" || (typeof on === "object" && on !== null && "workflow_call" in on);
}

/** The names of a workflow's jobs, with * for what cannot be told from here. */
function jobNames({ jobs }: Workflow, called: Workflow[], run: Run): string[] {
  const idle = idleJobs(jobs ?? {}, run);
  return Object.entries(jobs ?? {})
    .filter(([id]) => !idle.has(id))
    .flatMap(([id, job]) => {
      const names = ownNames(id, job ?? {});
      const uses = job?.uses;
      if (uses === undefined) return names;
      // Files are not told apart here: a workflow of this repository is one of those that can be called.
      // What that one calls is left open, or four that call each other would make millions of names.
      const here = uses.startsWith("./") && called.length > 0;
      const inner = here ? called.flatMap((workflow) => jobNames(workflow, [], run)) : ["*"];
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
 * The jobs that are certainly skipped for some commit of a pull request, or need one that is. GitHub counts a job that was
 * skipped as passed, so that a required check of its name would guard nothing.
 */
function idleJobs(jobs: Record<string, Job | null>, { events, branch }: Run): Set<string> {
  const idle = new Set<string>();
  const needing = new Map<string, string[]>();
  for (const [id, job] of Object.entries(jobs)) {
    const runs = (event: PullRequestEvent) =>
      situations(event, branch).every((situation) => !isSkipped(job?.if, situation));
    if (!events.some(runs)) idle.add(id);
    // A skipped job ends those that need it, but for one that asks how it ended.
    if (/\b(?:always|failure|cancelled)\s*\(/i.test(String(job?.if ?? ""))) continue;
    for (const needed of [job?.needs ?? []].flat().map(String)) {
      needing.set(needed, [...(needing.get(needed) ?? []), id]);
    }
  }
  // Goes on to what is added meanwhile.
  for (const id of idle) needing.get(id)?.forEach((next) => idle.add(next));
  return idle;
}

/** What a workflow is started by: events, for pull requests to a branch. */
interface Run {
  events: PullRequestEvent[];
  branch: string;
}

/** In what a job must run. A draft that is made ready without another run is merged with what was reported before. */
function situations(event: PullRequestEvent, branch: string): Context[] {
  const drafts = event.seesReady ? [false] : [false, true];
  return EVERY_COMMIT.flatMap((action) =>
    drafts.map((draft) => ({
      ...onPullRequest(event.name, branch),
      "github.event.action": action,
      "github.event.pull_request.draft": draft,
    })),
  );
}

/** What no condition names: it can stand in no login and no branch. */
const NOBODY = "?";

/**
 * One of anybody's, of which nothing special is known: no label, no certain author, branch or title. A job that asks for
 * one of them is skipped on it.
 */
const ORDINARY: Context = {
  "github.actor": NOBODY,
  "github.triggering_actor": NOBODY,
  "github.event.sender.login": NOBODY,
  "github.event.pull_request.user.login": NOBODY,
  "github.event.pull_request.head.ref": NOBODY,
  "github.head_ref": NOBODY,
  "github.event.pull_request.title": NOBODY,
  "github.event.pull_request.labels.*.name": "",
  "github.event.label.name": null,
};

/** What is known on every pull request, and what is so on most. */
function onPullRequest(event: string, branch: string): Context {
  const isTarget = event === "pull_request_target";
  return {
    ...ORDINARY,
    "github.event_name": event,
    "github.event.pull_request.base.ref": branch,
    "github.event.pull_request.merged": false,
    "github.base_ref": branch,
    // The number of a pull request is not known, and no condition would ask for it.
    "github.ref": isTarget ? `refs/heads/${branch}` : "refs/pull/0/merge",
    "github.ref_name": isTarget ? branch : "0/merge",
    "github.ref_type": "branch",
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
