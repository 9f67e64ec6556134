// @ts-check
// Stands between an engine and a language host and notes each call; started by the engine in the host's place.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import * as grpc from "@grpc/grpc-js";
import language from "@pulumi/pulumi/proto/language_grpc_pb.js";
import { plain } from "./messages.mjs";

const [, , host = "", log = "", ...args] = process.argv;
const child = spawn(host, args, { stdio: ["pipe", "pipe", "inherit"] });
const [port] = await once(createInterface(child.stdout), "line");
const client = /** @type {any} */ (
  new language.LanguageRuntimeClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure())
);

const calls = Object.entries(language.LanguageRuntimeService).map(([name, { responseStream }]) => [
  name,
  responseStream ? streamed(name) : unary(name),
]);
const server = new grpc.Server();
server.addService(language.LanguageRuntimeService, Object.fromEntries(calls));
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (_, own) => process.stdout.write(`${own}\n`));

process.on("SIGINT", () => {});
process.stdin.resume().on("end", () => child.stdin.end());
child.on("exit", () => process.exit());

/**
 * @param {string} call
 * @param {any} request
 * @param {bigint} since
 * @param {unknown} answer
 */
function note(call, request, since, answer) {
  const line = {
    since: String(since),
    host: process.pid,
    directory: process.cwd(),
    call,
    request: plain(request),
    answer,
  };
  appendFileSync(log, `${JSON.stringify(line)}\n`);
}

/** @param {string} name */
function unary(name) {
  return (/** @type {any} */ call, /** @type {any} */ done) => {
    const since = process.hrtime.bigint();
    const forwarded = client[name](call.request, (/** @type {any} */ error, /** @type {any} */ response) => {
      if (error === null) note(name, call.request, since, plain(response));
      done(error, response);
    });
    call.on("cancelled", () => forwarded.cancel());
  };
}

/** @param {string} name */
function streamed(name) {
  return (/** @type {any} */ call) => {
    const since = process.hrtime.bigint();
    const told = { stdout: "", stderr: "" };
    const forwarded = client[name](call.request);
    let noted = false;
    const end = () => {
      if (!noted) note(name, call.request, since, told);
      noted = true;
    };
    forwarded.on("data", (/** @type {any} */ part) => {
      told.stdout += Buffer.from(part.getStdout_asU8()).toString();
      told.stderr += Buffer.from(part.getStderr_asU8()).toString();
      call.write(part);
    });
    forwarded.on("error", (/** @type {any} */ error) => (end(), call.emit("error", error)));
    forwarded.on("end", () => (end(), call.end()));
    call.on("cancelled", () => forwarded.cancel());
  };
}
