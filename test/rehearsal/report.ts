import { resourceTree, type TreeNode } from "../../cli/render/resourceTree";
import { SECRET, withoutSecrets as withoutKeys } from "../../cli/render/safeText";
import type { RecordedResource, Run } from "./drivers/driver";
import { isObject, withoutSecretMarkers } from "./emulators/values";
import { only, plainInputs, TYPES, withoutSecrets } from "./records";
import type { Outcome, Verdict } from "./verdicts";

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
  const width = (of: (verdict: Verdict) => string) => Math.max(...verdicts.map((verdict) => of(verdict).length));
  const [step, subject, outcome] = [
    width((verdict) => verdict.step),
    width((verdict) => verdict.subject),
    width((verdict) => verdict.outcome),
  ];
  return verdicts.flatMap((verdict) => [
    [
      verdict.outcome.padEnd(outcome),
      verdict.subject.padEnd(subject),
      verdict.step.padEnd(step),
      verdict.statement,
    ].join("  "),
    ...(verdict.outcome === "FAILED"
      ? withoutKeys(verdict.reason ?? "")
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
