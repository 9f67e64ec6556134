import { randomBytes } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { type Change, differences, topProperty } from "./difference";
import type { Failure, Provider, ResourceType } from "./provider";
import {
  compact,
  containsSecret,
  containsUnknown,
  type Properties,
  secret,
  UNKNOWN,
  withoutSecretMarkers,
} from "./values";

/** What a diff found. */
export interface Difference {
  changes: Change[];
  /** The changed top-level properties that replace the resource. */
  replaces: string[];
  deleteBeforeReplace: boolean;
}

/** Where bridged providers note which inputs they filled in themselves. */
const DEFAULTS = "__defaults";

/**
 * The operations of an emulated provider on properties in Pulumi's wire format (secret markers, unknown values), which
 * is what both the gRPC server and the in-process driver hold in their hands.
 */
export class Operations {
  constructor(readonly provider: Provider) {}

  checkConfig(config: Properties): Failure[] {
    return this.provider.checkConfig?.(withoutSecretMarkers(config)) ?? [];
  }

  configure(config: Properties): void {
    this.provider.configure?.(withoutSecretMarkers(config));
  }

  async invoke(token: string, args: Properties): Promise<Properties> {
    const call = this.provider.functions[token];
    if (call === undefined) throw new Error(`The ${this.provider.name} emulator has no function ${token}.`);
    return keepMarkers(args, compact(await call(withoutSecretMarkers(args))));
  }

  check(type: string, name: string, old: Properties, current: Properties): { inputs: Properties; failures: Failure[] } {
    const resource = this.type(type);
    const inputs = { ...current };
    const defaults: string[] = [];
    for (const [property, { default: value }] of Object.entries(resource.inputs)) {
      if (value === undefined || inputs[property] !== undefined) continue;
      inputs[property] = value;
      defaults.push(property);
    }
    if (resource.autoName !== undefined && inputs[resource.autoName] === undefined) {
      // The random suffix lets a replacement exist beside the resource that it replaces.
      const kept = namedByPulumi(old, resource.autoName) ? old[resource.autoName] : undefined;
      inputs[resource.autoName] = kept ?? `${name}-${randomBytes(4).toString("hex").slice(0, 7)}`;
      defaults.push(resource.autoName);
    }
    if (this.provider.bridged) inputs[DEFAULTS] = defaults;
    return {
      inputs,
      failures: failuresOf(type, resource, withoutSecretMarkers(current), withoutSecretMarkers(inputs)),
    };
  }

