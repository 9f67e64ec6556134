import fs from "node:fs";
import path from "node:path";
import type { Surroundings } from "../checks/surroundings";
import type { Person } from "./person";
import { findSops, SECRETS_FILE, type Sops, SOPS_CONFIG } from "./sops";
import { pulumiStack, type Stack } from "./stack";

/** What every subcommand works with. */
export interface Workplace {
  around: Surroundings;
  person: Person;
  stack: Stack;
  /** Looked for at first use: what only reads files needs no sops. */
  sops(): Promise<Sops>;
}

export function workplace(around: Surroundings, person: Person, stack: Stack = pulumiStack(around)): Workplace {
  let sops: Promise<Sops> | undefined;
  return { around, person, stack, sops: () => (sops ??= findSops(around)) };
}

/** The text of .sops.yaml, empty when there is none. */
export function readSopsConfig({ around }: Pick<Workplace, "around">): string {
  return readIfThere(path.join(around.folder, SOPS_CONFIG));
}

export function writeSopsConfig({ around }: Workplace, text: string): void {
  replaceFile(path.join(around.folder, SOPS_CONFIG), text);
}

/** The text of nix/secrets.yaml as it is in the repository, empty when there is none. */
export function readSecretsFile({ around }: Pick<Workplace, "around">): string {
  return readIfThere(path.join(around.folder, SECRETS_FILE));
}

export function writeSecretsFile({ around }: Workplace, text: string): void {
  replaceFile(path.join(around.folder, SECRETS_FILE), text);
}

function readIfThere(file: string): string {
  return fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "";
}

/** Written beside its place and renamed: cut off, it leaves the old text or the new one. */
function replaceFile(file: string, text: string): void {
  const beside = `${file}.${process.pid}.new`;
  fs.writeFileSync(beside, text, { flag: "wx", mode: 0o644 });
  fs.renameSync(beside, file);
}
