import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import type { Driver, Run } from "./drivers/driver";
import { EngineDriver } from "./drivers/engine";
import { findEngine } from "./drivers/findEngine";
import { InProcessDriver } from "./drivers/inProcess";
import { type Evaluation, findEvaluation } from "./evaluation";
import { SecretsCommands } from "./secretsCommands";
import type { Rehearsed } from "./steps";
import type { LoopbackMachines } from "./loopback";
import { endAll, onAnyEnd } from "./processes";
import { copyProject, configured, ROOT } from "./project";
import { holdsPrivateKey } from "./records";
import { changesOfSteps, deploymentOf, totals, treeOf, userDataOf, verdictTable } from "./report";
import { closedEnvironment } from "./environment";
import type { PullRequestOptions } from "./pullRequests";
import { type Verdict, Verdicts } from "./verdicts";
import { type Step, runSteps } from "./runner";
import { createFakes } from "./fakes";

export interface RehearsalOptions {
  /** Leaves the temporary folder behind. */
  keep: boolean;
  /** False runs the program in this process even where there is an engine. */
  engine: boolean;
  /** False only notes the deployments even where there can be a machine. */
  machine: boolean;
  /** Takes each line for the person who watches. */
  say: (line: string) => void;
}

export interface Rehearsal {
  held: boolean;
  driver: "engine" | "in process";
  evaluation: "nix" | "hash";
  seconds: number;
  steps: Omit<Step, "updates">[];
  resources: { name: string; type: string }[];
  verdicts: Verdict[];
  /** The temporary folder, if it was kept. */
  folder?: string;
}

/** The owner in whose name the rehearsal runs while nix/repository.json has none. */
const OWNER = "example";

/** Walks the whole life of the stack in a temporary folder, without any account. */
export async function rehearse({ keep, engine, machine, say }: RehearsalOptions): Promise<Rehearsal> {
  const begin = performance.now();
  // Links in the temporary folder's path would make two names of one module.
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), "rehearsal-")));
  const remove = () => {
    if (!keep) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  };
  const undo = onAnyEnd(() => {
    endAll();
    remove();
  });
  const environment = closedEnvironment(folder);
  const project = copyProject(folder);
  const owner = prepare(project);
  const [search, evaluation] = await Promise.all([
    engine ? findEngine(ROOT, say) : { reason: "as asked for" },
    findEvaluation(project, environment),
  ]);
  // What the machines of this computer keep belongs to the rehearsal too.
  process.env["TMPDIR"] = environment["TMPDIR"];
  const noMachine = machine ? await whyNoMachine() : "as asked for";
  const deployments: Rehearsed["deployments"] = [];
  let machines: LoopbackMachines | undefined;
  let taken: PullRequestOptions["taken"];
  const fakes = createFakes(owner, {
    directory: project,
    environment,
    standIn: (_command, variables) => {
      if (variables["DEPLOY_HOST"] === undefined) return undefined;
      deployments.push({ environment: variables });
      if (machines !== undefined) return machines.deploy(variables);
      return { stdout: JSON.stringify({ systemPath: standInSystem(), changed: true, rebooted: false }), stderr: "" };
    },
  });
  const driver: Driver =
    "cli" in search
      ? await EngineDriver.start(search.cli, project, folder, environment, fakes)
      : new InProcessDriver(project, fakes, search.reason);
  try {
    if (noMachine === undefined) {
      const loopback = await import("./loopback.js");
      machines = await loopback.LoopbackMachines.start(fakes.ec2, path.join(project, "nix"));
      // It depends on nothing else here and mostly waits.
      taken = loopback.takeByUpgrade(folder);
      // Whoever awaits it hears of a failure; until then it is nobody's.
      taken.catch(() => {});
    }
    say(`The program is run ${driver.description}.`);
    say(`${evaluation.description}.`);
    say(
      noMachine === undefined
        ? "Deployments really run, on machines on this computer that get a stub system."
        : `Deployments are only noted: ${noMachine}.`,
    );
    say("AWS, GitHub, keys and commands are emulated; no account is used. Everything happens in a temporary folder.");
    say("");
    const missing = await SecretsCommands.whatIsMissing(environment);
    const rehearsed: Rehearsed = {
      driver,
      fakes,
      project,
      deployments,
      verdicts: new Verdicts(driver.kind === "engine"),
      config: configuration(owner, evaluation),
      machines: noMachine === undefined ? machines! : { noMachine },
      secretsCommands: missing === undefined ? new SecretsCommands(project, environment, () => rehearsed) : { missing },
      run: undefined,
      updates: [],
    };
    const steps = await runSteps(rehearsed, { folder, environment, evaluation, noMachine, taken }, say);
    rehearsed.verdicts.begin("report");
    const told = rehearsed.run === undefined ? [] : describe(rehearsed.run, steps);
    rehearsed.verdicts.program("this report shows no private key", () => assert.ok(!holdsPrivateKey(told.join("\n"))));
    [...told, ...section("Checks", verdictTable(rehearsed.verdicts.all))].forEach(say);
    const seconds = (performance.now() - begin) / 1000;
    const held = rehearsed.verdicts.failures.length === 0;
    say("");
    totals(rehearsed.verdicts.all).forEach(say);
    say(`${seconds.toFixed(1)} s${keep ? `; everything is in ${folder}` : ""}`);
    return {
      held,
      driver: driver.kind,
      evaluation: evaluation.mode,
      seconds: Number(seconds.toFixed(1)),
      steps: steps.map(({ name, title, seconds, summary }) => ({ name, title, seconds, summary })),
      resources: (rehearsed.run?.resources ?? []).map(({ name, type }) => ({ name, type })),
      verdicts: rehearsed.verdicts.all,
      ...(keep ? { folder } : {}),
    };
  } finally {
    fakes.stop();
    await driver.stop();
    await Promise.allSettled([machines?.stop(), taken]);
    undo();
    remove();
  }
}

/** The bench is loaded only here: it needs what few computers have. */
async function whyNoMachine(): Promise<string | undefined> {
  return (await import("./loopback.js")).whyNoMachine();
}

/** Lets the copy begin as every stack does: with an owner, and with a deploy key. Returns the owner. */
function prepare(project: string): string {
  const file = path.join(project, "nix/repository.json");
  const repository = JSON.parse(readFileSync(file, "utf8")) as { owner: string };
  const owner = repository.owner || OWNER;
  writeFileSync(file, `${JSON.stringify({ ...repository, owner, access: "deploy-key" }, null, 2)}\n`);
  return owner;
}

function configuration(owner: string, evaluation: Evaluation): Record<string, string> {
  const providers = { "aws:region": "us-east-1", "github:owner": owner };
  return configured(providers, {
    "repository.githubPlan": "paid",
    "deployment.evaluate": evaluation.mode === "nix",
  });
}

/** Where there is no machine, a deployment is only noted; it then "installs" a path that says so. */
function standInSystem(): string {
  return `/nix/store/${randomBytes(16).toString("hex")}-nixos-system-not-installed`;
}

/** What was made, for a person. */
function describe(run: Run, steps: Step[]): string[] {
  return [
    ...section("Changes of each step", changesOfSteps(steps)),
    ...section("Resources, before the end", treeOf(run)),
    ...section("User data of the machine", userDataOf(run)),
    ...section("Deployment, the last one", deploymentOf(run)),
  ];
}

function section(title: string, lines: string[]): string[] {
  return ["", title, ...lines.map((line) => `  ${line}`)];
}
