/**
 * Records what a Pulumi CLI and Pulumi's own language host say to each other, for languageHost.spec.ts:
 * `npx tsx test/rehearsal/languageHost/record.ts <pulumi> <pulumi-language-nodejs> && npm run format`.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { run } from "../../../cli/rehearse/processes";
import { engineEnvironment } from "../../../cli/rehearse/drivers/engineRun";
import { closedEnvironment } from "../../../cli/rehearse/environment";
import { type Call, type Conversation, Stage } from "./stage";

const [, , cli, host] = process.argv as [string, string, string, string];

async function record(): Promise<void> {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), "record-")));
  const stage = new Stage(path.join(folder, "stage"), true);
  const closed = closedEnvironment(folder);
  const environment = engineEnvironment(cli, folder, { ...closed, PATH: `${stage.bin}:${closed["PATH"]}` }, []);
  const log = path.join(folder, "calls.jsonl");
  const plugins = path.join(environment["PULUMI_HOME"]!, "plugins/language-nodejs-v0.0.0");
  const program = path.join(plugins, "pulumi-language-nodejs");
  mkdirSync(plugins, { recursive: true });
  const recorder = path.join(__dirname, "recorder.mjs");
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${recorder}' '${host}' '${log}' "$@"\n`);
  chmodSync(program, 0o755);

  /** Runs a command of the CLI; some are to fail. */
  const pulumi = async (directory: string, ...args: string[]) => {
    const options = { cwd: path.join(stage.folder, directory), env: environment, seconds: 300 };
    const { code, stdout, stderr } = await run(cli, [...args, "--non-interactive"], options);
    process.stderr.write(`${directory}: pulumi ${args.join(" ")}: ${code}\n${code === 0 ? "" : stdout + stderr}`);
  };
  for (const name of ["typed", "plain", "failed", "told"]) await pulumi(name, "stack", "init", "dev");
  await pulumi("typed", "config", "set", "plain", "seen");
  await pulumi("typed", "config", "set", "--secret", "hidden", "not seen");
  await pulumi("typed", "install");
  await pulumi("typed", "about");
  await pulumi("typed", "up", "--yes", "--skip-preview");
  await pulumi("plain", "preview");
  await pulumi("plain", "preview", "--policy-pack", "../pack");
  await pulumi("failed", "preview");
  await pulumi("told", "preview");
  await pulumi("typed", "package", "get-schema", "../plugin");

  const lines = readFileSync(log, "utf8").trimEnd().split("\n");
  const noted = lines
    .map((line) => JSON.parse(line) as Call & { since: string; directory: string })
    .sort((one, other) => Number(BigInt(one.since) - BigInt(other.since)));
  const directories = new Map(noted.map(({ host, directory }) => [host, directory]));
  const numbers = [...directories.keys()];
  const calls = noted.map(({ host, call, request, answer }) => ({
    host: numbers.indexOf(host),
    call,
    request,
    answer,
  }));
  const all = { hosts: [...directories.values()], calls, programs: stage.programs() };
  const conversation = withoutRepeats(stage.normalised(all));
  const versions = { cli: version(cli, "version"), host: version(host, "-version") };
  writeFileSync(
    path.join(__dirname, "conversation.json"),
    `${JSON.stringify({ versions, ...conversation }, null, 2)}\n`,
  );
  rmSync(folder, { recursive: true, force: true });
}

/** What every command of the CLI asks again, and gets the same answer to, tells nothing more. */
function withoutRepeats({ hosts, calls, programs }: Conversation): Conversation {
  const first = (all: unknown[]) => {
    const texts = all.map((one) => JSON.stringify(one));
    return (_: unknown, at: number) => texts.indexOf(texts[at]!) === at;
  };
  const kept = calls.filter(first(calls.map((one) => ({ ...one, host: hosts[one.host] }))));
  const used = [...new Set(kept.map(({ host }) => host))];
  return {
    hosts: used.map((host) => hosts[host]!),
    calls: kept.map((one) => ({ ...one, host: used.indexOf(one.host) })),
    programs: programs.filter(first(programs)),
  };
}

function version(program: string, argument: string): string {
  return execFileSync(program, [argument], { encoding: "utf8" }).trim();
}

void record();
