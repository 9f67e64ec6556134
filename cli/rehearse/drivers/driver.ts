import type { Step } from "../../preview/preview";
import type { Properties } from "../emulators/values";

/** One resource as a run left it. Properties are in Pulumi's wire format: secrets carry their marker. */
export interface RecordedResource {
  urn: string;
  type: string;
  name: string;
  parent: string | undefined;
  /** True for the resources of providers, false for components. */
  custom: boolean;
  id: string | undefined;
  inputs: Properties;
  outputs: Properties;
  /** Outputs that the program calls secret; only without a real engine. */
  additionalSecretOutputs?: string[];
  /** URNs, by the input that comes of them; only without a real engine. */
  propertyDependencies?: Record<string, string[]>;
}

/** What was done to one resource. */
export interface Operation extends Pick<Step, "detailedDiff" | "replaceReasons"> {
  urn: string;
  type: string;
  custom: boolean;
  /** In the engine's words: same, create, update, delete, replace, create-replacement, delete-replaced, read. */
  operation: string;
}

/** What one run of the program left behind. */
export interface Run {
  resources: RecordedResource[];
  /** The stack's outputs, in wire format. */
  outputs: Properties;
  /** Everything that was printed. */
  log: string;
  /** What was done; without a real engine it is what the emulated providers would have one do. */
  operations: Operation[];
}

/** How the program is run. */
export interface RunOptions {
  /** Values of the stack's configuration, keys with their namespace. */
  config: Record<string, string>;
  /** The URN of a resource to make anew, as with `pulumi up --replace`. */
  replace?: string;
}

/** Runs the real program against the emulated providers. */
export interface Driver {
  kind: "engine" | "in process";
  /** One line for the person who watches: what drives the program. */
  description: string;
  /** A run that changes nothing and does not know what creation would tell; only the registrations are recorded. */
  preview(options: RunOptions): Promise<RecordedResource[]>;
  /** A run that does what is needed. Throws what the run refused. */
  update(options: RunOptions): Promise<Run>;
  /** Deletes everything; undefined where there is no engine to do it. */
  destroy(): Promise<Run | undefined>;
  /** The text of the stack's stored state; undefined where there is none. */
  storedState(): string | undefined;
  stop(): Promise<void>;
}
