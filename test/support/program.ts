import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import * as path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { parse } from "yaml";
import { withKeys } from "../../cli/common/stackFile";
import { typed } from "../../cli/rehearse/drivers/engineRun";
import { type Cloud, cloud, withoutRepository } from "./cloud";
import { refusal, type Refusal, run, type Run } from "./mocks";

const load = createRequire(__filename);
const ROOT = path.resolve(__dirname, "../..");

/** One key of the configuration, as Pulumi.yaml describes it. */
export interface ConfigKey {
  type: string;
  description?: string;
  default?: unknown;
}

/** The configuration's schema in Pulumi.yaml. */
export function configSchema(): Record<string, ConfigKey> {
  const { config } = parse(readFileSync(path.join(ROOT, "Pulumi.yaml"), "utf8")) as {
    config: Record<string, ConfigKey>;
  };
  return config;
}

/** What the engine gives a program that configures nothing: the defaults of Pulumi.yaml, texts as they are, else JSON. */
export function defaultConfig(): Record<string, string> {
  const values = Object.entries(configSchema()).map(([key, { default: value }]): [string, string] => [
    `pulumi-nixos:${key}`,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  return Object.fromEntries(values);
}

/** The configuration as the engine hands it over. */
function withPaths(config: Record<string, string>): Record<string, string> {
  const own = Object.entries(config).filter(([key]) => /^pulumi-nixos:\w+\./.test(key));
  const others = Object.entries(config).filter(([key]) => !/^pulumi-nixos:\w+\./.test(key));
  const values = own.map(([key, value]) => [key.slice("pulumi-nixos:".length), typed(value)]);
  const whole = { ...defaultConfig(), ...Object.fromEntries(others) } as Record<string, string>;
  return withKeys(whole, "pulumi-nixos:", Object.fromEntries(values) as Record<string, unknown>);
}

/** What varies between the runs of the program. */
export interface Choices {
  /** Keys of the project with their paths, and texts or JSON; beside the defaults of Pulumi.yaml. */
  config?: Record<string, string>;
  repository?: { owner: string; name: string; branch: string; access: string };
  preview?: boolean;
}

/** A copy of the program in a folder of its own, with a repository.json that is filled in. */
export class Project {
  readonly folder = realpathSync(mkdtempSync(path.join(tmpdir(), "program-spec-")));

  constructor() {
    for (const part of ["index.ts", "components", "program"]) {
      cpSync(path.join(ROOT, part), path.join(this.folder, part), { recursive: true });
    }
    mkdirSync(path.join(this.folder, "nix"));
    symlinkSync(path.join(ROOT, ".github"), path.join(this.folder, ".github"));
    symlinkSync(path.join(ROOT, "node_modules"), path.join(this.folder, "node_modules"));
  }

  /** Runs the real index.ts, whole, in its project's folder. */
  async run(choices: Choices = {}): Promise<Run<Record<string, unknown>> & { cloud: Cloud }> {
    const answers = cloud();
    // Before the first update nothing is there.
    const adopts = choices.config?.["pulumi-nixos:repository.create"] === "false";
    if (choices.preview && !adopts) withoutRepository(answers);
    const outcome = await this.inside(choices, (program) => run(answers, program, choices.preview));
    return { ...outcome, cloud: answers };
  }

  /** Runs the real index.ts, which must fail. */
  refusal(choices: Choices = {}): Promise<Refusal> {
    return this.inside(choices, (program) => refusal(cloud(), program));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }

  private async inside<T>(choices: Choices, use: (program: () => Promise<Record<string, unknown>>) => Promise<T>) {
    const repository = choices.repository ?? { owner: "octo", name: "server", branch: "main", access: "deploy-key" };
    writeFileSync(path.join(this.folder, "nix/repository.json"), JSON.stringify(repository));
    const before = process.cwd();
    process.chdir(this.folder);
    try {
      return await use(async () => {
        pulumi.runtime.setAllConfig(withPaths(choices.config ?? {}));
        return (await pulumi.runtime.runInPulumiStack(() => Promise.resolve(this.load()))) as Record<string, unknown>;
      });
    } finally {
      process.chdir(before);
      pulumi.runtime.setAllConfig({});
    }
  }

  /** The program's module, evaluated again in each run. */
  private load(): unknown {
    for (const file of Object.keys(load.cache)) {
      if (file.startsWith(this.folder + path.sep)) delete load.cache[file];
    }
    return load(path.join(this.folder, "index.ts")) as unknown;
  }
}
