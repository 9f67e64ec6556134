import * as grpc from "@grpc/grpc-js";
import { ResourceProviderService } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as messages from "@pulumi/pulumi/proto/provider_pb";
import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { type JavaScriptValue, Struct } from "google-protobuf/google/protobuf/struct_pb";
import { partsOfUrn } from "../../render/change";
import { type Change, topProperty } from "./difference";
import type { Operations } from "./operations";
import type { Failure } from "./provider";
import type { Properties } from "./values";

/** A provider that listens on a loopback port, as a plugin that the engine attaches to. */
export interface Served {
  port: number;
  stop: () => void;
}

/** Serves an emulated provider over Pulumi's provider protocol on a free loopback port. */
export async function serve(operations: Operations): Promise<Served> {
  const server = new grpc.Server({ "grpc.max_receive_message_length": -1 });
  server.addService(ResourceProviderService, implementation(operations));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { port, stop: () => server.forceShutdown() };
}

/** Turns a function into a gRPC handler; whatever it throws becomes the call's error text. */
function handler<Request, Response>(answer: (request: Request) => Response | Promise<Response>) {
  return (call: grpc.ServerUnaryCall<Request, Response>, callback: grpc.sendUnaryData<Response>): void => {
    Promise.resolve(call.request)
      .then(answer)
      .then(
        (response) => callback(null, response),
        (error: Error) => callback({ code: grpc.status.UNKNOWN, details: error.message }),
      );
  };
}

function implementation(operations: Operations): grpc.UntypedServiceImplementation {
  const typeOf = (request: { getType(): string; getUrn(): string }) =>
    request.getType() || partsOfUrn(request.getUrn()).type;
  const nameOf = (request: { getName(): string; getUrn(): string }) =>
    request.getName() || partsOfUrn(request.getUrn()).name;
  const unused = handler(() => new Empty());
  return {
    attach: unused,
    cancel: handler(() => {
      operations.provider.cancel?.();
      return new Empty();
    }),
    getPluginInfo: handler(() => new PluginInfo().setVersion(operations.provider.version)),
    getSchema: handler(() =>
      new messages.GetSchemaResponse().setSchema(JSON.stringify({ name: operations.provider.name })),
    ),
    handshake: handler(() => new messages.ProviderHandshakeResponse().setAcceptSecrets(true)),
    checkConfig: handler((request: messages.CheckRequest) => {
      const config = propertiesOf(request.getNews());
      return new messages.CheckResponse()
        .setInputs(structOf(config))
        .setFailuresList(operations.checkConfig(config).map(failureMessage));
    }),
    diffConfig: handler(() => new messages.DiffResponse().setChanges(messages.DiffResponse.DiffChanges.DIFF_NONE)),
    configure: handler((request: messages.ConfigureRequest) => {
      operations.configure(propertiesOf(request.getArgs()));
      return new messages.ConfigureResponse().setAcceptsecrets(true).setSupportspreview(true);
    }),
    invoke: handler(async (request: messages.InvokeRequest) => {
      const result = await operations.invoke(request.getTok(), propertiesOf(request.getArgs()));
      return new messages.InvokeResponse().setReturn(structOf(result));
    }),
    check: handler((request: messages.CheckRequest) => {
      const [olds, news] = [propertiesOf(request.getOlds()), propertiesOf(request.getNews())];
      const { inputs, failures } = operations.check(typeOf(request), nameOf(request), olds, news);
      return new messages.CheckResponse().setInputs(structOf(inputs)).setFailuresList(failures.map(failureMessage));
    }),
    diff: handler((request: messages.DiffRequest) => {
      const [oldInputs, news] = [propertiesOf(request.getOldInputs()), propertiesOf(request.getNews())];
      const { changes, replaces, deleteBeforeReplace } = operations.diff(typeOf(request), oldInputs, news);
      const { DIFF_NONE, DIFF_SOME } = messages.DiffResponse.DiffChanges;
      const response = new messages.DiffResponse()
        .setChanges(changes.length === 0 ? DIFF_NONE : DIFF_SOME)
        .setReplacesList(replaces)
        .setDeletebeforereplace(deleteBeforeReplace)
        .setHasdetaileddiff(true);
      for (const change of changes) {
        response
          .getDetaileddiffMap()
          .set(change.path, changeMessage(change, replaces.includes(topProperty(change.path))));
      }
      return response;
    }),
    create: handler(async (request: messages.CreateRequest) => {
      const inputs = propertiesOf(request.getProperties());
      const { id, state } = await operations.create(typeOf(request), nameOf(request), inputs, request.getPreview());
      return new messages.CreateResponse().setId(id).setProperties(structOf(state));
    }),
    update: handler(async (request: messages.UpdateRequest) => {
      const [olds, oldInputs, news] = [request.getOlds(), request.getOldInputs(), request.getNews()].map(propertiesOf);
      const state = await operations.update(
        typeOf(request),
        request.getId(),
        olds!,
        oldInputs!,
        news!,
        request.getPreview(),
      );
      return new messages.UpdateResponse().setProperties(structOf(state));
    }),
    read: handler((request: messages.ReadRequest) => {
      const [inputs, state] = [propertiesOf(request.getInputs()), propertiesOf(request.getProperties())];
      const current = operations.read(typeOf(request), request.getId(), inputs, state);
      // An answer without an id says that the resource is gone.
      if (current === undefined) return new messages.ReadResponse();
      return new messages.ReadResponse()
        .setId(current.id)
        .setProperties(structOf(current.state))
        .setInputs(structOf(current.inputs));
    }),
    delete: handler(async (request: messages.DeleteRequest) => {
      await operations.delete(typeOf(request), request.getId(), propertiesOf(request.getProperties()));
      return new Empty();
    }),
  };
}

function propertiesOf(struct: Struct | undefined): Properties {
  return struct === undefined ? {} : struct.toJavaScript();
}

function structOf(properties: Properties): Struct {
  return Struct.fromJavaScript(properties as Record<string, JavaScriptValue>);
}

function failureMessage({ property, reason }: Failure): messages.CheckFailure {
  return new messages.CheckFailure().setProperty(property).setReason(reason);
}

function changeMessage({ kind }: Change, replacing: boolean): messages.PropertyDiff {
  const { Kind } = messages.PropertyDiff;
  const kinds = {
    add: replacing ? Kind.ADD_REPLACE : Kind.ADD,
    delete: replacing ? Kind.DELETE_REPLACE : Kind.DELETE,
    update: replacing ? Kind.UPDATE_REPLACE : Kind.UPDATE,
  };
  return new messages.PropertyDiff().setKind(kinds[kind]).setInputdiff(true);
}
