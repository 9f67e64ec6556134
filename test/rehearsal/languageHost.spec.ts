/**
 * The stand-in for Pulumi's language host beside a recorded conversation of the real one: the same calls of an engine, the
 * same answers, the same programs run with the same arguments. languageHost/record.ts records it; the versions are in
 * languageHost/conversation.json. Where Pulumi's own host is on PATH, it has to hold the conversation as well.
 * Cannot prove: what the programs then say to the engine, whose calls go to it directly (test/engine does).
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { createInterface } from "node:readline";
import * as grpc from "@grpc/grpc-js";
import { AnalyzerClient } from "@pulumi/pulumi/proto/analyzer_grpc_pb";
import { type AnalyzerInfo, AnalyzerStackConfigureRequest } from "@pulumi/pulumi/proto/analyzer_pb";
import { LanguageRuntimeClient } from "@pulumi/pulumi/proto/language_grpc_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { findProgram } from "../../components/deploy/path.mjs";
import { requireOrSkip } from "../require";
import { languageHostOf } from "../../cli/rehearse/drivers/languageHost";
import recorded from "./languageHost/conversation.json";
import { message, plain } from "./languageHost/messages.mjs";
import { type Call, type Conversation, type RunProgram, Stage } from "./languageHost/stage";

const CONVERSATION: Conversation = {
  hosts: recorded.hosts,
  calls: recorded.calls,
  programs: recorded.programs as RunProgram[],
};
const STAND_IN = path.join(__dirname, "../../cli/rehearse/drivers/languageHost/host.mjs");
const OWN = findProgram(process.env, "pulumi-language-nodejs");

describe("the language host for Node", function () {
  // It starts a host for each command that was recorded.
  let folder: string;
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(path.join(tmpdir(), "language-host-")));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("the stand-in answers and runs what Pulumi's own did", async () => {
    await holds([process.execPath, STAND_IN]);
  });

  it("Pulumi's own still does what was recorded", async function () {
    requireOrSkip(
      this,
      "languageHost",
      OWN !== undefined,
      "pulumi-language-nodejs is not on PATH; Pulumi's installer has it",
    );
    await holds([OWN!]);
  });

  it("is Pulumi's own where it is beside the CLI or on PATH, else the stand-in", () => {
    const [cli, own] = [path.join(folder, "cli/pulumi"), path.join(folder, "own")];
    assert.equal(languageHostOf(cli, own), "a stand-in");
    for (const place of [path.dirname(cli), own]) {
      const program = path.join(place, "pulumi-language-nodejs");
      mkdirSync(place);
      writeFileSync(program, "");
      assert.equal(languageHostOf(cli, own), "a stand-in", "a file that cannot be run");
      chmodSync(program, 0o755);
      assert.equal(languageHostOf(cli, own), "Pulumi's own");
      rmSync(program);
    }
  });

  async function holds([program, ...args]: string[]): Promise<void> {
    const stage = new Stage(path.join(folder, "stage"), false);
    const hosts: Host[] = [];
    const calls: Call[] = [];
    try {
      for (const one of CONVERSATION.calls) {
        const directory = CONVERSATION.hosts[one.host]!.replace("<stage>", stage.folder);
        hosts[one.host] ??= await Host.start(program!, [...args, "127.0.0.1:1"], stage, directory);
        calls.push({ ...one, answer: await hosts[one.host]!.ask(one) });
      }
    } finally {
      await Promise.all(hosts.map((host) => host.stop()));
    }
    assert.deepEqual(stage.normalised({ ...CONVERSATION, calls, programs: stage.programs() }), CONVERSATION);
  }
});

/** A language host that this process talks to in the engine's place. */
class Host {
  private constructor(
    private readonly stage: Stage,
    private readonly child: ChildProcess,
    private readonly client: LanguageRuntimeClient,
  ) {}

  static async start(program: string, args: string[], stage: Stage, directory: string): Promise<Host> {
    const environment = { ...process.env, PATH: `${stage.bin}${path.delimiter}${process.env["PATH"]}` };
    const child = spawn(program, args, { cwd: directory, env: environment, stdio: ["pipe", "pipe", "inherit"] });
    const [port] = (await once(createInterface(child.stdout), "line")) as [string];
    const client = new LanguageRuntimeClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
    return new Host(stage, child, client);
  }

  /** What it answers to a recorded call. */
  async ask({ call, request }: Call): Promise<Record<string, unknown>> {
    const text = JSON.stringify(request)
      .replaceAll("<stage>", this.stage.folder)
      .replaceAll("<address>", "127.0.0.1:1");
    const sent: unknown = ["getPluginInfo", "cancel"].includes(call)
      ? new Empty()
      : message(`${call[0]!.toUpperCase()}${call.slice(1)}Request`, JSON.parse(text) as Record<string, unknown>);
    const client = this.client as unknown as Record<
      string,
      (sent: unknown, done?: grpc.requestCallback<object>) => unknown
    >;
    if (call !== "runPlugin" && call !== "installDependencies")
      return new Promise((resolve, reject) =>
        client[call]!(sent, (error, response) => (error === null ? resolve(plain(response)) : reject(error))),
      );
    const told = { stdout: "", stderr: "" };
    const parts = client[call]!(sent) as grpc.ClientReadableStream<Part>;
    try {
      for await (const part of parts as AsyncIterable<Part>) {
        told.stdout += Buffer.from(part.getStdout_asU8()).toString();
        told.stderr += Buffer.from(part.getStderr_asU8()).toString();
        if (request["kind"] !== "analyzer") continue;
        // A policy pack starts when the engine has told it of the stack, and ends with the call.
        assert.equal(await packOf(told.stdout.trim()), "pack");
        parts.cancel();
      }
    } catch (error) {
      if ((error as grpc.ServiceError).code !== grpc.status.CANCELLED) throw error;
    }
    return told;
  }

  async stop(): Promise<void> {
    this.client.close();
    this.child.stdin!.end();
    this.child.kill("SIGINT");
    if (this.child.exitCode === null) await once(this.child, "exit");
  }
}

interface Part {
  getStdout_asU8(): Uint8Array;
  getStderr_asU8(): Uint8Array;
}

/** Tells the port of a policy pack of the stack whose conversation was recorded, and asks for the pack's name. */
async function packOf(port: string): Promise<string> {
  const client = new AnalyzerClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  const stack = new AnalyzerStackConfigureRequest().setOrganization("organization").setProject("plain").setStack("dev");
  const answer = <T>(call: (done: grpc.requestCallback<T>) => unknown) =>
    new Promise<T>((resolve, reject) => call((error, value) => (error === null ? resolve(value!) : reject(error))));
  try {
    await answer((done) => client.configureStack(stack.setDryRun(true), done));
    return (await answer<AnalyzerInfo>((done) => client.getAnalyzerInfo(new Empty(), done))).getName();
  } finally {
    client.close();
  }
}
