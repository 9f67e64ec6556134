import { createHash, randomBytes } from "node:crypto";
import { cpSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { parse } from "yaml";
import { parseFlakeReference } from "../../components/deploy/flake.mjs";
import type { Driver, RecordedResource, Run } from "../../cli/rehearse/drivers/driver";
import { EngineDriver } from "../../cli/rehearse/drivers/engine";
import { InProcessDriver } from "../../cli/rehearse/drivers/inProcess";
import type { Properties } from "../../cli/rehearse/emulators/values";
import { copyProject, ROOT } from "../../cli/rehearse/project";
import { withoutSecrets } from "../../cli/rehearse/records";
import { closedEnvironment } from "../../cli/rehearse/environment";
import { createFakes, type Fakes } from "../../cli/rehearse/fakes";
import { type Example, OWNER, type Program } from "./definitions";
import { addTypesOfExamples, type Elsewhere } from "./emulators";

/** A program of an example that was run. */
interface Running {
  program: Program;
  driver: Driver;
  config: Record<string, string>;
  previewed: RecordedResource[];
  run: Run;
}

/** What is read of a stack's file. */
interface StackFile {
  config?: Record<string, string>;
}

/**
 * One example in a folder of its own, where its programs run one after the other in one emulated world. Evaluations and
 * deployments are answered here: what a flake evaluates to is tested with Nix.
 */
export class ExampleStage {
  readonly running: Running[] = [];
  readonly deployments: { environment: Record<string, string>; elsewhere: Elsewhere }[] = [];
  readonly fakes: Fakes;
  readonly elsewhere: Elsewhere;
  private readonly folder = realpathSync(mkdtempSync(path.join(tmpdir(), "example-")));
  private readonly examples: string;
  private readonly environment: NodeJS.ProcessEnv;
  /** Where the commands of the program run that is at work. */
  private directory = "";

  /** @param cli a Pulumi CLI; without one the programs run in this process */
  constructor(
    private readonly example: Example,
    private readonly cli?: string,
  ) {
    const project = copyProject(this.folder);
    this.examples = path.join(project, "examples");
    cpSync(path.join(ROOT, "examples", example.name), path.join(this.examples, example.name), { recursive: true });
    for (const flake of [path.join(project, "nix"), path.join(this.examples, example.name, "nix")]) giveOwner(flake);
    this.environment = {
      ...closedEnvironment(this.folder),
      // One for all stacks, as people have it who let one stack read another.
      PULUMI_CONFIG_PASSPHRASE: randomBytes(18).toString("base64url"),
    };
    this.fakes = createFakes(OWNER, {
      directory: project,
      environment: this.environment,
      standIn: (_command, variables) => this.answer(variables),
    });
    this.elsewhere = addTypesOfExamples(this.fakes);
    example.prepare?.(this.fakes);
  }

  /** Previews and updates every program. */
  async up(): Promise<void> {
    for (const program of this.example.programs) {
      const config = this.configOf(program);
      const driver = await this.driverOf(program);
      this.directory = path.join(this.examples, program.folder);
      const previewed = await driver.preview({ config });
      this.running.push({ program, driver, config, previewed, run: await driver.update({ config }) });
    }
  }

  /** Updates every program once more, and tells what each run was before and is now. */
  async again(): Promise<{ before: Run; after: Run }[]> {
    const runs = [];
    for (const running of this.running) {
      this.directory = path.join(this.examples, running.program.folder);
      const before = running.run;
      running.run = await running.driver.update({ config: running.config });
      runs.push({ before, after: running.run });
    }
    return runs;
  }

  /** Destroys every stack, the last one first. */
  async destroy(): Promise<void> {
    for (const { driver, program } of [...this.running].reverse()) {
      this.directory = path.join(this.examples, program.folder);
      await driver.destroy();
    }
  }

  async stop(): Promise<void> {
    this.fakes.stop();
    for (const { driver } of this.running) await driver.stop();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }

  /** The run of the only program, or of the one of a stack. */
  run(stack?: string): Run {
    const found = this.running.filter(({ program }) => stack === undefined || program.stack === stack);
    if (found.length !== 1) throw new Error(`expected one stack ${stack ?? ""}, found ${found.length}`);
    return found[0]!.run;
  }

  private driverOf(program: Program): Promise<Driver> | Driver {
    const folder = path.join(this.examples, program.folder);
    if (this.cli !== undefined) {
      return EngineDriver.start(this.cli, folder, this.folder, this.environment, this.fakes, program.stack);
    }
    const others = Object.fromEntries(
      this.running.map(({ program, run }) => [
        `organization/${projectName(path.join(this.examples, program.folder))}/${program.stack}`,
        withoutSecrets(run.outputs) as Properties,
      ]),
    );
    return new InProcessDriver(folder, this.fakes, "as the test asks for", { name: program.stack, others });
  }

  /** The stack's own file, what every example needs, and the keys that a person has to set. */
  private configOf(program: Program): Record<string, string> {
    const folder = path.join(this.examples, program.folder);
    const file = path.join(folder, `Pulumi.${program.stack}.yaml`);
    const own = existsSync(file) ? (parse(readFileSync(file, "utf8")) as StackFile).config : {};
    const asked = Object.entries(program.config?.(this.fakes) ?? {});
    const namespace = projectName(folder);
    const set = Object.fromEntries(asked.map(([key, value]) => [`${namespace}:${key}`, value]));
    return { "aws:region": "us-east-1", "github:owner": OWNER, ...own, ...set };
  }

  private answer(variables: Record<string, string>) {
    const reference = variables["EVALUATE_FLAKE"] ?? variables["DEPLOY_FLAKE"];
    if (reference === undefined) return undefined;
    const { folder, attribute } = parseFlakeReference(reference);
    const place = path.join(this.directory, folder ?? "");
    if (!existsSync(path.join(place, "flake.nix"))) throw new Error(`there is no flake in ${place}`);
    const hash = createHash("sha256").update(`${place}#${attribute}`).digest("hex").slice(0, 32);
    const system = `/nix/store/${hash}-nixos-system-${attribute}`;
    if (variables["EVALUATE_FLAKE"] !== undefined) return { stdout: `${system}.drv\n`, stderr: "" };
    this.deployments.push({ environment: variables, elsewhere: new Map(this.elsewhere) });
    return { stdout: JSON.stringify({ systemPath: system, changed: true, rebooted: false }), stderr: "" };
  }
}

/** Type, without its module, and name of each resource but the stack, sorted. */
export function rows(resources: RecordedResource[]): string[] {
  return resources
    .filter(({ type }) => !["pulumi:pulumi:Stack", "pulumi:pulumi:StackReference"].includes(type))
    .map(({ type, name }) => `${type.split(":").pop()} ${name}`)
    .sort();
}

function projectName(folder: string): string {
  return (parse(readFileSync(path.join(folder, "Pulumi.yaml"), "utf8")) as { name: string }).name;
}

/** As a person does first: the repository gets its owner. */
function giveOwner(flake: string): void {
  const file = path.join(flake, "repository.json");
  if (!existsSync(file)) return;
  const repository = JSON.parse(readFileSync(file, "utf8")) as object;
  writeFileSync(file, JSON.stringify({ ...repository, owner: OWNER }));
}
