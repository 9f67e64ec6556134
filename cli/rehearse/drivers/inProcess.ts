import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import * as path from "node:path";
import * as runtime from "@pulumi/pulumi/runtime";
import type { RegisterResourceRequest, RegisterResourceOutputsRequest } from "@pulumi/pulumi/proto/resource_pb";
import { parse } from "yaml";
import { type Change, topProperty } from "../emulators/difference";
import type { Operations } from "../emulators/operations";
import { isObject, type Properties, secret } from "../emulators/values";
import type { Fakes } from "../fakes";
import type { Driver, Operation, RecordedResource, Run, RunOptions } from "./driver";

/** What is read of Pulumi.yaml. */
interface ProjectFile {
  name: string;
  config?: Record<string, { default?: unknown }>;
}

const ROOT_TYPE = "pulumi:pulumi:Stack";
const REFERENCE_TYPE = "pulumi:pulumi:StackReference";

/** The stack that is run, and the plain outputs of those that it may refer to, by their names. */
export interface Stacks {
  name: string;
  others: Record<string, Properties>;
}

/**
 * Runs the program in this process on Pulumi's mock runtime, with the emulated providers behind the mocks.
 *
 * It keeps resources from run to run, so that ids and keys stay what they were and a changed input shows. It is no
 * engine: what an engine would do (order, replacement, state, destruction) is not proved by it.
 */
export class InProcessDriver implements Driver {
  readonly kind = "in process";
  readonly description: string;
  private known = new Map<string, RecordedResource>();

  constructor(
    private readonly project: string,
    private readonly fakes: Fakes,
    reason: string,
    private readonly stacks: Stacks = { name: "rehearsal", others: {} },
  ) {
    this.description = `in this process, on Pulumi's mock runtime (${reason})`;
  }

  async preview(options: RunOptions): Promise<RecordedResource[]> {
    return (await this.run(options, true)).resources;
  }

  async update(options: RunOptions): Promise<Run> {
    return this.run(options, false);
  }

