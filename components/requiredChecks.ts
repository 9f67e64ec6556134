import type { parse } from "yaml";
import { oneOf } from "./checks";
import { problem, shown } from "./errors";
import { isDeepYaml } from "./nesting";

/** The systems that can report the required checks; `other` is one that runs cli/ci/checks.sh. */
export const ciSystem = oneOf(["github-actions", "garnix", "hydra", "other", "none"]);

/**
 * Required checks that no system will report, one text each: with them nothing could ever be merged.
 *
 * @param workflows the texts of .github/workflows
 */
export function unreportedChecks(
  property: string,
  required: string[],
  { ci, protection, workflows }: { ci: string; protection: string; workflows: string[] },
): string[] {
  if (protection === "off" || required.length === 0) return [];
  if (ci === "none") {
    const remedy = 'Set protection to "off", or ci to the system that reports them.';
    return [problem(property, shown(required), 'nothing while ci is "none", for nobody would report them', remedy)];
  }
  const { reports, allowed } = reporter(ci, workflows);
  const missing = required.filter((name) => !reports(name));
  if (missing.length === 0) return [];
  return [problem(property, missing.map(shown).join(", "), allowed(), "A check that nobody reports locks the branch.")];
}

interface Reporter {
  reports: (name: string) => boolean;
  allowed: () => string;
}

function reporter(ci: string, workflows: string[]): Reporter {
  switch (ci) {
    case "github-actions":
      return {
        reports: (name) => plainlyReports(workflows, name) || reportedNames(workflows).some((one) => one.fits(name)),
        allowed: () => {
          const names = reportedNames(workflows).map(({ name }) => shown(name));
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
  return workflows.some(
    (text) => /^ {2}pull_request:[ \t]*\n {0,2}(\S|\n)/m.test(text) && text.split("\n").includes(`    name: ${name}`),
  );
}

interface Reported {
  name: string;
  fits: (name: string) => boolean;
}

/** The names under which the jobs of workflows report on every pull request. */
export function reportedNames(workflows: string[]): Reported[] {
  // Loaded only here, see plainlyReports.
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- an import cannot be late and in time
  const yaml = require("yaml") as { parse: typeof parse };
  return workflows.flatMap((text) => {
    let workflow: Workflow;
    if (isDeepYaml(text)) return [];
    try {
      workflow = (yaml.parse(text) ?? {}) as Workflow;
    } catch {
      // GitHub runs no workflow that it cannot read.
      return [];
    }
    if (!runsOnEveryPullRequest(workflow.on)) return [];
    return Object.entries(workflow.jobs ?? {}).map(([id, job]) => reportedName(id, job ?? {}));
  });
}

interface Workflow {
  on?: unknown;
  jobs?: Record<string, Job | null>;
}

interface Job {
  name?: string;
  uses?: string;
  strategy?: { matrix?: unknown };
}

/** A filter by path would leave the check of every other pull request unreported. */
function runsOnEveryPullRequest(on: unknown): boolean {
  if (on === "pull_request") return true;
  if (Array.isArray(on)) return on.includes("pull_request");
  if (typeof on !== "object" || on === null || !("pull_request" in on)) return false;
  const filters = Object.keys((on.pull_request as object | null) ?? {});
  return !filters.includes("paths") && !filters.includes("paths-ignore");
}

/** The name of a job; what an expression, a matrix or a called workflow adds to it may be anything. */
function reportedName(id: string, { name, uses, strategy }: Job): Reported {
  const own = String(name ?? id);
  const suffix = uses !== undefined ? " / *" : strategy?.matrix !== undefined && name === undefined ? " (*)" : "";
  const pattern = withoutExpressions(own) + suffix;
  return { name: pattern, fits: (wanted) => fits(pattern, wanted) };
}

function withoutExpressions(name: string): string {
  let [result, at] = ["", 0];
  for (;;) {
    const start = name.indexOf("${{", at);
    const end = start === -1 ? -1 : name.indexOf("}}", start);
    if (end === -1) return result + name.slice(at);
    result += `${name.slice(at, start)}*`;
    at = end + 2;
  }
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
