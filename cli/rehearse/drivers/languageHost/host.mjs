// @ts-check
/**
 * Stands in for pulumi-language-nodejs, the program by which Pulumi's engine runs Node: it is in no package registry. The
 * engine starts it and reads its port from its first line.
 *
 * Compared with the host of Pulumi 3.260.0, built from its source: test/rehearsal/languageHost/conversation.json is what
 * that CLI and that host said to each other (install, about, up, previews of four programs, a policy pack, a plugin), and
 * test/rehearsal/languageHost.spec.ts holds this one to it, and Pulumi's own where it is there. All of test/engine has
 * passed with either, except that the example in YAML ran with this one alone: the host of YAML that can be built is older
 * than Pulumi 3.260.0, and gives a host of Node flags that the one of 3.260.0 refuses.
 *
 * It is smaller: programs talk to the engine directly and not through a proxy; of the folders it looks for plugins only
 * where npm installs them; it knows npm alone; it attaches no debugger, generates no code, and packs no SDK.
 */
import { execFile } from "node:child_process";
import process from "node:process";
import { promisify } from "node:util";
import * as grpc from "@grpc/grpc-js";
import language from "@pulumi/pulumi/proto/language_grpc_pb.js";
import messages from "@pulumi/pulumi/proto/language_pb.js";
import plugin from "@pulumi/pulumi/proto/plugin_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import { interruptAll, located, run } from "./children.mjs";
import {
  dependenciesOf,
  optionsOf,
  pluginCommand,
  POLICY_PACK,
  programCommand,
  programInfo,
  typescriptVersion,
} from "./commands.mjs";
import { pluginsOf } from "./packages.mjs";

/** Node ended like this has told its user what is wrong. */
const TOLD = 32;
/** The engine takes what it gets for a plugin's version; nothing compares it. */
const VERSION = "0.0.0-stand-in";
const NODE = "node";

/** Where the engine listens: its last argument, after the flags that older ones give. */
let engine = process.argv.slice(2).at(-1) ?? "";

/** What interrupts each program that runs. */
const programs = new Set(/** @type {(() => void)[]} */ ([]));

const calls = {
  handshake: unary(({ request }) => {
    engine = request.getEngineAddress();
    return new messages.LanguageHandshakeResponse();
  }),
  getPluginInfo: unary(() => new plugin.PluginInfo().setVersion(VERSION)),
  getRequiredPackages: unary(({ request }) => {
    const packages = pluginsOf(programInfo(request).getProgramDirectory()).map(({ name, version, server }) =>
      new plugin.PackageDependency().setName(name).setKind("resource").setVersion(version).setServer(server),
    );
    return new messages.GetRequiredPackagesResponse().setPackagesList(packages);
  }),
  run: unary(async (call) => {
    const response = new messages.RunResponse();
    try {
      const command = programCommand(call.request, engine);
      const program = run(
        NODE,
        command,
        (text) => process.stdout.write(text),
        (text) => process.stderr.write(text),
      );
      const interrupt = () => program.stop("SIGINT");
      programs.add(interrupt);
      call.on("cancelled", interrupt);
      const code = await program.code.finally(() => programs.delete(interrupt));
      if (code === TOLD) return response.setBail(true);
      return code === 0 ? response : response.setError(`Program exited with non-zero exit code: ${code}`);
    } catch (error) {
      return response.setError(messageOf(error));
    }
  }),
  about: unary(async ({ request }) => {
    const info = programInfo(request);
    optionsOf(info);
    const response = new messages.AboutResponse()
      .setExecutable(located(NODE))
      .setVersion(await printed(NODE, "--version"));
    const metadata = response.getMetadataMap().set("packagemanager", "npm");
    metadata.set("packagemanagerVersion", await printed("npm", "--version"));
    const typescript = typescriptVersion(info.getProgramDirectory());
    if (typescript !== undefined) metadata.set("typescriptVersion", typescript);
    return response;
  }),
  getProgramDependencies: unary(({ request }) => {
    const found = dependenciesOf(programInfo(request), request.getTransitivedependencies());
    return new messages.GetProgramDependenciesResponse().setDependenciesList(
      found.map(({ name, version }) => new messages.DependencyInfo().setName(name).setVersion(version)),
    );
  }),
  /** @param {grpc.ServerWritableStream<import("@pulumi/pulumi/proto/language_pb.js").InstallDependenciesRequest, unknown>} call */
  installDependencies: (call) =>
    streamed(call, messages.InstallDependenciesResponse, async (stdout, stderr) => {
      stdout(Buffer.from("Installing dependencies...\n\n"));
      const command = { arguments: ["install", "--loglevel=error"], environment: process.env };
      const directory = programInfo(call.request).getProgramDirectory();
      const code = await run("npm", { ...command, directory }, stdout, stderr).code;
      if (code !== 0) throw new Error(`npm install failed: exit status ${code}`);
      stdout(Buffer.from("Finished installing dependencies\n\n"));
    }),
  /** @param {grpc.ServerWritableStream<import("@pulumi/pulumi/proto/language_pb.js").RunPluginRequest, unknown>} call */
  runPlugin: (call) =>
    streamed(call, messages.RunPluginResponse, async (stdout, stderr) => {
      const command = pluginCommand(call.request);
      const policyPack = call.request.getKind() === POLICY_PACK;
      const code = await (policyPack
        ? runPolicyPack(call, command, stdout, stderr)
        : runPlugin(call, command, stdout, stderr));
      if (code !== 0) throw new Error(`Program exited with non-zero exit code: ${code}`);
    }),
  runtimeOptionsPrompts: unary(() => new messages.RuntimeOptionsResponse()),
  template: unary(() => new messages.TemplateResponse()),
  // Of programs alone: a policy pack or a plugin may still be asked.
  cancel: unary(() => {
    programs.forEach((interrupt) => interrupt());
    return new empty.Empty();
  }),
};

