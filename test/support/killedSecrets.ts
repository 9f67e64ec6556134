/**
 * A subcommand of `npm run secrets` in a process of its own, which kills itself at one of its writes: before it, in the
 * middle of a file's text, or when sops was just started. Counts the places where it could.
 */
import childProcess from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { realContext } from "../../cli/common/context";
import { PreparedPerson } from "../../cli/rehearse/person";
import type { TestKey } from "../../cli/rehearse/keys";
import { init } from "../../cli/secrets/init";
import { rotate } from "../../cli/secrets/rotate";
import { set } from "../../cli/secrets/set";
import { token } from "../../cli/secrets/token";
import { type Workplace, workplace } from "../../cli/secrets/workplace";
import { StackDouble } from "./secrets";

export interface KilledRun {
  folder: string;
  env: NodeJS.ProcessEnv;
  keys: [number, TestKey][];
  configured: number[];
  command: keyof typeof COMMANDS;
  secret: string;
  /** Which of the places, from 1; 0: none. */
  killAt: number;
}

export const COMMANDS = {
  init: (place: Workplace) => init(place, { name: "alice" }),
  set: (place: Workplace) => set(place, "group/word"),
  token: (place: Workplace) => token(place),
  rotate: (place: Workplace) => rotate(place, { installed: true }),
};

let places = 0;

function place(killAt: number, before?: () => void): void {
  places += 1;
  if (places !== killAt) return;
  before?.();
  process.kill(process.pid, "SIGKILL");
  // Until it comes.
  for (;;);
}

/** What lies in temporary folders is no place of interest: nothing of it is in the project. */
function watch(root: string, killAt: number): void {
  const isThere = (file: unknown) => typeof file === "string" && file.startsWith(root);
  const write = fs.writeFileSync;
  for (const name of ["renameSync", "linkSync", "chownSync", "rmSync"] as const) {
    const original = fs[name] as (...args: unknown[]) => unknown;
    const changed = (...args: unknown[]) => {
      if (isThere(args[0])) place(killAt);
      return original(...args);
    };
    Object.assign(fs, { [name]: changed });
  }
  fs.writeFileSync = (file, data, options) => {
    if (isThere(file) && typeof data === "string") {
      place(killAt);
      place(killAt, () => write(file, data.slice(0, data.length / 2), options));
    }
    write(file, data, options);
  };
  const spawn = childProcess.spawn as (...args: unknown[]) => unknown;
  const started = (...args: unknown[]) => {
    const child = spawn(...args);
    if (args[0] === "sops" && !String(args[1]).includes("--version")) place(killAt);
    return child;
  };
  Object.assign(childProcess, { spawn: started });
}

async function main(): Promise<void> {
  const run = JSON.parse(fs.readFileSync(0, "utf8")) as KilledRun;
  const stack = new StackDouble();
  for (const [number, key] of run.keys) stack.keysMade.set(number, key);
  stack.deployed = run.keys.map(([number]) => number);
  stack.configured = run.configured;
  const person = new PreparedPerson();
  person.secrets = [run.secret];
  const context = realContext({ folder: run.folder, env: run.env });
  watch(path.dirname(run.folder), run.killAt);
  await COMMANDS[run.command](workplace(context, person, stack));
  process.stdout.write(String(places));
}

if (require.main === module) void main();
