/**
 * Records previews of the real program by a real engine, with the rehearsal's emulated providers, into recorded/.
 * Run by hand where `pulumi` is on PATH: `npx tsx test/preview/record.ts`. The specs read what it wrote.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import type { Written } from "../../cli/rehearse/emulators/command";
import { serve } from "../../cli/rehearse/emulators/serve";
import { copyProject, ROOT } from "../../cli/rehearse/project";
import { createFakes } from "../../cli/rehearse/fakes";

const RECORDED = path.join(__dirname, "recorded");

const DERIVATIONS = {
  before: "/nix/store/6vj9bn1hq0lq4vxp5c0m8c9c8k2r7s3d-nixos-system-nixos-26.05.20260902.a5cc6f2.drv",
  after: "/nix/store/w1z0kdl2f3a9m7h5y8i4r6x2c1b0n9vq-nixos-system-nixos-26.05.20260902.a5cc6f2.drv",
};

/** Undefined: the flake is really evaluated. */
let evaluation: string | undefined = DERIVATIONS.before;

/** Deployments and whole evaluations need a machine and the network; only their answers matter here. */
function standIn(command: string): Written | undefined {
  if (evaluation === undefined) return undefined;
  if (command.includes("evaluate")) return { stdout: evaluation, stderr: "" };
  return { stdout: JSON.stringify({ systemPath: systemOf(evaluation), changed: true, rebooted: false }), stderr: "" };
}

function systemOf(derivation: string): string {
  return derivation.replace(/\.drv$/, "");
}

