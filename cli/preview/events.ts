import { partsOfUrn } from "../render/change";
import { changesOf } from "./changes";
import { detailedDiffOf, diagnosticOf, stateOf } from "./digest";
import { numberOf, object, string, strings } from "./json";
import type { PolicyResult, Step } from "./preview";
import type { Reading } from "./read";

/**
 * Reads the engine's events (`PULUMI_DEBUG_COMMANDS=true pulumi preview --event-log FILE`), the only form that tells what policies found.
 *
 * The engine's debug messages, which are among them, hold secrets in plain text: they are never looked at.
 */
export function readEvents(events: (Record<string, unknown> | undefined)[]): Reading {
  const known = events.filter((event) => event !== undefined);
  const steps = known.flatMap((event) => stepOf(event));
  const diagnostics = known.flatMap((event) => diagnosticOf(object(event["diagnosticEvent"])));
  const policies = known.flatMap((event) => policyOf(event["policyEvent"]));
  const summary = known.map((event) => event["summaryEvent"]).find((event) => event !== undefined);
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  const incomplete = events.includes(undefined) || summary === undefined;
  if (incomplete && errors.length === 0) {
    const message =
      "The preview's events are damaged or end in the middle, so what it would change is not fully known.";
    errors.push({ severity: "error", message });
  }
  return {
    urn: steps[0]?.urn,
    failed: errors.length > 0 || object(summary)["result"] === "failed" || policies.some(({ mandatory }) => mandatory),
    ...changesOf(steps),
    unchanged: numberOf(object(object(summary)["resourceChanges"])["same"]),
    errors,
    warnings: diagnostics.filter(({ severity }) => severity === "warning"),
    policies,
  };
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

function policyOf(json: unknown): PolicyResult[] {
  if (json === undefined) return [];
  const event = object(json);
  const urn = string(event["resourceUrn"]);
  return [
    {
      mandatory: event["enforcementLevel"] === "mandatory",
      pack: string(event["policyPackName"]),
      policy: string(event["policyName"]),
      message: string(event["message"]),
      ...(urn === "" ? {} : { resource: partsOfUrn(urn).name }),
    },
  ];
}
