import type { Properties } from "./values";

/** Why a check refuses a property. */
export interface Failure {
  property: string;
  reason: string;
}

/** One input property of a resource type. */
export interface Input {
  type: "string" | "number" | "boolean" | "array" | "object";
  required?: true;
  /** A change makes a new resource and deletes the old one. */
  replaces?: true;
  /** What the real provider fills in when the property is absent. */
  default?: unknown;
  /** Why the real provider's own check refuses a known value; undefined when it takes it. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  problem?: (value: any) => string | undefined;
  /** Two texts that the real provider takes for the same value. */
  same?: (old: unknown, current: unknown) => boolean;
}

/** A created resource: its id, and the outputs that are not simply its inputs. */
export interface Created {
  id: string;
  outputs: Properties;
}

/**
 * A resource type of an emulated provider.
 *
 * `create`, `update` and `delete` talk to the emulated service and throw what the service refuses. They are not called
 * in a preview, as the real ones are not.
 */
export interface ResourceType {
  inputs: Record<string, Input>;
  /** Outputs beside the inputs; unknown in the preview of a creation. */
  outputs: string[];
  /** Outputs that are always secret. */
  secretOutputs?: string[];
  /** The input that gets a name with a random suffix when it is absent. */
  autoName?: string;
  /** Refusals that concern several properties. Unknown values count as given. */
  validate?: (inputs: Properties) => Failure[];
  /** Input properties whose change replaces the resource only in some cases. */
  replaces?: (old: Properties, current: Properties) => string[];
  create: (inputs: Properties, name: string) => Created | Promise<Created>;
  /** The outputs after the change. Absent: every input replaces. */
  update?: (
    id: string,
    state: Properties,
    inputs: Properties,
    oldInputs: Properties,
  ) => Properties | Promise<Properties>;
  /** Outputs that a change of these inputs makes unknown in a preview. */
  unsettles?: (changed: string[]) => string[];
  /** The id of what an import names in another way; undefined when it names nothing. */
  importId?: (named: string) => string | undefined;
  /** The current outputs, or undefined when the service does not have the resource any more. */
  read?: (id: string, state: Properties) => Properties | undefined;
  /**
   * The inputs as the service has them, of those that can be changed by hand: what a refresh compares and an import
   * takes over. Not called for a resource that is gone.
   */
  settings?: (id: string) => Properties;
  delete?: (id: string, state: Properties) => void | Promise<void>;
}

/** A function that a program calls at the provider. */
export type ProviderFunction = (args: Properties) => Properties | Promise<Properties>;

/** An emulated provider. Both drivers of the rehearsal, and the tests, use it through `Operations`. */
export interface Provider {
  name: string;
  version: string;
  /** True for the providers that wrap a Terraform provider; they note in the inputs what they filled in. */
  bridged?: true;
  /** Refusals of the provider's configuration. */
  checkConfig?: (config: Properties) => Failure[];
  configure?: (config: Properties) => void;
  /** What an interrupted engine asks for: to end what goes on. */
  cancel?: () => void;
  resources: Record<string, ResourceType>;
  functions: Record<string, ProviderFunction>;
}
