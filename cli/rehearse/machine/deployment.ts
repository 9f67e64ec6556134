import { spawn, type ChildProcess } from "node:child_process";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "./client";
import type { Machine } from "./machine";
import type { Project } from "./project";
import { WAIT_SECONDS } from "../limits.cjs";
import { until } from "../until";
import { output, run, type Result } from "../processes";

/** What a test deploys, from where and to where. */
export interface Setting {
  client: Client;
  machine: Machine;
  project: Project;
  /** The port that the deployment talks to (default: the machine's own). */
  port?: number;
}

/**
 * The environment of the deployment program, with its usual time to confirm and generous others: a test about what
 * happens when a time is over sets that time. `inputs` replaces single values ("" stays empty, undefined takes the
 * variable away).
 */
export function deploymentEnvironment(setting: Setting, inputs: Inputs = {}): NodeJS.ProcessEnv {
  const { client, machine, port = machine.port } = setting;
  return {
    ...client.env,
    DEPLOY_HOST: machine.host,
    DEPLOY_PORT: String(port),
    DEPLOY_HOST_KEY: machine.hostPublicKey,
    DEPLOY_PRIVATE_KEY: machine.login.privateKey,
    DEPLOY_FLAKE: "path:./nix#default",
    DEPLOY_BUILD_ON: "host",
    DEPLOY_SUBSTITUTE: "true",
    DEPLOY_CONFIRM_SECONDS: "60",
    DEPLOY_SWITCH_SECONDS: "300",
    DEPLOY_WAIT_SECONDS: "300",
    ...inputs,
  };
}

export type Inputs = Record<`DEPLOY_${string}`, string | undefined>;

/** Evaluates an attribute of the project's flake as a preview does; the result as the program prints it. */
export async function evaluate(
  setting: Setting,
  attribute = "default",
  inputs: NodeJS.ProcessEnv = {},
): Promise<Result> {
  const { client, project } = setting;
  const env = {
    ...client.env,
    EVALUATE_FLAKE: `path:./nix#${attribute}`,
    EVALUATE_MODE: "nix",
    EVALUATE_CACHE: "true",
    ...inputs,
  };
  return await run(
    ...client.command(project.folder, "node", [path.join(project.folder, "components/deploy/evaluate.mjs")]),
    {
      env,
    },
  );
}

/** A deployment that runs. */
export class Deployment {
  private readonly child: ChildProcess;
  private readonly started = Date.now();
  private readonly ended: Promise<void>;
  private milliseconds = 0;
  stdout = "";
  stderr = "";

  private constructor(
    setting: Setting,
    env: NodeJS.ProcessEnv,
    program = path.join(setting.project.folder, "components/deploy/deploy.mjs"),
  ) {
    const { client, project } = setting;
    this.child = spawn(...client.command(project.folder, "node", [program]), {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stdout?.setEncoding("utf8").on("data", (chunk: string) => (this.stdout += chunk));
    this.child.stderr?.setEncoding("utf8").on("data", (chunk: string) => (this.stderr += chunk));
    this.ended = new Promise((resolve, reject) => {
      this.child.on("error", reject);
      this.child.on("close", () => {
        this.milliseconds = Date.now() - this.started;
        resolve();
      });
    });
  }

  /** Starts one, with the project's program or another; `attribute` is evaluated first where the inputs name no derivation, as the component does. */
  static async start(
    setting: Setting,
    attribute = "default",
    inputs: Inputs = {},
    program?: string,
  ): Promise<Deployment> {
    const derivation =
      "DEPLOY_DERIVATION" in inputs ? {} : { DEPLOY_DERIVATION: await derivationOf(setting, attribute) };
    const flake = `path:./nix#${attribute}`;
    return new Deployment(
      setting,
      deploymentEnvironment(setting, { DEPLOY_FLAKE: flake, ...derivation, ...inputs }),
      program,
    );
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Waits for the end. */
  async result(): Promise<Result> {
    const late = sleep(WAIT_SECONDS * 1000, "late", { ref: false });
    if ((await Promise.race([this.ended, late])) === "late") {
      this.child.kill("SIGKILL");
      throw new Error(`the deployment is not done after ${WAIT_SECONDS} s:\n${this.stderr}`);
    }
    const { exitCode: code, signalCode: signal } = this.child;
    return { code, signal, stdout: this.stdout, stderr: this.stderr, milliseconds: this.milliseconds };
  }

  /** Waits until a condition holds, while the deployment runs. */
  async until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    await until(`${what} (while the deployment runs)`, condition, () =>
      this.running ? undefined : `the deployment has ended:\n${this.stderr}`,
    );
  }
}

/** The derivation path of an attribute; without the program under test, which has tests of its own. */
async function derivationOf(setting: Setting, attribute: string): Promise<string> {
  const { client, project } = setting;
  const installable = `path:./nix#nixosConfigurations.${attribute}.config.system.build.toplevel.drvPath`;
  return await output(...client.command(project.folder, "nix", ["eval", "--no-eval-cache", "--raw", installable]), {
    env: client.env,
  });
}

/** Starts a deployment and waits for its end. */
export async function deploy(setting: Setting, attribute = "default", inputs: Inputs = {}): Promise<Result> {
  return (await Deployment.start(setting, attribute, inputs)).result();
}
