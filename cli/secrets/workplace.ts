import path from "node:path";
import type { Surroundings } from "../common/context";
import { readIfThere, replaceFile } from "../common/write";
import { SECRETS_FILE, SOPS_CONFIG } from "./names";
import { findSops, type Sops } from "./sops";
import { pulumiStack, type Stack } from "./stack";

/** Who is asked and told. Tests give another one. */
export interface Person {
  /** Tells something, in one or more lines. Never a secret. */
  tell(text: string): void;
  /** Asks yes or no; `--yes` answers for everybody. */
  agree(question: string): Promise<boolean>;
  /** A secret from standard input when it is redirected, else typed without being shown. */
  secret(question: string): Promise<string>;
}

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
