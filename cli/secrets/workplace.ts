import path from "node:path";
import type { Context } from "../common/context";
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
  context: Context;
  person: Person;
  stack: Stack;
  /** Looked for at first use: what only reads files needs no sops. */
  sops(): Promise<Sops>;
}

export function workplace(context: Context, person: Person, stack: Stack = pulumiStack(context)): Workplace {
  let sops: Promise<Sops> | undefined;
  return { context, person, stack, sops: () => (sops ??= findSops(context)) };
}

/** The text of .sops.yaml, empty when there is none. */
export function readSopsConfig({ context }: Pick<Workplace, "context">): string {
  return readIfThere(path.join(context.folder, SOPS_CONFIG));
}

export function writeSopsConfig({ context }: Workplace, text: string): void {
  replaceFile(path.join(context.folder, SOPS_CONFIG), text);
}

/** The text of nix/secrets.yaml as it is in the repository, empty when there is none. */
export function readSecretsFile({ context }: Pick<Workplace, "context">): string {
  return readIfThere(path.join(context.folder, SECRETS_FILE));
}
