import * as pulumi from "@pulumi/pulumi";
import type {
  RegisterResourceOutputsRequest,
  RegisterResourceRequest,
  RegisterResourceResponse,
  ResourceInvokeRequest,
} from "@pulumi/pulumi/proto/resource_pb";
import type { MockMonitor } from "@pulumi/pulumi/runtime/mocks";
import { within } from "./awaited";
import { fromWire, plainTexts, revealed } from "./wire";

/** Values of a resource or an invoke, without the marks of secrets. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a mock answers for resources of every shape
export type Values = Record<string, any>;

/** What the mocks answer: for each type of resource its outputs beside its inputs, for each invoke its result. */
export interface Answers {
  resources: Record<string, (name: string, inputs: Values) => Values>;
  invokes: Record<string, (args: Values) => Values>;
}

/** One resource as the program registered it. */
export interface Registered {
  urn: string;
  type: string;
  name: string;
  /** Name of the parent, or "" for a resource at the top. */
  parent: string;
  /** Whether a provider manages it; a component is not. */
  custom: boolean;
  inputs: Values;
  options: Options;
  /** Names of the resources that must exist before it. */
  dependencies: string[];
  /** URNs of the resources that each input was computed from. */
  propertyDependencies: Record<string, string[]>;
  /** Reference of an explicit provider, or "". */
  provider: string;
  /** What a component registered as its outputs. */
  outputs?: Values;
}

/** Those options of a resource that are not their defaults. */
export interface Options {
  ignoreChanges?: string[];
  additionalSecretOutputs?: string[];
  replaceOnChanges?: string[];
  retainOnDelete?: boolean;
  deleteBeforeReplace?: boolean;
  protect?: boolean;
}

/** One call of a provider's function. */
export interface Invoked {
  token: string;
  args: Values;
  /** Reference of an explicit provider, or "". */
  provider: string;
}

/** Everything that a program did. */
export interface Run<T> {
  result: T;
  resources: Registered[];
  invokes: Invoked[];
  warnings: string[];
}

/** A program that failed, and what it had registered by then. */
export interface Refusal {
  error: Error;
  resources: Registered[];
  invokes: Invoked[];
}

/** What needs no answer: nobody manages it but the engine. */
const COMPONENTS = /^(nixos:index:[A-Za-z]+|pulumi:pulumi:Stack)$/;

/**
 * Runs a program against mocks until it has nothing left to do; fails when anything in it failed.
 *
 * Strict: a type or an invoke without an answer throws. Not an engine: it plans nothing, compares with no earlier
 * state, and checks no provider's schema.
 */
export async function run<T>(answers: Answers, program: () => T | Promise<T>, preview = false): Promise<Run<T>> {
  const outcome = await observe(answers, program, preview);
  const failure = outcome.failures[0];
  if (failure !== undefined) throw failure;
  return { ...outcome, result: outcome.result as T };
}

/** Runs a program that must fail. */
export async function refusal(answers: Answers, program: () => unknown, preview = false): Promise<Refusal> {
  const outcome = await observe(answers, program, preview);
  const error = outcome.failures[0];
  if (error === undefined) throw new Error("The program was expected to fail, and did not.");
  return { ...outcome, error };
}

/** The resources that a provider would have been asked for, in no order: what "before any cloud call" is about. */
export function cloudResources(resources: Registered[]): string[] {
  const custom = resources.filter((resource) => resource.custom);
  return custom.map(({ type, name }) => `${type} ${name}`).sort();
}

/** Type, name and parent of every resource, in no order: the engine gets them as their inputs become known. */
export function table(resources: Registered[]): string[] {
  return resources.map(({ type, name, parent }) => `${type} ${name} in ${parent === "" ? "-" : parent}`).sort();
}

/** The one resource of a type, or of a type and a name. */
export function only(resources: Registered[], type: string, name?: string): Registered {
  const found = resources.filter((resource) => resource.type === type && (name ?? resource.name) === resource.name);
  if (found.length !== 1) throw new Error(`Expected one ${type} ${name ?? ""}, found ${found.length}.`);
  return found[0]!;
}

/** Every text that a run shows in plain: inputs and outputs that are not secret, arguments of invokes, warnings. */
export function plainTextsOf(run: Run<unknown>): string[] {
  return [
    ...run.resources.flatMap(({ inputs, outputs }) => [...plainTexts(inputs), ...plainTexts(outputs)]),
    ...run.invokes.flatMap(({ args }) => plainTexts(args)),
    ...run.warnings,
  ];
}

async function observe<T>(answers: Answers, program: () => T | Promise<T>, preview: boolean) {
  const recorder = new Recorder(answers, preview);
  await pulumi.runtime.setMocks(recorder, "pulumi-nixos", "test", preview);
  recorder.attach(pulumi.runtime.getMonitor() as unknown as MockMonitor);

  const failures: Error[] = [];
  const restore = redirectMessages(failures, recorder.warnings);
  // The runtime keeps a stack trace for each resource and output; mapping them back to TypeScript is half of the time.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 1;
  let result: T | undefined;
  try {
    try {
      result = await program();
    } catch (error) {
      failures.push(error as Error);
    }
    await within(settled(recorder, failures), "the program");
  } finally {
    restore();
    Error.stackTraceLimit = stackTraceLimit;
    // What waits for a failed output waits for ever; the runtime would report it as leaked when the tests end.
    if (failures.length > 0) await pulumi.runtime.setMocks(recorder);
  }
  const { resources, invokes, warnings } = recorder;
  return { result, failures, resources, invokes, warnings };
}

