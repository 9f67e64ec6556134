import { type ChildProcess, spawn } from "node:child_process";
import * as path from "node:path";
import * as grpc from "@grpc/grpc-js";
import { AnalyzerClient } from "@pulumi/pulumi/proto/analyzer_grpc_pb";
import * as messages from "@pulumi/pulumi/proto/analyzer_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { type JavaScriptValue, Struct } from "google-protobuf/google/protobuf/struct_pb";
import { UserError } from "../common/userError";
import { within } from "../rehearse/within";

export const POLICY = path.resolve(__dirname, "../../policy");

/** A resource as the engine tells a pack of it. Values are in Pulumi's wire format. */
export interface Analyzed {
  type: string;
  name?: string;
  urn?: string;
  props?: Record<string, unknown>;
  additionalSecretOutputs?: string[];
  /** URNs, by property. */
  propertyDependencies?: Record<string, string[]>;
}

/** What a rule found. */
export interface Violation {
  rule: string;
  level: "advisory" | "mandatory";
  message: string;
  urn: string;
}

/** The URN of a resource, below components of these types. */
export function urnOf(type: string, name: string, ...parents: string[]): string {
  return `urn:pulumi:dev::stack::${[...parents, type].join("$")}::${name}`;
}

/** The real pack in a process of its own, started and asked as the engine does. */
export class Pack {
  private constructor(
    private readonly child: ChildProcess,
    private readonly client: AnalyzerClient,
  ) {}

  static async start(folder = POLICY): Promise<Pack> {
    const runner = require.resolve("@pulumi/pulumi/cmd/run-policy-pack");
    const child = spawn(process.execPath, [runner, "no-engine", "."], {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let printed = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (printed += text));
    const port = new Promise<string>((resolve, reject) => {
      // Its first line is the port that it listens on.
      child.stdout.setEncoding("utf8").once("data", (text: string) => resolve(text.trim()));
      child.once("exit", () => reject(new UserError(`the pack ended:\n${printed}`)));
    });
    const address = `127.0.0.1:${await within(port, "the policy pack's port")}`;
    return new Pack(child, new AnalyzerClient(address, grpc.credentials.createInsecure()));
  }

  stop(): void {
    this.client.close();
    this.child.kill();
  }

  /** Levels and values that a stack decides otherwise, until the next call. */
  async configure(config: Record<string, { level: "advisory" | "mandatory" | "disabled"; values?: object }>) {
    const request = new messages.ConfigureAnalyzerRequest();
    for (const [rule, { level, values = {} }] of Object.entries(config)) {
      const known = { advisory: 0, mandatory: 1, disabled: 2 } as const;
      request
        .getPolicyconfigMap()
        .set(rule, new messages.PolicyConfig().setEnforcementlevel(known[level]).setProperties(struct(values)));
    }
    await this.ask<Empty>((done) => this.client.configure(request, done));
  }

  /** What the pack's config.json decides: the pack only tells it, and the engine gives it back like this. */
  async configureByFile() {
    const request = new messages.ConfigureAnalyzerRequest();
    const told = await this.told();
    for (const rule of told.getPoliciesList().map((policy) => policy.getName())) {
      const config = told.getInitialconfigMap().get(rule) ?? told.getInitialconfigMap().get("all");
      if (config === undefined) continue;
      if (!config.hasProperties()) config.setProperties(struct({}));
      request.getPolicyconfigMap().set(rule, config);
    }
    await this.ask<Empty>((done) => this.client.configure(request, done));
  }

  /** What the pack says of itself. */
  async info(): Promise<messages.AnalyzerInfo.AsObject> {
    return (await this.told()).toObject();
  }

  private told(): Promise<messages.AnalyzerInfo> {
    return this.ask((done) => this.client.getAnalyzerInfo(new Empty(), done));
  }

  private ask<Answer>(call: (done: grpc.requestCallback<Answer>) => unknown): Promise<Answer> {
    return new Promise((resolve, reject) => call((error, value) => (error === null ? resolve(value!) : reject(error))));
  }

  /** The rules about one resource, by its inputs. */
  async resource(analyzed: Analyzed): Promise<Violation[]> {
    const { type, urn, name, props } = completed(analyzed);
    const request = new messages.AnalyzeRequest()
      .setType(type)
      .setUrn(urn)
      .setName(name)
      .setProperties(struct(props))
      .setOptions(optionsOf(analyzed));
    const answer = await this.ask<messages.AnalyzeResponse>((done) => this.client.analyze(request, done));
    return answer.getDiagnosticsList().map((one) => ({ ...violationOf(one), urn }));
  }

  /** The rules about a whole stack, by its resources' outputs. */
  async stack(resources: Analyzed[]): Promise<Violation[]> {
    const request = new messages.AnalyzeStackRequest().setResourcesList(resources.map(stackResource));
    const answer = await this.ask<messages.AnalyzeResponse>((done) => this.client.analyzeStack(request, done));
    return answer.getDiagnosticsList().map(violationOf);
  }

  /** Everything that the pack has to say about a stack. */
  async all(resources: Analyzed[]): Promise<Violation[]> {
    const alone = await Promise.all(resources.map((resource) => this.resource(resource)));
    return [...alone.flat(), ...(await this.stack(resources))];
  }
}

function completed(analyzed: Analyzed) {
  const { type, name = "thing", props = {} } = analyzed;
  return { type, name, props, urn: analyzed.urn ?? urnOf(type, name) };
}

function optionsOf({ additionalSecretOutputs = [] }: Analyzed): messages.AnalyzerResourceOptions {
  return new messages.AnalyzerResourceOptions()
    .setAdditionalsecretoutputsList(additionalSecretOutputs)
    .setCustomtimeouts(new messages.AnalyzerResourceOptions.CustomTimeouts());
}

function stackResource(analyzed: Analyzed): messages.AnalyzerResource {
  const { type, urn, name, props } = completed(analyzed);
  const resource = new messages.AnalyzerResource()
    .setType(type)
    .setUrn(urn)
    .setName(name)
    .setProperties(struct(props))
    .setOptions(optionsOf(analyzed));
  for (const [property, urns] of Object.entries(analyzed.propertyDependencies ?? {})) {
    resource.getPropertydependenciesMap().set(property, new messages.AnalyzerPropertyDependencies().setUrnsList(urns));
  }
  return resource;
}

function violationOf(diagnostic: messages.AnalyzeDiagnostic): Violation {
  return {
    rule: diagnostic.getPolicyname(),
    level: diagnostic.getEnforcementlevel() === messages.EnforcementLevel.MANDATORY ? "mandatory" : "advisory",
    message: diagnostic.getMessage(),
    urn: diagnostic.getUrn(),
  };
}

/** A property that is undefined is one that is not there. */
function struct(value: object): Struct {
  return Struct.fromJavaScript(JSON.parse(JSON.stringify(value)) as Record<string, JavaScriptValue>);
}
