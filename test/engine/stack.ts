import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "mocha";
import type { Operation } from "../../cli/rehearse/drivers/driver";
import { partsOfUrn } from "../../cli/render/change";
import {
  type EngineEvent,
  engineEnvironment,
  operationsOf,
  refusal,
  takeEvents,
  typed,
  writeConfiguration,
} from "../../cli/rehearse/drivers/engineRun";
import { withKeys } from "../../cli/common/stackFile";
import { serve, type Served } from "../../cli/rehearse/emulators/serve";
import { onAnyEnd } from "../../cli/rehearse/processes";
import { copyProject } from "../../cli/rehearse/project";
import { closedEnvironment } from "../../cli/rehearse/environment";
import { createFakes, type Fakes } from "../../cli/rehearse/fakes";
import { requireEngine } from "../support/engine";
import { WAIT_MILLISECONDS } from "../../cli/rehearse/limits.cjs";
import { Deployments } from "./deployments";
import { realProviders } from "./realProviders";
import { restoreFolder, restoreServices, type Snapshot, take } from "./snapshot";
import { Watch, WatchedOperations } from "./watch";

const STACK = "suite";
const OWNER = "example";

/** The components of what can be imported. */
const IMPORTED: Record<string, RegExp> = {
  "github:index/repository:Repository": /nixos:index:ProtectedRepository::[^:]*$/,
  "aws:ec2/instance:Instance": /nixos:index:NixosInstance::[^:]*$/,
};

/** What became of each of the providers' resources that did not stay the same, by its name. */
export type Changes = Record<string, "create" | "update" | "replace" | "delete" | "read" | "import">;

/** One run of the CLI. */
export interface CliRun {
  code: number;
  /** All that was printed. */
  printed: string;
  /** What the engine reported as errors. */
  errors: string;
  /** What was done, or what a preview would do; of an `up` with a preview, what was done. */
  changes: Changes;
}

/** A run that goes on. */
export interface RunningCli {
  signal: (signal: NodeJS.Signals) => void;
  end: Promise<CliRun>;
  printed: () => string;
}

/** One resource of the exported state. */
export interface StateResource {
  urn: string;
  parent?: string;
  type: string;
  custom: boolean;
  id?: string;
  inputs?: Record<string, unknown>;
  outputs?: Record<string, unknown>;
}

/** A stack of the unchanged program: a real engine on a file backend, with emulated providers attached to it. */
export class EngineStack {
  /** All that was printed so far. */
  readonly printed: string[] = [];
  config: Record<string, string> = {
    "aws:region": "us-east-1",
    "github:owner": OWNER,
    "pulumi-nixos:repository": '{"githubPlan":"paid"}',
    // Evaluating with a real Nix is tested elsewhere, and takes seconds.
    "pulumi-nixos:deployment": '{"evaluate":false}',
  };
  private runs = 0;
  private readonly running = new Set<ChildProcess>();
  /** Takes back what was to be done if the tests ended before this stack is stopped. */
  private readonly stayOpen: () => void;

  private constructor(
    readonly folder: string,
    readonly project: string,
    readonly environment: NodeJS.ProcessEnv,
    readonly fakes: Fakes,
    readonly watch: Watch,
    readonly deployments: Deployments,
    private readonly cli: string,
    private readonly served: Served[],
  ) {
    this.stayOpen = onAnyEnd(() => this.stop());
  }

  /** A stack in which nothing is yet. From a `before` hook: skips the suite where there is no engine. */
  static async start(context: Context): Promise<EngineStack> {
    const stack = await EngineStack.open(await requireEngine(context));
    stack.editRepositoryFile({ owner: OWNER });
    await stack.succeed("stack", "init", STACK);
    return stack;
  }

  /** A stack after its first update, which is made once and copied. */
  static async settled(context: Context): Promise<EngineStack> {
    const cli = await requireEngine(context);
    settled ??= EngineStack.start(context).then(async (stack) => {
      await stack.up();
      const snapshot = take(stack);
      onAnyEnd(() => removeFolder(snapshot.folder));
      stack.stop();
      return snapshot;
    });
    return EngineStack.open(cli, await settled);
  }