async function main(): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), "record-"));
  const project = copyProject(folder);
  writeFileSync(
    path.join(project, "nix/repository.json"),
    JSON.stringify({ owner: "example", name: "server", branch: "main", access: "deploy-key" }),
  );
  writeFileSync(path.join(project, "Pulumi.dev.yaml"), "config:\n  aws:region: us-east-1\n");
  mkdirSync(path.join(folder, "state"));

  const fakes = createFakes("example", {
    directory: project,
    environment: { PATH: process.env["PATH"], HOME: folder },
    standIn,
  });
  const served = await Promise.all(
    Object.entries(fakes.providers).map(async ([name, provider]) => ({ name, ...(await serve(provider)) })),
  );
  const environment = {
    ...process.env,
    PULUMI_HOME: path.join(folder, "home"),
    PULUMI_BACKEND_URL: `file://${path.join(folder, "state")}`,
    PULUMI_CONFIG_PASSPHRASE: randomBytes(16).toString("hex"),
    PULUMI_DEBUG_PROVIDERS: served.map(({ name, port }) => `${name}:${port}`).join(","),
    PULUMI_DEBUG_COMMANDS: "true",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
  };
  const pulumi = (...args: string[]) =>
    new Promise<{ status: number | null; stdout: string; stderr: string }>((resolve, reject) => {
      const streaming = args.includes("--policy-pack") ? { PULUMI_ENABLE_STREAMING_JSON_PREVIEW: "true" } : {};
      const env = { ...environment, ...streaming };
      const child = spawn("pulumi", [...args, "--non-interactive"], { cwd: project, env });
      let [stdout, stderr] = ["", ""];
      child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
      child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
      child.on("error", reject);
      child.on("close", (status) => resolve({ status, stdout, stderr }));
    });
  const must = async (...args: string[]) => {
    const { status, stdout, stderr } = await pulumi(...args);
    if (status !== 0) throw new Error(`pulumi ${args.join(" ")} failed:\n${stdout}${stderr}`);
  };
  const scrub = (text: string) => text.replaceAll(project, "/project").replaceAll(ROOT, "/project");
  const writeEvents = (name: string, lines: string) => {
    const events = scrub(lines).trim().split("\n");
    write(`${name}.events.jsonl`, events.map((line) => JSON.parse(line) as Json).filter(isFitToKeep));
  };
  const record = async (name: string, ...args: string[]) => {
    const log = path.join(folder, `${name}.events`);
    const { status, stdout } = await pulumi("preview", "--json", "--event-log", log, ...args);
    write(`${name}.json`, [JSON.parse(scrub(stdout))]);
    writeEvents(name, readFileSync(log, "utf8"));
    console.log(`${name}: exit code ${status}`);
  };
  /** Events alone: the other form says nothing of policies. */
  const recordPolicies = async (name: string, decided: object, ...args: string[]) => {
    const file = path.join(folder, "policy.json");
    writeFileSync(file, JSON.stringify(decided));
    const pack = ["--policy-pack", path.join(ROOT, "policy"), "--policy-pack-config", file];
    const { status, stdout } = await pulumi("preview", "--json", ...pack, ...args);
    writeEvents(name, stdout);
    console.log(`${name}: exit code ${status}`);
  };

  const configured = (...keys: string[]) => ["--config-path", ...keys.flatMap((key) => ["-c", `pulumi-nixos:${key}`])];

  try {
    mkdirSync(RECORDED, { recursive: true });
    await must("stack", "init", "dev");
    await record("create");
    // The warning about plans is in the first recording; nine of them say no more.
    await must("config", "set", "--path", "pulumi-nixos:repository.githubPlan", "paid");
    await must("up", "--yes", "--skip-preview");
    await record("no-effect");
    evaluation = DERIVATIONS.after;
    await record("page");
    evaluation = DERIVATIONS.before;
    await record("instance-type", ...configured("machine.instanceType=t3.medium"));
    await must("config", "rm", "--path", "pulumi-nixos:machine.instanceType");
    await record("replace", ...configured(`machine.amiId=${fakes.ec2.images[0]!.id}`));
    await must("config", "rm", "--path", "pulumi-nixos:machine.amiId");
    await record("network", ...configured(`machine.subnetId=${fakes.ec2.subnets.at(-1)!.id}`));
    await must("config", "rm", "--path", "pulumi-nixos:machine.subnetId");
    await record("delete", ...configured("repository.branchProtection=off"));
    await must("config", "rm", "--path", "pulumi-nixos:repository.branchProtection");
    // One rule of each kind: it blocks, it advises, it has to wait for the update.
    const open = configured("repository.visibility=public", "integration.cache=true");
    await recordPolicies("policies", { "repository-private": "mandatory" }, ...open);
    for (const path of ["repository.visibility", "integration.cache"])
      await must("config", "rm", "--path", `pulumi-nixos:${path}`);
    evaluation = undefined;
    // Nix stops at the missing semicolon, before it needs anything from the network.
    const flake = path.join(project, "nix/flake.nix");
    writeFileSync(flake, readFileSync(flake, "utf8").replace(/^( {2}description = ".*");$/m, "$1"));
    await record("broken-flake");
  } finally {
    for (const server of served) server.stop();
    fakes.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

type Json = Record<string, unknown>;

/** Debug messages hold private keys in plain text, and the rest of what is dropped is of this computer only. */
function isFitToKeep(event: Json): boolean {
  const diagnostic = event["diagnosticEvent"] as { severity: string } | undefined;
  if (["resOutputsEvent", "policyAnalyzeSummaryEvent", "policyRemediateSummaryEvent"].some((kind) => kind in event))
    return false;
  return diagnostic?.severity !== "debug" && !isAboutThisComputer(diagnostic);
}

function isAboutThisComputer(diagnostic: unknown): boolean {
  return /using pulumi-resource-\S+ from \$PATH/.test(JSON.stringify(diagnostic ?? ""));
}

/** What no reader looks at, and what differs from computer to computer. */
const DROPPED = ["stackTrace", "sourcePosition", "dependencies", "propertyDependencies", "created", "modified"];

function write(file: string, values: unknown[]): void {
  const text = values.map((value) =>
    JSON.stringify(value, (key, member: unknown) => {
      if (DROPPED.includes(key)) return undefined;
      return key === "diagnostics" ? (member as unknown[]).filter((one) => !isAboutThisComputer(one)) : member;
    }),
  );
  if (/BEGIN [A-Z ]*PRIVATE KEY/.test(text.join())) throw new Error(`${file} would hold a private key.`);
  if (text.join().includes(tmpdir())) throw new Error(`${file} would hold a path of this computer.`);
  writeFileSync(path.join(RECORDED, file), text.join("\n") + "\n");
}

void main();
