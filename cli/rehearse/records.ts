import { isDeepStrictEqual } from "node:util";
import { changesOf } from "../preview/changes";
import type { State } from "../preview/preview";
import { SECRET } from "../render/text";
import type { RecordedResource, Run } from "./drivers/driver";
import { isMarkedSecret, isObject, type Properties, withoutSecretMarkers } from "./emulators/values";

/** What a private key looks like in a text, also with its newlines escaped or turned to `|` as in user data. */
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;

export const TYPES = {
  command: "command:local:Command",
  deployKey: "github:index/repositoryDeployKey:RepositoryDeployKey",
  eip: "aws:ec2/eip:Eip",
  instance: "aws:ec2/instance:Instance",
  keyPair: "aws:ec2/keyPair:KeyPair",
  protection: "github:index/branchProtection:BranchProtection",
  repository: "github:index/repository:Repository",
  ruleset: "github:index/repositoryRuleset:RepositoryRuleset",
} as const;

/** The one resource of a type. */
export function only({ resources }: Pick<Run, "resources">, type: string): RecordedResource {
  const found = resources.filter((resource) => resource.type === type);
  if (found.length !== 1) throw new Error(`expected one ${type}, found ${found.length}`);
  return found[0]!;
}

/** Inputs as the service gets them: no secret markers, no notes of the provider. */
export function plainInputs({ inputs }: RecordedResource): Properties {
  return withoutSecretMarkers(Object.fromEntries(Object.entries(inputs).filter(([key]) => key !== "__defaults")));
}

/** The provider resources whose inputs differ between two runs, as `name (type): changed properties`. */
export function changedInputs(before: Run, after: Run): { urn: string; properties: string[] }[] {
  const urns = new Set([...before.resources, ...after.resources].filter(({ custom }) => custom).map(({ urn }) => urn));
  return [...urns].sort().flatMap((urn) => {
    const [old, current] = [before, after].map(({ resources }) => resources.find((resource) => resource.urn === urn));
    if (old === undefined || current === undefined)
      return [{ urn, properties: [old === undefined ? "(new)" : "(gone)"] }];
    const [one, other] = [plainInputs(old), plainInputs(current)];
    const keys = [...new Set([...Object.keys(one), ...Object.keys(other)])].sort();
    const properties = keys.filter((key) => !isDeepStrictEqual(one[key], other[key]));
    return properties.length === 0 ? [] : [{ urn, properties }];
  });
}

/** What was done to each resource of a provider that did not stay the same, by its URN; a replacement has three steps. */
export function doneTo({ operations }: Run): Map<string, string> {
  const changed = operations.filter(({ custom, operation }) => custom && operation !== "same");
  const whole = (operation: string) =>
    ["create-replacement", "delete-replaced"].includes(operation) ? "replace" : operation;
  return new Map(changed.map(({ urn, operation }) => [urn, whole(operation)]));
}

/** The entries of a record by URN under the resources' names, which are enough to tell the resources of a provider apart. */
export function byName<T>(entries: Iterable<[urn: string, value: T]>): Record<string, T> {
  return Object.fromEntries([...entries].map(([urn, value]) => [urn.split("::").at(-1)!, value]));
}

/** The properties that changed, by the resources' names. */
export function changedByName(before: Run, after: Run): Record<string, string[]> {
  return byName(changedInputs(before, after).map(({ urn, properties }) => [urn, properties]));
}

/** What a run did to the resources that there were before it, in the form that the report on a preview is made from. */
export function reportedChanges(before: Run | undefined, run: Run): ReturnType<typeof changesOf> {
  const [old, current] = [before, run].map((one) => new Map(one?.resources.map((it): [string, State] => [it.urn, it])));
  return changesOf(
    run.operations.map(({ urn, operation, detailedDiff, replaceReasons }) => ({
      op: operation,
      urn,
      old: old!.get(urn),
      new: current!.get(urn),
      detailedDiff,
      replaceReasons,
    })),
  );
}

/** Where a private key stands outside Pulumi's secrets: in plain properties, or in anything printed. */
export function exposedKeys(run: Run): string[] {
  const places = run.resources.flatMap(({ name, type, inputs, outputs }) =>
    [inputs, outputs].some((properties) => PRIVATE_KEY.test(JSON.stringify(withoutSecrets(properties))))
      ? [`${name} (${type})`]
      : [],
  );
  return [
    ...places,
    ...(PRIVATE_KEY.test(JSON.stringify(withoutSecrets(run.outputs))) ? ["stack outputs"] : []),
    ...(PRIVATE_KEY.test(run.log) ? ["printed text"] : []),
  ];
}

/** True when the text holds a private key. */
export function holdsPrivateKey(text: string): boolean {
  return PRIVATE_KEY.test(text);
}

/** The properties with every marked secret taken out. */
export function withoutSecrets(value: unknown): unknown {
  if (isMarkedSecret(value)) return SECRET;
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, withoutSecrets(part)]));
}