  diff(type: string, oldInputs: Properties, current: Properties): Difference {
    const resource = this.type(type);
    const [before, after] = [withoutSecretMarkers(oldInputs), withoutSecretMarkers(current)];
    const properties = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => key !== DEFAULTS);
    const changes = properties
      .filter((key) => !(resource.inputs[key]?.same?.(before[key], after[key]) ?? false))
      .flatMap((key) => differences(before[key], after[key], key));
    const changed = [...new Set(changes.map(({ path }) => topProperty(path)))];
    const conditional = resource.replaces?.(before, after) ?? [];
    const replaces = changed.filter(
      (key) => resource.update === undefined || resource.inputs[key]?.replaces || conditional.includes(key),
    );
    return { changes, replaces, deleteBeforeReplace: replaces.length > 0 && keepsItsName(resource, before, after) };
  }

  async create(
    type: string,
    name: string,
    inputs: Properties,
    preview: boolean,
  ): Promise<{ id: string; state: Properties }> {
    const resource = this.type(type);
    const plain = withoutDefaults(withoutSecretMarkers(inputs));
    if (preview) {
      const unknown = Object.fromEntries(resource.outputs.map((output) => [output, UNKNOWN]));
      return { id: "", state: this.mark(resource, inputs, { ...unknown, ...plain }) };
    }
    const { id, outputs } = await resource.create(plain, name);
    return { id, state: this.mark(resource, inputs, { ...plain, ...outputs }) };
  }

  async update(
    type: string,
    id: string,
    state: Properties,
    oldInputs: Properties,
    inputs: Properties,
    preview: boolean,
  ): Promise<Properties> {
    const resource = this.type(type);
    if (resource.update === undefined) throw new Error(`${type} cannot be updated, only replaced.`);
    const [before, plain] = [
      withoutDefaults(withoutSecretMarkers(oldInputs)),
      withoutDefaults(withoutSecretMarkers(inputs)),
    ];
    // What was an input and is none any more must not linger in the state.
    const kept = Object.fromEntries(
      Object.entries(withoutSecretMarkers(state)).filter(([key]) => !(key in before) || resource.outputs.includes(key)),
    );
    if (preview) {
      const changed = this.diff(type, oldInputs, inputs).changes.map(({ path }) => topProperty(path));
      const unknown = Object.fromEntries((resource.unsettles?.(changed) ?? []).map((output) => [output, UNKNOWN]));
      return this.mark(resource, inputs, { ...kept, ...plain, ...unknown });
    }
    const outputs = await resource.update(id, withoutSecretMarkers(state), plain, before);
    return this.mark(resource, inputs, { ...kept, ...plain, ...outputs });
  }

  /** Inputs and state as the service has them now, or undefined when the resource is gone. */
  read(
    type: string,
    named: string,
    inputs: Properties,
    state: Properties,
  ): { id: string; inputs: Properties; state: Properties } | undefined {
    const resource = this.type(type);
    // An import knows nothing but the id and takes everything over; a refresh looks at what the program has set.
    const imported = Object.keys(inputs).length === 0;
    const id = imported && resource.importId !== undefined ? resource.importId(named) : named;
    if (id === undefined) return undefined;
    const current = resource.read === undefined ? {} : resource.read(id, withoutSecretMarkers(state));
    if (current === undefined) return undefined;
    const settings = Object.entries(resource.settings?.(id) ?? {}).filter(([key]) => imported || key in inputs);
    const found = keepMarkers(inputs, { ...withoutSecretMarkers(inputs), ...compact(Object.fromEntries(settings)) });
    const all = { ...withoutSecretMarkers(state), ...Object.fromEntries(settings), ...current };
    return { id, inputs: found, state: this.mark(resource, { ...state, ...found }, all) };
  }

  async delete(type: string, id: string, state: Properties): Promise<void> {
    await this.type(type).delete?.(id, withoutSecretMarkers(state));
  }

  private type(token: string): ResourceType {
    const type = this.provider.resources[token];
    if (type === undefined) throw new Error(`The ${this.provider.name} emulator has no resource type ${token}.`);
    return type;
  }

  /** Outputs are secret where the schema says so, and where they repeat a secret input. */
  private mark(resource: ResourceType, inputs: Properties, state: Properties): Properties {
    const marked = Object.entries(keepMarkers(inputs, compact(state))).map(([key, value]): [string, unknown] => {
      const hidden = resource.secretOutputs?.includes(key) || (containsSecret(inputs[key]) && !containsSecret(value));
      return [key, hidden ? secret(value) : value];
    });
    return Object.fromEntries(marked);
  }
}

/** Values that merely repeat what was given keep its secret markers where they were. */
function keepMarkers(given: Properties, values: Properties): Properties {
  const same = (key: string, value: unknown) => isDeepStrictEqual(withoutSecretMarkers(given[key]), value);
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, same(key, value) ? given[key] : value]));
}

function withoutDefaults(inputs: Properties): Properties {
  return Object.fromEntries(Object.entries(inputs).filter(([key]) => key !== DEFAULTS));
}

function namedByPulumi(inputs: Properties, property: string): boolean {
  const defaults = inputs[DEFAULTS];
  return Array.isArray(defaults) && defaults.includes(property);
}

/** A resource with a name of the user's choice cannot exist twice, so the old one has to go first. */
function keepsItsName({ autoName }: ResourceType, old: Properties, current: Properties): boolean {
  return autoName !== undefined && old[autoName] === current[autoName] && !namedByPulumi(current, autoName);
}

function failuresOf(type: string, resource: ResourceType, given: Properties, inputs: Properties): Failure[] {
  const failures: Failure[] = [];
  for (const property of Object.keys(given)) {
    if (property === DEFAULTS || property in resource.inputs) continue;
    failures.push({ property, reason: `${type} has no property "${property}", or the emulator does not know it` });
  }
  for (const [property, input] of Object.entries(resource.inputs)) {
    const value = inputs[property];
    if (value === undefined) {
      if (input.required) failures.push({ property, reason: "Missing required property" });
      continue;
    }
    if (containsUnknown(value)) continue;
    const actual = Array.isArray(value) ? "array" : typeof value;
    const reason = actual === input.type ? input.problem?.(value) : `expected ${input.type}, got ${actual}`;
    if (reason !== undefined) failures.push({ property, reason });
  }
  return failures.length > 0 ? failures : (resource.validate?.(inputs) ?? []);
}