  private static async open(cli: string, snapshot?: Snapshot): Promise<EngineStack> {
    const real = realProviders(path.dirname(cli));
    const folder = realpathSync(mkdtempSync(path.join(tmpdir(), "engine-")));
    if (snapshot !== undefined) restoreFolder(snapshot, folder);
    const project = snapshot === undefined ? copyProject(folder) : path.join(folder, "project");
    const closed = closedEnvironment(folder);
    const deployments = new Deployments(folder);
    const environment = { ...closed, PATH: `${deployments.bin}${path.delimiter}${closed["PATH"] ?? ""}` };
    const fakes = createFakes(OWNER, { directory: project, environment });
    if (snapshot !== undefined) restoreServices(snapshot, fakes);
    const watch = new Watch();
    const emulated = Object.values(fakes.providers).filter(({ provider }) => !real.includes(provider.name));
    const served = await Promise.all(emulated.map(({ provider }) => serve(new WatchedOperations(provider, watch))));
    const attached = emulated.map(({ provider }, at) => `${provider.name}:${served[at]!.port}`);
    const complete = engineEnvironment(cli, folder, environment, attached);
    if (snapshot !== undefined) complete["PULUMI_CONFIG_PASSPHRASE"] = snapshot.passphrase;
    return new EngineStack(folder, project, complete, fakes, watch, deployments, cli, served);
  }

  stop(): void {
    this.stayOpen();
    this.running.forEach((child) => child.kill("SIGKILL"));
    this.fakes.stop();
    this.served.forEach(({ stop }) => stop());
    removeFolder(this.folder);
  }

  up(...args: string[]): Promise<CliRun> {
    return this.succeed("up", "--yes", "--skip-preview", ...args);
  }

