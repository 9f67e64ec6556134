import { changedParts } from "../preview/report";
import { changeCounts } from "../render/changeList";
import { heading, text } from "../render/document";
import { resourceTree, type TreeNode } from "../render/resourceTree";
import { SECRET, withoutSecrets as withoutKeys } from "../render/text";
import { toTerminal } from "../render/terminal";
import { aligned, columns, inSeconds } from "../../components/deploy/text.mjs";
import type { RecordedResource, Run } from "./drivers/driver";
import { isObject, withoutSecretMarkers } from "./emulators/values";
import type { Update } from "./steps";
import { only, plainInputs, reportedChanges, TYPES, withoutSecrets } from "./records";
import type { Outcome, Verdict } from "./verdicts";
import type { Step } from "./runner";

/** The inputs that tell what a resource is for. */
const TELLING: Record<string, string[]> = {
  "tls:index/privateKey:PrivateKey": ["algorithm"],
  [TYPES.keyPair]: ["publicKey"],
  [TYPES.repository]: ["name", "visibility", "archiveOnDestroy"],
  [TYPES.protection]: ["pattern", "requiredStatusChecks", "enforceAdmins"],
  [TYPES.ruleset]: ["conditions", "rules"],
  [TYPES.deployKey]: ["title", "readOnly"],
  "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": ["fromPort", "cidrIpv4", "cidrIpv6"],
  "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": ["ipProtocol", "cidrIpv4", "cidrIpv6"],
  [TYPES.instance]: ["ami", "instanceType", "rootBlockDevice", "metadataOptions", "userData"],
  [TYPES.eip]: ["instance"],
  [TYPES.command]: ["triggers"],
};

/** One line of the table of steps, which is printed while they are taken. */
export function stepLine(number: number, { title, summary, seconds }: Step): string {
  const [longestTitle, longestSummary] = [30, 62];
  return [
    aligned(String(number), 2),
    title.padEnd(longestTitle),
    summary.padEnd(longestSummary),
    inSeconds(seconds * 1000).padStart(6),
  ].join("  ");
}

/** What each update changed, as the comment on a pull request says it; the first one is told by the tree. */
export function changesOfSteps(steps: Step[]): string[] {
  return steps
    .flatMap(({ title, updates }) => updates.map((update) => ({ title, update })))
    .filter(({ update }) => update.before !== undefined)
    .flatMap(({ title, update }) => linesOf(title, update));
}

function linesOf(title: string, { part, before, run }: Update): string[] {
  const { changes, systems } = reportedChanges(before, run);
  const what = [title, ...(part === undefined ? [] : [part])].join(", ");
  const head = [heading(text(`${what}: ${changeCounts(changes) || "nothing changes"}`))];
  const report = toTerminal({ head, parts: changedParts({ changes, systems }), foot: [] }, { colours: false });
  // Several reports stand below each other here, so that each is to be one block.
  return report
    .split("\n")
    .filter((line) => line !== "")
    .map((line, at) => (at === 0 ? line : `  ${line}`));
}

/** The resources of a run under their components, secrets hidden. */
export function treeOf({ resources }: Run): string[] {
  const nodeOf = (resource: RecordedResource): TreeNode => ({
    title: `${resource.name} (${resource.type.split(":").at(-1)})`,
    details: detailsOf(resource),
    children: resources.filter(({ parent }) => parent === resource.urn).map(nodeOf),
  });
  return resourceTree(resources.filter(({ parent }) => parent === undefined).map(nodeOf));
}

function detailsOf({ type, inputs }: RecordedResource): TreeNode["details"] {
  return (TELLING[type] ?? [])
    .filter((label) => inputs[label] !== undefined)
    .flatMap((label) => valuesOf(inputs[label]).map((value) => ({ label, value: shown(withoutSecrets(value)) })));
}

/** Each trigger has a line of its own: they are long. */
function valuesOf(value: unknown): unknown[] {
  return Array.isArray(value) && value.every((part) => typeof part === "string") ? value : [value];
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return value.map(shown).join(", ");
  if (!isObject(value)) return typeof value === "string" ? value : JSON.stringify(value);
  return Object.entries(value)
    .map(([key, part]) => `${key}=${shown(part)}`)
    .join(" ");
}

/** The machine's user data, with both keys blotted out. */
export function userDataOf(run: Run): string[] {
  const userData = plainInputs(only(run, TYPES.instance))["userData"] as string;
  // The host key stands on one line, its newlines turned to |.
  const hidden = withoutKeys(userData).replaceAll(/^(SSH_HOST_ED25519_KEY:).*$/gm, `$1${SECRET}`);
  return hidden.trimEnd().split("\n");
}

/** How the deployment program is run. */
export function deploymentOf(run: Run): string[] {
  const { inputs } = only(run, TYPES.command);
  const { interpreter, create, environment } = inputs as { interpreter: string[]; create: string; environment: object };
  const variables = Object.entries(withoutSecretMarkers(environment))
    .map(([name, value]): [string, string] => [name, /PRIVATE/.test(name) ? SECRET : String(value)])
    .sort(([one], [other]) => one.localeCompare(other));
  return [[...interpreter, create].join(" "), ...variables.map(([name, value]) => `  ${name}=${value}`)];
}

const OUTCOMES: Outcome[] = ["held", "FAILED", "not checked", "not run"];

/** The verdicts as a table, with the reason under each that does not hold. */
export function verdictTable(verdicts: Verdict[]): string[] {
  const rows = columns(verdicts.map(({ outcome, subject, step, statement }) => [outcome, subject, step, statement]));
  return verdicts.flatMap(({ outcome, reason = "" }, at) => [
    rows[at]!,
    ...(outcome === "FAILED"
      ? withoutKeys(reason)
          .split("\n")
          .map((line) => `    ${line}`)
      : []),
  ]);
}

/** How many verdicts of each kind there are, with the reasons of those that could not be had. */
export function totals(verdicts: Verdict[]): string[] {
  const counts = OUTCOMES.map(
    (outcome) => [verdicts.filter((verdict) => verdict.outcome === outcome).length, outcome] as const,
  );
  const line = counts
    .filter(([count, outcome]) => count > 0 || outcome === "held")
    .map(([count, outcome]) => `${count} ${outcome}`);
  const reasons = new Set(
    verdicts.filter(({ outcome }) => outcome.startsWith("not")).map(({ outcome, reason }) => `${outcome}: ${reason}`),
  );
  return [line.join(", "), ...reasons];
}
