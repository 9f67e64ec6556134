// @ts-check
/**
 * Stands between the engine and a policy pack. The engine tells which stack it is by a call; the pack reads that from its
 * environment when it starts. So the engine first gets this port, and the pack starts after that call.
 */
import * as grpc from "@grpc/grpc-js";
import analyzer from "@pulumi/pulumi/proto/analyzer_grpc_pb.js";
import messages from "@pulumi/pulumi/proto/analyzer_pb.js";

/** @typedef {import("@pulumi/pulumi/proto/analyzer_pb.js").AnalyzerStackConfigureRequest} Configuration */

/**
 * A promise and its ends; Node 20 has no `Promise.withResolvers`.
 * @template T
 */
class Deferred {
  resolve = /** @type {(value: T) => void} */ (() => {});
  reject = /** @type {(reason: Error) => void} */ (() => {});
  promise = /** @type {Promise<T>} */ (
    new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    })
  );
}

const ANY_SIZE = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };

/** A server of the calls for a policy pack that is yet to start. */
export class PolicyProxy {
  /** The stack's configuration; undefined where the engine asks for something else first. */
  configuration = /** @type {Deferred<Configuration | undefined>} */ (new Deferred());
  /** The pack. */
  #client = /** @type {Deferred<any>} */ (new Deferred());
  #server = new grpc.Server(ANY_SIZE);

  /** @returns {Promise<number>} its port */
  start() {
    // That the pack did not start is told by the calls that wait for it; there may be none.
    this.#client.promise.catch(() => {});
    const calls = Object.fromEntries(Object.keys(analyzer.AnalyzerService).map((name) => [name, this.#forward(name)]));
    this.#server.addService(analyzer.AnalyzerService, {
      ...calls,
      handshake: (/** @type {unknown} */ _, /** @type {grpc.sendUnaryData<unknown>} */ done) =>
        done(null, new messages.AnalyzerHandshakeResponse()),
      configureStack: (
        /** @type {{ request: Configuration }} */ { request },
        /** @type {grpc.sendUnaryData<unknown>} */ done,
      ) => {
        this.configuration.resolve(request);
        done(null, new messages.AnalyzerStackConfigureResponse());
      },
    });
    return new Promise((resolve, reject) =>
      this.#server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      ),
    );
  }

  /**
   * The pack listens.
   * @param {number} port
   */
  async attach(port) {
    const client = new analyzer.AnalyzerClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), ANY_SIZE);
    const configuration = await this.configuration.promise;
    if (configuration !== undefined)
      await new Promise((resolve, reject) =>
        client.configureStack(configuration, (error) =>
          // A pack by an older SDK goes by its environment alone.
          error === null || error.code === grpc.status.UNIMPLEMENTED ? resolve(undefined) : reject(error),
        ),
      ).catch((error) => {
        this.#client.reject(error);
        throw error;
      });
    this.#client.resolve(client);
  }

  /** @param {Error} reason */
  stop(reason) {
    this.#client.reject(reason);
    this.#server.forceShutdown();
  }

  /** @param {string} name */
  #forward(name) {
    return async (/** @type {{ request: unknown }} */ { request }, /** @type {grpc.sendUnaryData<unknown>} */ done) => {
      this.configuration.resolve(undefined);
      try {
        (await this.#client.promise)[name](request, done);
      } catch (error) {
        done({
          code: grpc.status.UNKNOWN,
          details: `policy pack not started: ${/** @type {Error} */ (error).message}`,
        });
      }
    };
  }
}
