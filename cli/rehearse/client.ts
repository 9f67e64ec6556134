import * as grpc from "@grpc/grpc-js";
import { type IResourceProviderClient, ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as messages from "@pulumi/pulumi/proto/provider_pb";
import { type JavaScriptValue, Struct } from "google-protobuf/google/protobuf/struct_pb";
import { Operations } from "./emulators/operations";
import type { Failure, Provider } from "./emulators/provider";
import { serve } from "./emulators/serve";
import type { Properties } from "./emulators/values";

const NAME = "it";

/** What a diff answers, in plain values. */
export interface PlainDiff {
  changed: boolean;
  replaces: string[];
  deleteBeforeReplace: boolean;
  /** Path to kind, such as `UPDATE_REPLACE`. */
  detailed: Record<string, string>;
}

export interface Resource {
  id: string;
  inputs: Properties;
  state: Properties;
}

/**
 * Talks to a provider like the engine does: over gRPC, with the SDK's own client stubs.
 */
export class ProviderClient {
  private constructor(
    private readonly stub: IResourceProviderClient,
    readonly stop: () => void,
  ) {}

  static async of(provider: Provider): Promise<ProviderClient> {
    const { port, stop } = await serve(new Operations(provider));
    return ProviderClient.at(port, stop);
  }

  static at(port: number, stop: () => void): ProviderClient {
    const stub = new ResourceProviderClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
    return new ProviderClient(stub, () => {
      stub.close();
      stop();
    });
  }

  async checkConfig(config: Properties): Promise<Failure[]> {
    const request = new messages.CheckRequest().setUrn(urn("pulumi:providers:x")).setNews(struct(config));
    const response = await this.call<messages.CheckResponse>("checkConfig", request);
    return response.getFailuresList().map((failure) => failure.toObject());
  }

  configure(config: Properties): Promise<messages.ConfigureResponse> {
    const request = new messages.ConfigureRequest().setArgs(struct(config)).setAcceptsecrets(true);
    return this.call("configure", request);
  }

  async check(type: string, news: Properties, olds?: Properties): Promise<{ inputs: Properties; failures: Failure[] }> {
    const request = new messages.CheckRequest().setUrn(urn(type)).setNews(struct(news));
    if (olds !== undefined) request.setOlds(struct(olds));
    const response = await this.call<messages.CheckResponse>("check", request);
    return {
      inputs: plain(response.getInputs()),
      failures: response.getFailuresList().map((failure) => failure.toObject()),
    };
  }

  async diff(type: string, { id, inputs, state }: Resource, news: Properties): Promise<PlainDiff> {
    const request = new messages.DiffRequest()
      .setUrn(urn(type))
      .setId(id)
      .setOlds(struct(state))
      .setOldInputs(struct(inputs))
      .setNews(struct(news));
    const response = await this.call<messages.DiffResponse>("diff", request);
    const kinds = Object.keys(messages.PropertyDiff.Kind);
    const detailed: Record<string, string> = {};
    response.getDetaileddiffMap().forEach((change, path) => (detailed[path] = kinds[change.getKind()]!));
    return {
      changed: response.getChanges() === messages.DiffResponse.DiffChanges.DIFF_SOME,
      replaces: response.getReplacesList(),
      deleteBeforeReplace: response.getDeletebeforereplace(),
      detailed,
    };
  }

  /** Checks and creates; a refusal of either is thrown. */
  async create(type: string, news: Properties, preview = false): Promise<Resource> {
    const { inputs, failures } = await this.check(type, news);
    if (failures.length > 0)
      throw new Error(failures.map(({ property, reason }) => `${property}: ${reason}`).join("\n"));
    const request = new messages.CreateRequest().setUrn(urn(type)).setProperties(struct(inputs)).setPreview(preview);
    const response = await this.call<messages.CreateResponse>("create", request);
    return { id: response.getId(), inputs, state: plain(response.getProperties()) };
  }

  /** Checks and updates in place. */
  async update(type: string, resource: Resource, news: Properties, preview = false): Promise<Resource> {
    const { inputs, failures } = await this.check(type, news, resource.inputs);
    if (failures.length > 0)
      throw new Error(failures.map(({ property, reason }) => `${property}: ${reason}`).join("\n"));
    const request = new messages.UpdateRequest()
      .setUrn(urn(type))
      .setId(resource.id)
      .setOlds(struct(resource.state))
      .setOldInputs(struct(resource.inputs))
      .setNews(struct(inputs))
      .setPreview(preview);
    const response = await this.call<messages.UpdateResponse>("update", request);
    return { id: resource.id, inputs, state: plain(response.getProperties()) };
  }

  /** The state that the service has, or undefined when it has lost the resource. */
  async read(type: string, { id, inputs, state }: Resource): Promise<Properties | undefined> {
    const request = new messages.ReadRequest()
      .setUrn(urn(type))
      .setId(id)
      .setInputs(struct(inputs))
      .setProperties(struct(state));
    const response = await this.call<messages.ReadResponse>("read", request);
    return response.getId() === "" ? undefined : plain(response.getProperties());
  }

  delete(type: string, { id, inputs, state }: Resource): Promise<unknown> {
    const request = new messages.DeleteRequest()
      .setUrn(urn(type))
      .setId(id)
      .setProperties(struct(state))
      .setOldInputs(struct(inputs));
    return this.call("delete", request);
  }

  async invoke(token: string, args: Properties): Promise<Properties> {
    const request = new messages.InvokeRequest().setTok(token).setArgs(struct(args));
    const response = await this.call<messages.InvokeResponse>("invoke", request);
    return plain(response.getReturn());
  }

  private call<Response>(method: string, request: object): Promise<Response> {
    return new Promise((resolve, reject) => {
      const stub = this.stub as unknown as Record<
        string,
        (request: object, callback: grpc.requestCallback<Response>) => void
      >;
      stub[method]!(request, (error, response) => {
        if (error === null) resolve(response!);
        else reject(new Error(error.details));
      });
    });
  }
}

function urn(type: string): string {
  return `urn:pulumi:stack::project::${type}::${NAME}`;
}

function struct(properties: Properties): Struct {
  return Struct.fromJavaScript(properties as Record<string, JavaScriptValue>);
}

function plain(properties: Struct | undefined): Properties {
  return properties === undefined ? {} : properties.toJavaScript();
}
