import type { Change } from "../render/change";

/** A message of the engine, a provider or the program. */
export interface Diagnostic {
  severity: "error" | "warning";
  message: string;
  /** Name of the resource that it is about. */
  resource?: string;
}

/** What a rule of a policy pack found. */
export interface PolicyResult {
  mandatory: boolean;
  /** False when the preview does not know a value yet that the rule is about. */
  checked: boolean;
  pack: string;
  policy: string;
  severity?: string;
  message: string;
  resource?: string;
}

/** The system of one machine, before and after. */
export interface SystemChange {
  /** Name of the deployment. */
  name: string;
  /** Paths of derivations, or hashes of the flake's folder; undefined where there is none or it is not known yet. */
  before?: string;
  after?: string;
  /** Why it is deployed, in words. */
  reasons: string[];
}

/** What a preview found, apart from the format that it was read from. */
export interface Preview {
  project: string;
  stack: string;
  failed: boolean;
  /** Only resources of providers: components exist in the program alone. */
  changes: Change[];
  /** How many resources and components the engine found unchanged; undefined when it did not say. */
  unchanged: number | undefined;
  systems: SystemChange[];
  errors: Diagnostic[];
  warnings: Diagnostic[];
  policies: PolicyResult[];
  /** Policy packs that were asked, with their versions. */
  packs: string[];
}

/** One step in the words of both formats of the engine. */
export interface Step {
  op: string;
  urn: string;
  old?: State | undefined;
  new?: State | undefined;
  detailedDiff: Record<string, { kind: string; inputDiff: boolean }>;
  replaceReasons: string[];
}

export interface State {
  custom: boolean;
  inputs: Record<string, unknown>;
  outputs: Record<string, unknown>;
}