/** So often nothing may come after a failure until nothing more is taken to come: one turn is not enough when busy. */
const CALM_TURNS = 5;

/** Waits until every request is answered. After a failure some never are; then, until no more come. */
async function settled(recorder: Recorder, failures: Error[]): Promise<void> {
  let done = false;
  const runtime = pulumi.runtime as unknown as { waitForRPCs(): Promise<void> };
  void runtime.waitForRPCs().then(() => (done = true));
  for (let calm = 0; calm < CALM_TURNS;) {
    const before = recorder.requests;
    await new Promise((resolve) => setTimeout(resolve, failures.length > 0 ? 6 : 1));
    if (recorder.requests !== before) calm = 0;
    else if (failures.length > 0) calm += 1;
    else if (done) return;
  }
}

/** Takes over unhandled rejections (how the runtime reports a failed output) and the runtime's warnings. */
function redirectMessages(failures: Error[], warnings: string[]): () => void {
  const listeners = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection");
  process.on("unhandledRejection", (reason) => failures.push(reason as Error));
  const warn = console.warn;
  console.warn = (text: string) => warnings.push(text);
  return () => {
    console.warn = warn;
    process.removeAllListeners("unhandledRejection");
    for (const listener of listeners) process.on("unhandledRejection", listener);
  };
}

/** Records what a program sends to the engine, and answers it. */
class Recorder implements pulumi.runtime.Mocks {
  readonly resources: Registered[] = [];
  readonly invokes: Invoked[] = [];
  readonly warnings: string[] = [];
  requests = 0;
  private readonly byUrn = new Map<string, Registered>();

  constructor(
    private readonly answers: Answers,
    private readonly preview: boolean,
  ) {}

  /** Mocks see inputs only; parents, options and outputs are in the requests. */
  attach(monitor: MockMonitor): void {
    const register = monitor.registerResource.bind(monitor);
    monitor.registerResource = (request: RegisterResourceRequest, callback) => {
      this.requests++;
      return register(request, (error, response: RegisterResourceResponse | undefined) => {
        if (response !== undefined) this.record(request, response.getUrn());
        callback(error, response);
      });
    };
    const registerOutputs = monitor.registerResourceOutputs.bind(monitor);
    monitor.registerResourceOutputs = (request: RegisterResourceOutputsRequest, callback) => {
      const component = this.byUrn.get(request.getUrn());
      if (component !== undefined) component.outputs = valuesOf(request.getOutputs());
      registerOutputs(request, callback);
    };
    const invoke = monitor.invoke.bind(monitor);
    monitor.invoke = (request: ResourceInvokeRequest, callback) => {
      this.requests++;
      const args = valuesOf(request.getArgs());
      this.invokes.push({ token: request.getTok(), args, provider: request.getProvider() });
      return invoke(request, callback);
    };
  }

  newResource({ type, name, inputs, custom }: pulumi.runtime.MockResourceArgs): pulumi.runtime.MockResourceResult {
    if (custom !== true && COMPONENTS.test(type)) return { id: undefined, state: {} };
    const answer = this.answers.resources[type];
    if (answer === undefined) throw new Error(`No mock for the resource type ${type} (${name}).`);
    // A preview cannot know what a provider will answer.
    if (this.preview) return { id: undefined, state: inputs as Values };
    const outputs = answer(name, revealed(fromWire(inputs)) as Values);
    return { id: `${name}-id`, state: { ...(inputs as Values), ...outputs } };
  }

  call({ token, inputs }: pulumi.runtime.MockCallArgs): Values {
    const answer = this.answers.invokes[token];
    try {
      if (answer === undefined) throw new Error(`No mock for the invoke ${token}.`);
      return answer(revealed(fromWire(inputs)) as Values);
    } catch (error) {
      // The runtime shows the details of a gRPC error, which is what a real engine sends.
      throw Object.assign(error as Error, { details: (error as Error).message });
    }
  }

  private record(request: RegisterResourceRequest, urn: string): void {
    const nameOf = (urn: string) => this.byUrn.get(urn)?.name ?? "";
    const resource: Registered = {
      urn,
      type: request.getType(),
      name: request.getName(),
      parent: nameOf(request.getParent()),
      custom: request.getCustom(),
      inputs: valuesOf(request.getObject()),
      options: optionsOf(request),
      dependencies: request.getDependenciesList().map(nameOf).sort(),
      propertyDependencies: Object.fromEntries(
        [...request.getPropertydependenciesMap().entries()].map(([key, urns]) => [key, urns.getUrnsList()]),
      ),
      provider: request.getProvider(),
    };
    if (this.byUrn.has(urn)) throw new Error(`Two resources have the URN ${urn}.`);
    this.byUrn.set(urn, resource);
    this.resources.push(resource);
  }
}

function valuesOf(struct: { toJavaScript(): unknown } | undefined): Values {
  return fromWire(struct?.toJavaScript() ?? {}) as Values;
}

function optionsOf(request: RegisterResourceRequest): Options {
  const options: Options = {};
  if (request.getIgnorechangesList().length > 0) options.ignoreChanges = request.getIgnorechangesList();
  const secrets = request.getAdditionalsecretoutputsList();
  if (secrets.length > 0) options.additionalSecretOutputs = secrets;
  if (request.getReplaceonchangesList().length > 0) options.replaceOnChanges = request.getReplaceonchangesList();
  if (request.getRetainondelete() === true) options.retainOnDelete = true;
  if (request.getDeletebeforereplace()) options.deleteBeforeReplace = true;
  if (request.getProtect() === true) options.protect = true;
  return options;
}