  destroy(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  storedState(): undefined {
    return undefined;
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  private async run(options: RunOptions, preview: boolean): Promise<Run> {
    const registrations = new Registrations(this.fakes.providers, this.stacks.others, this.known, options, preview);
    const log = captureConsole();
    const before = process.cwd();
    const failures: unknown[] = [];
    const onRejection = (reason: unknown) => void failures.push(reason);
    process.on("unhandledRejection", onRejection);
    try {
      process.chdir(this.project);
      for (const [name, provider] of Object.entries(this.fakes.providers)) {
        provider.configure(configOf(options.config, name));
      }
      runtime.setAllConfig(withDefaults(this.project, options.config));
      await runtime.setMocks(registrations, projectFile(this.project).name, this.stacks.name, preview);
      registrations.observe(runtime.getMonitor());
      await runtime.runInPulumiStack(() => Promise.resolve(freshRequire(this.project, "./index.ts")));
      await runtime.disconnect();
      // A rejected registration reaches us a turn of the event loop after the program's end.
      await new Promise((resolve) => setImmediate(resolve));
    } catch (error) {
      failures.push(error);
      await quiet(failures);
    } finally {
      process.chdir(before);
      process.off("unhandledRejection", onRejection);
      log.stop();
    }
    const failure = registrations.failure ?? failures[0];
    if (failure !== undefined) throw failure instanceof Error ? failure : new Error(JSON.stringify(failure));
    const resources = [...registrations.recorded.values()];
    if (!preview) {
      await registrations.finish();
      this.known = registrations.recorded;
    }
    const { stackOutputs: outputs, operations } = registrations;
    return { resources, outputs, log: log.text(), operations };
  }
}

/** The mocks of one run: they record what the program registers, and ask the emulated providers for the rest. */
class Registrations implements runtime.Mocks {
  readonly recorded = new Map<string, RecordedResource>();
  readonly operations: Operation[] = [];
  stackOutputs: Properties = {};
  failure: unknown;
  /** Old halves of replacements, to be deleted at the end like an engine does. */
  private readonly replaced: RecordedResource[] = [];
  /** Pulumi calls `newResource` in the same turn as the registration that it belongs to. */
  private current: RegisterResourceRequest | undefined;

  constructor(
    private readonly providers: Record<string, Operations>,
    private readonly otherStacks: Stacks["others"],
    private readonly known: ReadonlyMap<string, RecordedResource>,
    private readonly options: RunOptions,
    private readonly preview: boolean,
  ) {}

  /** Mocks do not learn parents and options, so the requests themselves are watched. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  observe(monitor: any): void {
    /* eslint-disable @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-member-access */
    const register = monitor.registerResource.bind(monitor);
    monitor.registerResource = (request: RegisterResourceRequest, callback: unknown) => {
      this.current = request;
      register(request, callback);
    };
    const registerOutputs = monitor.registerResourceOutputs.bind(monitor);
    monitor.registerResourceOutputs = (request: RegisterResourceOutputsRequest, callback: unknown) => {
      const outputs = (request.getOutputs()?.toJavaScript() ?? {}) as Properties;
      const resource = this.recorded.get(request.getUrn());
      if (resource !== undefined) resource.outputs = outputs;
      if (resource?.type === ROOT_TYPE) this.stackOutputs = outputs;
      registerOutputs(request, callback);
    };
    /* eslint-enable */
  }

  async newResource(args: runtime.MockResourceArgs): Promise<runtime.MockResourceResult> {
    const request = this.current!;
    try {
      // Read, not registered; the engine itself answers.
      if (args.type === REFERENCE_TYPE) return this.reference(args.id!);
      return await this.register(request, args);
    } catch (error) {
      this.failure ??= error;
      throw error;
    }
  }

  async call(args: runtime.MockCallArgs): Promise<Properties> {
    // A refusal is the program's to take: it fails the run only if the program does not.
    return this.provider(args.token).invoke(args.token, args.inputs as Properties);
  }

  /** Deletes what the program does not register any more, and the old halves of replacements. */
  async finish(): Promise<void> {
    const gone = [...this.known.values()].filter(({ urn }) => !this.recorded.has(urn));
    gone.forEach((resource) => this.note(resource, "delete"));
    for (const { custom, type, id, outputs } of [...this.replaced, ...gone].reverse()) {
      if (custom) await this.provider(type).delete(type, id!, outputs);
    }
  }

  private reference(stack: string): runtime.MockResourceResult {
    const outputs = this.otherStacks[stack];
    if (outputs === undefined) throw new Error(`unknown stack ${JSON.stringify(stack)}`);
    return { id: stack, state: { name: stack, outputs, secretOutputNames: [] } };
  }

  private async register(request: RegisterResourceRequest, args: runtime.MockResourceArgs) {
    const { type, name } = args;
    const parent = request.getParent() === "" ? undefined : request.getParent();
    const urn = urnOf(parent, type, name);
    if (this.recorded.has(urn)) throw new Error(`Duplicate resource URN '${urn}'; try giving it a unique name`);
    const inputs = (request.getObject()?.toJavaScript() ?? {}) as Properties;
    const resource: RecordedResource = {
      urn,
      type,
      name,
      parent,
      custom: request.getCustom(),
      id: undefined,
      inputs,
      outputs: {},
      additionalSecretOutputs: request.getAdditionalsecretoutputsList(),
      propertyDependencies: dependenciesOf(request),
    };
    this.recorded.set(urn, resource);
    if (!resource.custom) {
      this.note(resource, this.known.has(urn) ? "same" : "create");
      return { id: "", state: {} };
    }
    await this.settle(resource, request);
    for (const property of request.getAdditionalsecretoutputsList()) {
      if (property in resource.outputs) resource.outputs[property] = secret(resource.outputs[property]);
    }
    return { id: resource.id, state: resource.outputs };
  }

  /** Creates, keeps, updates or replaces the resource, as its provider's answers ask for. */
  private async settle(resource: RecordedResource, request: RegisterResourceRequest): Promise<void> {
    const { urn, type } = resource;
    const provider = this.provider(type);
    const old = this.known.get(urn);
    const given = { ...resource.inputs };
    for (const property of old === undefined ? [] : request.getIgnorechangesList()) {
      resource.inputs = withValueOf(old!.inputs, resource.inputs, property.split("."));
    }
    resource.inputs = checked(provider, resource, old?.inputs ?? {});
    const difference = old && provider.diff(type, old.inputs, resource.inputs);
    if (old === undefined || difference === undefined) {
      this.note(resource, "create");
      return this.create(resource, provider);
    }
    const forcing = difference.changes.filter(
      ({ path }) =>
        difference.replaces.includes(topProperty(path)) || isReplacedOn(request.getReplaceonchangesList(), path),
    );
    if (forcing.length > 0 || this.options.replace === urn) {
      this.note(resource, "replace", difference.changes, forcing);
      if (difference.deleteBeforeReplace && !this.preview) await provider.delete(type, old.id!, old.outputs);
      else this.replaced.push(old);
      // Like an engine: a new resource is made of the program's own inputs, also of those whose changes are ignored.
      resource.inputs = checked(provider, { ...resource, inputs: given }, {});
      return this.create(resource, provider);
    }
    this.note(resource, difference.changes.length === 0 ? "same" : "update", difference.changes);
    resource.id = old.id;
    resource.outputs =
      difference.changes.length === 0
        ? old.outputs
        : await provider.update(type, old.id!, old.outputs, old.inputs, resource.inputs, this.preview);
  }

  private note(
    { urn, type, custom }: RecordedResource,
    operation: string,
    changes: Change[] = [],
    forcing: Change[] = [],
  ): void {
    const differences = changes.map((change) => {
      const kind = forcing.includes(change) ? `${change.kind}-replace` : change.kind;
      return [change.path, { kind, inputDiff: true }] as const;
    });
    const replaceReasons = forcing.map(({ path }) => path);
    this.operations.push({
      urn,
      type,
      custom,
      operation,
      detailedDiff: Object.fromEntries(differences),
      replaceReasons,
    });
  }

  private async create(resource: RecordedResource, provider: Operations): Promise<void> {
    const { id, state } = await provider.create(resource.type, resource.name, resource.inputs, this.preview);
    resource.id = id === "" ? undefined : id;
    resource.outputs = state;
  }

  private provider(token: string): Operations {
    const provider = this.providers[token.split(":")[0]!];
    if (provider === undefined) throw new Error(`There is no emulator of the provider of ${token}.`);
    return provider;
  }
}

function dependenciesOf(request: RegisterResourceRequest): Record<string, string[]> {
  const map = request.getPropertydependenciesMap().toArray() as unknown as [string, [string[]]][];
  return Object.fromEntries(map.map(([property, [urns]]) => [property, urns]));
}

/** The inputs as the provider completes them; throws what its check refuses. */
function checked(provider: Operations, { urn, type, name, inputs }: RecordedResource, old: Properties): Properties {
  const answer = provider.check(type, name, old, inputs);
  if (answer.failures.length === 0) return answer.inputs;
  throw new Error(`${urn}: ${answer.failures.map(({ property, reason }) => `${property}: ${reason}`).join("; ")}`);
}

/** The current properties, with the old value at a path, also where either has none. */
function withValueOf(old: Properties, current: Properties, [key, ...rest]: string[]): Properties {
  const [before, after] = [old[key!], current[key!]];
  const value = rest.length > 0 && isObject(before) && isObject(after) ? withValueOf(before, after, rest) : before;
  // In the place that the key has already.
  const entries = Object.entries({ ...current, [key!]: value });
  return Object.fromEntries(entries.filter(([, one]) => one !== undefined));
}

/** Whether the resource's options (`triggers[*]`) ask for a replacement when this path changes. */
function isReplacedOn(patterns: string[], path: string): boolean {
  return patterns.includes(path) || patterns.includes(path.replace(/[.[].*$/, "[*]"));
}

/** A URN as the mock runtime builds it: the parent's own type before the resource's. */
function urnOf(parent: string | undefined, type: string, name: string): string {
  const parentType = parent?.split("::")[2]?.split("$").pop();
  const qualified = parentType === undefined ? type : `${parentType}$${type}`;
  return [`urn:pulumi:${runtime.getStack()}`, runtime.getProject(), qualified, name].join("::");
}

/** Waits until a failed run has no more to say: each output that hangs on the failure rejects on its own. */
async function quiet(failures: unknown[]): Promise<void> {
  // Several turns, because in one of a busy computer nothing may happen.
  for (let calm = 0; calm < 5;) {
    const heard = failures.length;
    await new Promise((resolve) => setTimeout(resolve, 20));
    calm = heard === failures.length ? calm + 1 : 0;
  }
}

function projectFile(project: string): ProjectFile {
  return parse(readFileSync(path.join(project, "Pulumi.yaml"), "utf8")) as ProjectFile;
}

/** The configuration with the defaults of Pulumi.yaml, as an engine hands it to the program. */
function withDefaults(project: string, config: Record<string, string>): Record<string, string> {
  const { name, config: keys } = projectFile(project);
  const defaults = Object.entries(keys ?? {}).flatMap(([key, { default: value }]) =>
    value === undefined ? [] : [[`${name}:${key}`, typeof value === "string" ? value : JSON.stringify(value)]],
  );
  return { ...(Object.fromEntries(defaults) as Record<string, string>), ...config };
}

/** The configuration of one provider, without its namespace. */
function configOf(config: Record<string, string>, namespace: string): Properties {
  const own = Object.entries(config).filter(([key]) => key.startsWith(`${namespace}:`));
  return Object.fromEntries(own.map(([key, value]) => [key.slice(namespace.length + 1), value]));
}

/** Loads a module of the project as a new process would: nothing of the project's own code is remembered. */
function freshRequire(project: string, module: string): unknown {
  const require = createRequire(path.join(project, "package.json"));
  for (const file of Object.keys(require.cache)) {
    const inside = path.relative(project, file);
    if (!inside.startsWith("..") && !inside.includes("node_modules")) delete require.cache[file];
  }
  return require(module);
}

/** Keeps what the program and Pulumi print away from the terminal, and for the scan. */
function captureConsole() {
  const original = global.console;
  const lines: string[] = [];
  const note = (...values: unknown[]) => void lines.push(values.map(String).join(" "));
  global.console = Object.assign(Object.create(original) as Console, {
    log: note,
    info: note,
    warn: note,
    error: note,
    debug: note,
  });
  return { text: () => lines.join("\n"), stop: () => (global.console = original) };
}