  /** Starts a command of the CLI, such as `up`. */
  begin(command: string, ...args: string[]): RunningCli {
    writeConfiguration(this.project, STACK, this.config);
    this.runs += 1;
    const events = path.join(this.folder, `events-${this.runs}.jsonl`);
    const operates = ["up", "preview", "refresh", "destroy", "import"].includes(command);
    const quiet = ["--non-interactive", "--color", "never"];
    const told = operates ? ["--suppress-progress", "--event-log", events] : [];
    // Which stack is selected is not part of a snapshot.
    if (command !== "stack" || args[0] !== "init") told.push("--stack", STACK);
    const child = spawn(this.cli, [command, ...args, ...quiet, ...told], {
      cwd: this.project,
      env: this.environment,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: WAIT_MILLISECONDS,
      killSignal: "SIGKILL",
    });
    this.running.add(child);
    let printed = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (printed += text));
    const end = new Promise<CliRun>((resolve, reject) => {
      child.on("error", reject);
      // Not "close": what a killed engine leaves running keeps its pipes open.
      child.on("exit", (code) => {
        void silence(() => printed.length).then(() => {
          this.running.delete(child);
          this.printed.push(printed);
          const happened = takeEvents(events);
          resolve({
            code: code ?? 1,
            printed,
            errors: refusal(happened) ?? printed,
            changes: changesOf(operationsOf(lastPart(happened))),
          });
        });
      });
    });
    return { signal: (signal) => child.kill(signal), end, printed: () => printed };
  }

  run(command: string, ...args: string[]): Promise<CliRun> {
    return this.begin(command, ...args).end;
  }

  async succeed(command: string, ...args: string[]): Promise<CliRun> {
    const run = await this.run(command, ...args);
    if (run.code === 0) return run;
    throw new Error(`pulumi ${command} ${args.join(" ")} ended with code ${run.code}:\n${run.printed}`);
  }

  async fail(command: string, ...args: string[]): Promise<CliRun> {
    const run = await this.run(command, ...args);
    if (run.code !== 0) return run;
    throw new Error(`pulumi ${command} ${args.join(" ")} should have failed:\n${run.printed}`);
  }

  /** Imports what is there into the component of the same name, or into the one that is given by its URN. */
  async adopt(type: string, name: string, id: string, component?: string): Promise<CliRun> {
    const parent =
      component ?? (await this.state()).find(({ urn, custom }) => !custom && IMPORTED[type]?.test(urn))?.urn;
    if (parent === undefined) throw new Error(`there is no component for ${type}`);
    const into = ["--parent", `component=${parent}`];
    const plain = ["--protect=false", "--generate-code=false", "--yes", "--skip-preview"];
    return this.succeed("import", type, name, id, ...into, ...plain);
  }

  /** The state as it is stored, secrets encrypted. */
  async state(): Promise<StateResource[]> {
    const { printed } = await this.succeed("stack", "export");
    const { deployment } = JSON.parse(printed) as { deployment: { resources?: StateResource[] } };
    return deployment.resources ?? [];
  }

  /** The state with its secrets in plain text, which is kept out of what was printed. */
  async stateWithSecrets(): Promise<StateResource[]> {
    const { printed } = await this.succeed("stack", "export", "--show-secrets");
    this.printed.splice(this.printed.indexOf(printed), 1);
    const { deployment } = JSON.parse(printed) as { deployment: { resources: StateResource[] } };
    return deployment.resources;
  }

  /** What the engine had begun when it was last killed, as far as its state tells. */
  async pending(): Promise<{ resource: StateResource; type: string }[]> {
    const { printed } = await this.succeed("stack", "export");
    const { deployment } = JSON.parse(printed) as {
      deployment: { pending_operations?: { resource: StateResource; type: string }[] };
    };
    return deployment.pending_operations ?? [];
  }

  /** The URN of a provider's resource, by its name. */
  async urn(name: string): Promise<string> {
    const found = (await this.state()).filter(({ urn, custom }) => custom && partsOfUrn(urn).name === name);
    if (found.length !== 1) throw new Error(`expected one resource ${name}, found ${found.length}`);
    return found[0]!.urn;
  }

  /** Sets keys by their paths, and those of the last version by their names; undefined takes one away. */
  configure(values: Record<string, string | undefined>): void {
    const given = Object.entries(values).map(([path, value]): [string, unknown] => [
      path,
      path.includes(".") && value !== undefined ? typed(value) : value,
    ]);
    this.config = withKeys(this.config, "pulumi-nixos:", Object.fromEntries(given));
  }

  editRepositoryFile(values: Record<string, string>): void {
    this.edit("nix/repository.json", (text) =>
      JSON.stringify({ ...(JSON.parse(text) as Record<string, string>), ...values }, null, 2),
    );
  }

  /** Changes a file of the copied project. */
  edit(file: string, change: (text: string) => string): void {
    const place = path.join(this.project, file);
    writeFileSync(place, change(readFileSync(place, "utf8")));
  }

  /** Gives the flake another system. */
  editSystem(): void {
    this.edit("nix/www/index.html", (text) => `${text}<!-- ${randomBytes(4).toString("hex")} -->\n`);
  }
}

/** Waits until what a program had written is read: for several turns, as a busy computer reads nothing in one. */
async function silence(length: () => number): Promise<void> {
  for (let calm = 0; calm < 5;) {
    const before = length();
    await sleep(5);
    calm = length() === before ? calm + 1 : 0;
  }
}

let settled: Promise<Snapshot> | undefined;

function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}

/** An `up` with a preview tells both, each with a summary at its end. */
function lastPart(events: EngineEvent[]): EngineEvent[] {
  const ends = events.flatMap(({ summaryEvent }, at) => (summaryEvent === undefined ? [] : [at]));
  return ends.length < 2 ? events : events.slice(ends[0]! + 1);
}

function changesOf(operations: Operation[]): Changes {
  const changed = operations.filter(({ custom, operation }) => custom && !["same", "refresh"].includes(operation));
  const all = changed.map(({ urn, operation }): [string, Changes[string]] => [
    partsOfUrn(urn).name,
    // A replacement is told in three steps.
    operation.includes("replace") ? "replace" : (operation as Changes[string]),
  ]);
  return Object.fromEntries(all);
}