const server = new grpc.Server({ "grpc.max_receive_message_length": -1 });
server.addService(language.LanguageRuntimeService, calls);
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  process.stdout.write(`${port}\n`);
});

// The engine interrupts it at the end; an engine that was killed closes its standard input.
process.on("SIGINT", end);
process.stdin.resume().on("end", end);

function end() {
  interruptAll();
  server.forceShutdown();
  process.stdin.destroy();
}

/**
 * A plugin ends when the engine ends the call.
 * @param {grpc.ServerWritableStream<any, any>} call
 * @param {import("./commands.mjs").Command} command
 * @param {(text: Buffer) => void} stdout
 * @param {(text: Buffer) => void} stderr
 */
function runPlugin(call, command, stdout, stderr) {
  const child = run(NODE, command, stdout, stderr);
  call.on("cancelled", () => child.stop("SIGKILL"));
  return child.code;
}

/** @type {typeof runPlugin} */
async function runPolicyPack(call, command, stdout, stderr) {
  // Most hosts run none, and each command of the CLI starts one.
  const { PolicyProxy } = await import("./policyProxy.mjs");
  const proxy = new PolicyProxy();
  call.on("cancelled", () => proxy.stop(new Error("the engine ended it")));
  stdout(Buffer.from(`${await proxy.start()}\n`));
  const configuration = await proxy.configuration.promise;
  Object.assign(command.environment, policyEnvironment(configuration));
  /** @type {unknown} */
  let failure;
  let port = "";
  const code = await runPlugin(
    call,
    command,
    (text) => {
      if (port.endsWith("\n")) return stdout(text);
      const [, line = "", rest = ""] = /^([^\n]*\n?)(.*)$/s.exec(text.toString()) ?? [];
      port += line;
      if (port.endsWith("\n")) proxy.attach(Number(port)).catch((error) => (failure = error));
      if (rest !== "") stdout(Buffer.from(rest));
    },
    stderr,
  );
  proxy.stop(new Error(`it ended with exit code ${code}`));
  if (failure !== undefined) throw failure;
  return code;
}

/**
 * What a policy pack reads of the stack.
 * @param {import("@pulumi/pulumi/proto/analyzer_pb.js").AnalyzerStackConfigureRequest | undefined} configuration
 */
function policyEnvironment(configuration) {
  if (configuration === undefined) return {};
  const config = Object.fromEntries(configuration.getConfigMap().toArray());
  const all = {
    PULUMI_NODEJS_ORGANIZATION: configuration.getOrganization(),
    PULUMI_NODEJS_PROJECT: configuration.getProject(),
    PULUMI_NODEJS_STACK: configuration.getStack(),
    PULUMI_NODEJS_DRY_RUN: String(configuration.getDryRun()),
    PULUMI_CONFIG: Object.keys(config).length === 0 ? "" : JSON.stringify(config),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ""));
}

/**
 * A call with one answer; whatever is thrown becomes its error.
 * @param {(call: grpc.ServerUnaryCall<any, any>) => unknown} answer
 */
function unary(answer) {
  return (/** @type {grpc.ServerUnaryCall<any, any>} */ call, /** @type {grpc.sendUnaryData<any>} */ done) => {
    Promise.resolve(call)
      .then(answer)
      .then(
        (response) => done(null, response),
        (error) => done({ code: grpc.status.UNKNOWN, details: messageOf(error) }),
      );
  };
}

/**
 * A call whose answer is what a program writes.
 * @param {grpc.ServerWritableStream<any, any>} call
 * @param {new () => { setStdout(text: Uint8Array): unknown, setStderr(text: Uint8Array): unknown }} Response
 * @param {(stdout: (text: Buffer) => void, stderr: (text: Buffer) => void) => Promise<void>} work
 */
function streamed(call, Response, work) {
  work(
    (text) => void call.write(new Response().setStdout(text)),
    (text) => void call.write(new Response().setStderr(text)),
  ).then(
    () => call.end(),
    (error) => call.emit("error", { code: grpc.status.UNKNOWN, details: messageOf(error) }),
  );
}

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/**
 * The first line that a program prints; nothing where there is none.
 * @param {string} program
 * @param {string[]} args
 */
async function printed(program, ...args) {
  const { stdout } = await promisify(execFile)(program, args).catch(() => ({ stdout: "" }));
  return stdout.trim();
}
