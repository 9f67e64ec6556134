import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import * as readline from "node:readline";
import * as grpc from "@grpc/grpc-js";
import * as pulumi from "@pulumi/pulumi";
import { EngineService } from "@pulumi/pulumi/proto/engine_grpc_pb";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import { ConstructRequest, GetSchemaRequest } from "@pulumi/pulumi/proto/provider_pb";
import { ResourceMonitorService } from "@pulumi/pulumi/proto/resource_grpc_pb";
import { SupportsFeatureResponse } from "@pulumi/pulumi/proto/resource_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";

/** Calls of a gRPC client whose last argument is a callback, as promises. */
type Calls = Record<string, (request: object, done: grpc.requestCallback<unknown>) => void>;

/**
 * The components as a plugin, started as the engine does for a program of any language; this process takes the engine's
 * place, with whatever mocks it has set at the time.
 */
export class ComponentPlugin {
  private constructor(
    private readonly child: ChildProcess,
    private readonly engine: Engine,
    private readonly client: ResourceProviderClient,
  ) {}

  /**
   * @param folder where PulumiPlugin.yaml is
   * @param directory the folder of the program that uses it
   */
  static async start(folder: string, directory: string): Promise<ComponentPlugin> {
    const engine = await serveEngine();
    const program = require.resolve("@pulumi/pulumi/cmd/run-plugin");
    const child = spawn(process.execPath, [program, folder, engine.address], {
      cwd: directory,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
    const ended = once(child, "close").then(() => {
      throw new Error(`The plugin ended:\n${errors}${engine.log.join("\n")}`);
    });
    try {
      // Its first line is its port.
      const [port] = (await Promise.race([once(readline.createInterface(child.stdout), "line"), ended])) as [string];
      ended.catch(() => {});
      const client = new ResourceProviderClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
      return new ComponentPlugin(child, engine, client);
    } catch (error) {
      engine.server.forceShutdown();
      throw error;
    }
  }

  /** What `pulumi package get-schema` prints. */
  async schema(): Promise<unknown> {
    const response = await this.call<{ getSchema(): string }>("getSchema", new GetSchemaRequest());
    return JSON.parse(response.getSchema());
  }

  /** Makes a component, as a program of another language does. Returns its URN. */
  async construct(type: string, name: string, inputs: Record<string, unknown>): Promise<string> {
    const request = new ConstructRequest()
      .setProject(pulumi.getProject())
      .setStack(pulumi.getStack())
      .setMonitorendpoint(this.engine.address)
      .setType(type)
      .setName(name)
      .setInputs(Struct.fromJavaScript(inputs as Parameters<typeof Struct.fromJavaScript>[0]));
    const response = await this.call<{ getUrn(): string }>("construct", request);
    return response.getUrn();
  }

  stop(): void {
    this.client.close();
    this.child.kill();
    this.engine.server.forceShutdown();
  }

  private call<Response>(method: string, request: object): Promise<Response> {
    return new Promise((resolve, reject) => {
      (this.client as unknown as Calls)[method]!(request, (error, response) => {
        if (error === null) resolve(response as Response);
        else reject(new Error(error.details));
      });
    });
  }
}

interface Engine {
  server: grpc.Server;
  address: string;
  log: string[];
}

/** What a plugin needs of an engine: to register resources, and to log. */
async function serveEngine(): Promise<Engine> {
  const server = new grpc.Server();
  const log: string[] = [];
  const unary =
    (answer: (request: never, done: grpc.sendUnaryData<unknown>) => void) =>
    ({ request }: { request: unknown }, done: grpc.sendUnaryData<unknown>) =>
      answer(request as never, done);
  const monitored = (method: string) =>
    unary((request, done) => (pulumi.runtime.getMonitor() as unknown as Calls)[method]!(request, done));

  server.addService(ResourceMonitorService, {
    registerResource: monitored("registerResource"),
    invoke: monitored("invoke"),
    registerPackage: monitored("registerPackage"),
    registerResourceOutputs: unary((request, done) =>
      (pulumi.runtime.getMonitor() as unknown as Calls)["registerResourceOutputs"]!(request, (error) =>
        done(error, new Empty()),
      ),
    ),
    // As the mocks of a program have it, so that both see the same inputs.
    supportsFeature: unary((request: { getId(): string }, done) =>
      done(
        null,
        new SupportsFeatureResponse().setHassupport(!["outputValues", "transforms"].includes(request.getId())),
      ),
    ),
  });
  server.addService(EngineService, {
    log: unary((request: { getMessage(): string }, done) => {
      log.push(request.getMessage());
      done(null, new Empty());
    }),
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { server, address: `127.0.0.1:${port}`, log };
}
