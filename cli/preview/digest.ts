import { partsOfUrn } from "../render/change";
import { changesOf } from "./changes";
import { array, numberOf, object, string, strings } from "./json";
import type { Diagnostic, State, Step } from "./preview";
import type { Reading } from "./read";

/** Reads the one JSON object that `pulumi preview --json` prints. It says nothing of policies. */
export function readDigest(digest: Record<string, unknown>): Reading {
  const steps = array(digest["steps"]).map(stepOf);
  const diagnostics = array(digest["diagnostics"]).map(object).flatMap(diagnosticOf);
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  // An object without steps, or with others than the engine's, is no preview, whatever else it may be.
  const damaged = !Array.isArray(digest["steps"]) || steps.some(({ op, urn }) => op === "" || urn === "");
  if (damaged && errors.length === 0) {
    errors.push({
      severity: "error",
      message: "This is JSON, but not that of a preview, so nothing is known of changes.",
    });
  }
  return {
    urn: steps[0]?.urn,
    failed: errors.length > 0,
    ...changesOf(steps),
    unchanged: numberOf(object(digest["changeSummary"])["same"]),
    errors,
    warnings: diagnostics.filter(({ severity }) => severity === "warning"),
    policies: [],
    packs: [],
  };
}

/** One message in either format; only errors and warnings are of use to a reader. */
export function diagnosticOf(json: Record<string, unknown>): Diagnostic[] {
  const severity = json["severity"];
  if (severity !== "error" && severity !== "warning") return [];
  const urn = string(json["urn"]);
  // One of the formats repeats the severity in the text.
  const message = string(json["message"]).replace(/^(?:error|warning): /, "");
  // The engine says this of plugins that the system brings, at every start; it concerns nobody's change.
  if (/^using pulumi-\S+ from \$PATH at /.test(message)) return [];
  return [{ severity, message, ...(urn === "" ? {} : { resource: partsOfUrn(urn).name }) }];
}

function stepOf(json: unknown): Step {
  const step = object(json);
  return {
    op: string(step["op"]),
    urn: string(step["urn"]),
    old: stateOf(step["oldState"]),
    new: stateOf(step["newState"]),
    detailedDiff: detailedDiffOf(step["detailedDiff"], "kind"),
    replaceReasons: strings(step["replaceReasons"]),
  };
}

export function stateOf(json: unknown): State | undefined {
  if (typeof json !== "object" || json === null) return undefined;
  const state = object(json);
  return { custom: state["custom"] === true, inputs: object(state["inputs"]), outputs: object(state["outputs"]) };
}

/** The two formats name the kind of a difference differently. */
export function detailedDiffOf(json: unknown, kindKey: "kind" | "diffKind"): Step["detailedDiff"] {
  return Object.fromEntries(
    Object.entries(object(json)).map(([path, difference]) => {
      const { [kindKey]: kind, inputDiff } = object(difference);
      return [path, { kind: string(kind), inputDiff: inputDiff === true }];
    }),
  );
}
