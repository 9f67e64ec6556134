// @ts-check
// What a program writes, for an engine that has attached to a host: it does not read the host's own output.
import { StringDecoder } from "node:string_decoder";
import * as grpc from "@grpc/grpc-js";
import engine from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import messages from "@pulumi/pulumi/proto/engine_pb.js";

/** Tells an engine each line as a message, which is what it makes of what it reads. */
export class Output {
  #client;
  /** Ends when the engine has all that was written so far. */
  #told = Promise.resolve();
  stdout = new Lines((line) => this.#tell(line, 1));
  stderr = new Lines((line) => this.#tell(line, 2));

  /** @param {string} address where the engine listens */
  constructor(address) {
    this.#client = new engine.EngineClient(address, grpc.credentials.createInsecure());
  }

  async end() {
    this.stdout.end();
    this.stderr.end();
    await this.#told;
    this.#client.close();
  }

  /**
   * @param {string} line
   * @param {number} stream
   */
  #tell(line, stream) {
    const message = new messages.LogRequest()
      .setSeverity(messages.LogSeverity.INFO)
      .setMessage(line)
      .setStreamid(stream);
    // In their order; an engine that has ended hears no more.
    this.#told = this.#told.then(() => new Promise((resolve) => this.#client.log(message, () => resolve())));
  }
}

class Lines {
  #decoder = new StringDecoder();
  #rest = "";
  #take;

  /** @param {(line: string) => void} take */
  constructor(take) {
    this.#take = take;
  }

  /** @param {Buffer} text */
  write(text) {
    const lines = (this.#rest + this.#decoder.write(text)).split(/(?<=\n)/);
    this.#rest = lines.at(-1)?.endsWith("\n") === true ? "" : (lines.pop() ?? "");
    lines.forEach((line) => this.#give(line));
  }

  end() {
    this.#give(this.#rest + this.#decoder.end());
    this.#rest = "";
  }

  /** @param {string} line */
  #give(line) {
    if (line.trim() !== "") this.#take(line);
  }
}
