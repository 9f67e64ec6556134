import { readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { specialSecretSig, specialSigKey } from "@pulumi/pulumi/runtime/rpc";
import { partsOfUrn } from "../../render/change";
import { serve, type Served } from "../emulators/serve";
import { isObject, type Properties, secret } from "../emulators/values";
import { output, run } from "../processes";
import type { Fakes } from "../fakes";
import { type Driver, type Operation, type RecordedResource, type Run, type RunOptions } from "./driver";
import { engineEnvironment, operationsOf, refusal, takeEvents, writeConfiguration } from "./engineRun";
import { languageHostOf } from "./languageHost";

const STACK = "rehearsal";

/** The part of the exported state that is read here. */
interface ExportedResource {
  urn: string;
  type: string;
  custom: boolean;
  id?: string;
  parent?: string;
  inputs?: Properties;
  outputs?: Properties;
}

/** Runs the program under a real Pulumi engine, on a file backend, with the emulators attached as its providers. */
export class EngineDriver implements Driver {
  readonly kind = "engine";
  private runs = 0;

  private constructor(
    readonly description: string,
    private readonly cli: string,
    private readonly project: string,
    private readonly folder: string,
    private readonly environment: NodeJS.ProcessEnv,
    private readonly served: Served[],
    private readonly stack: string,
  ) {}

  /**
   * @param folder where the engine may keep its home and the states of stacks
   * @param environment with PULUMI_CONFIG_PASSPHRASE where several stacks of one folder read each other
   */
  static async start(
    cli: string,
    project: string,
    folder: string,
    environment: NodeJS.ProcessEnv,
    fakes: Fakes,
    stack = STACK,
  ) {
    const served = await Promise.all(Object.values(fakes.providers).map(serve));
    const attached = Object.keys(fakes.providers).map((name, at) => `${name}:${served[at]!.port}`);
    const complete = { ...engineEnvironment(cli, folder, environment, attached), ...passphraseOf(environment) };
    const options = { cwd: project, env: complete };
    const version = await output(cli, ["version"], options);
    await output(cli, ["stack", "init", stack, "--non-interactive"], options);
    const host = languageHostOf(cli, environment["PATH"]);
    const description = `by the Pulumi engine ${version}${host === "a stand-in" ? `, with ${host} for its host of Node programs` : ""}`;
    return new EngineDriver(description, cli, project, folder, complete, served, stack);
  }

  async preview(options: RunOptions): Promise<RecordedResource[]> {
    writeConfiguration(this.project, this.stack, options.config);
    const { operations } = await this.operate("preview", []);
    // A preview says what it would do to each resource, which is all that is compared.
    return operations.map(({ urn, type }) => {
      const { name } = partsOfUrn(urn);
      return { urn, type, name, parent: undefined, custom: true, id: undefined, inputs: {}, outputs: {} };
    });
  }

  async update(options: RunOptions): Promise<Run> {
    writeConfiguration(this.project, this.stack, options.config);
    const replace = options.replace === undefined ? [] : ["--replace", options.replace];
    const done = await this.operate("up", ["--yes", "--skip-preview", ...replace]);
    return { ...(await this.exported()), ...done };
  }

  async destroy(): Promise<Run> {
    const done = await this.operate("destroy", ["--yes", "--skip-preview"]);
    return { ...(await this.exported()), ...done };
  }

  storedState(): string {
    const stacks = path.join(this.folder, "state/.pulumi");
    const files = readdirSync(stacks, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    return files.map((entry) => readFileSync(path.join(entry.parentPath ?? entry.path, entry.name), "utf8")).join("\n");
  }

  stop(): Promise<void> {
    this.served.forEach(({ stop }) => stop());
    return Promise.resolve();
  }

  private async operate(command: string, args: string[]): Promise<{ operations: Operation[]; log: string }> {
    this.runs += 1;
    const log = path.join(this.folder, `events-${this.runs}.jsonl`);
    const common = [
      "--stack",
      this.stack,
      "--non-interactive",
      "--color",
      "never",
      "--suppress-progress",
      "--event-log",
      log,
    ];
    const options = { cwd: this.project, env: this.environment };
    const { code, stdout, stderr } = await run(this.cli, [command, ...args, ...common], options);
    const events = takeEvents(log);
    if (code !== 0)
      throw new Error(refusal(events) ?? `pulumi ${command} ended with code ${code}:\n${stdout}${stderr}`);
    const operations = operationsOf(events);
    return { operations, log: [stdout, stderr, ...events.map((event) => JSON.stringify(event))].join("\n") };
  }

  private async exported(): Promise<{ resources: RecordedResource[]; outputs: Properties }> {
    const options = { cwd: this.project, env: this.environment };
    const exported = await output(this.cli, ["stack", "export", "--show-secrets", "--stack", this.stack], options);
    const { deployment } = JSON.parse(exported) as { deployment: { resources?: ExportedResource[] } };
    const resources = (deployment.resources ?? [])
      .filter(({ type }) => !type.startsWith("pulumi:providers:"))
      .map(({ urn, type, custom, id, parent, inputs, outputs }): RecordedResource => ({
        urn,
        type,
        name: partsOfUrn(urn).name,
        parent,
        custom,
        id,
        inputs: marked(inputs ?? {}) as Properties,
        outputs: marked(outputs ?? {}) as Properties,
      }));
    const stack = resources.find(({ type }) => type === "pulumi:pulumi:Stack");
    return { resources, outputs: stack?.outputs ?? {} };
  }
}

function passphraseOf({ PULUMI_CONFIG_PASSPHRASE: given }: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return given === undefined ? {} : { PULUMI_CONFIG_PASSPHRASE: given };
}

/** Exported secrets are JSON texts; the rest of the rehearsal knows them as marked values. */
function marked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(marked);
  if (!isObject(value)) return value;
  if (value[specialSigKey] === specialSecretSig) return secret(JSON.parse(value["plaintext"] as string));
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, marked(part)]));
}
