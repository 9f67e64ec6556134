import { partsOfUrn } from "../render/change";
import { changesOf } from "./changes";
import { detailedDiffOf, diagnosticOf, stateOf } from "./digest";
import { numberOf, object, string, strings } from "./json";
import type { PolicyResult, Step } from "./preview";
import type { Reading } from "./read";

/**
 * Reads the engine's events, the only form that tells what policies found:
 * `PULUMI_ENABLE_STREAMING_JSON_PREVIEW=true pulumi preview --json`.
 *
 * The engine's debug messages, which are among them, hold secrets in plain text: they are never looked at.
 */
export function readEvents(events: (Record<string, unknown> | undefined)[]): Reading {
  const known = events.filter((event) => event !== undefined);
  const steps = known.flatMap((event) => stepOf(event));
  const diagnostics = known
    .flatMap((event) => diagnosticOf(object(event["diagnosticEvent"])))
    // What the engine says after a policy blocked the change, and the summary says too.
    .filter(({ message }) => message.trim() !== "preview failed");
  const policies = known.flatMap((event) => policyOf(event["policyEvent"]));
  const summary = known.map((event) => event["summaryEvent"]).find((event) => event !== undefined);
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  const incomplete = events.includes(undefined) || summary === undefined;
  if (incomplete && errors.length === 0) {
    const begun = steps.length > 0 || events.includes(undefined);
    const message = begun
      ? "The preview's events are damaged or end in the middle, so what it would change is not fully known."
      : lastWords(known);
    if (message !== "") errors.push({ severity: "error", message });
  }
  return {
    urn: steps[0]?.urn,
    failed:
      errors.length > 0 ||
      incomplete ||
      object(summary)["result"] === "failed" ||
      policies.some(({ mandatory }) => mandatory),
    ...changesOf(steps),
    unchanged: numberOf(object(object(summary)["resourceChanges"])["same"]),
    errors,
    warnings: diagnostics.filter(({ severity }) => severity === "warning"),
    policies,
    packs: packsOf(object(object(summary)["PolicyPacks"])),
  };
}

/** What a program or a policy pack wrote on standard error before the preview could begin. */
function lastWords(events: Record<string, unknown>[]): string {
  const messages = events.map((event) => object(event["diagnosticEvent"]));
  const written = messages.filter(({ severity }) => severity === "info#err");
  return written.map(({ message }) => string(message).trimEnd()).join("\n");
}

function stepOf(event: Record<string, unknown>): Step[] {
  if (event["resourcePreEvent"] === undefined) return [];
  const metadata = object(object(event["resourcePreEvent"])["metadata"]);
  return [
    {
      op: string(metadata["op"]),
      urn: string(metadata["urn"]),
      old: stateOf(metadata["old"]),
      new: stateOf(metadata["new"]),
      detailedDiff: detailedDiffOf(metadata["detailedDiff"], "diffKind"),
      replaceReasons: strings(metadata["keys"]),
    },
  ];
}

/** What @pulumi/policy says of a rule that read a value which only the update will know. */
const UNKNOWN_VALUE = /^can't run policy .* during preview: /;

function policyOf(json: unknown): PolicyResult[] {
  if (json === undefined) return [];
  const event = object(json);
  const [urn, severity, message] = [string(event["resourceUrn"]), string(event["severity"]), string(event["message"])];
  return [
    {
      mandatory: event["enforcementLevel"] === "mandatory",
      checked: !UNKNOWN_VALUE.test(message),
      pack: string(event["policyPackName"]),
      policy: string(event["policyName"]),
      message,
      ...(severity === "" ? {} : { severity }),
      ...(urn === "" ? {} : { resource: partsOfUrn(urn).name }),
    },
  ];
}

/** The engine's key of a local pack has its folder behind the name, which is nobody's business. */
function packsOf(versions: Record<string, unknown>): string[] {
  return Object.entries(versions).map(([key, version]) => `${key.split("|")[0]} ${string(version)}`.trim());
}
