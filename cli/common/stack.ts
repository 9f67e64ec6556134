import { firstLine, type Ran, type Context } from "./context";
import { field, textField } from "./http";
import { findPulumi, pulumiFailure } from "./pulumi";
import { readJson } from "../../components/values/nesting";
import { UserError } from "./userError";

/** What a stack says of its machine and its keys, once it has them. */
export interface StackOutputs {
  publicIp: string;
  hostPublicKey: string;
  /** Address of the machine's page. */
  url: string;
  /** The key in use first; several during a rotation. */
  keyVersions: number[];
  /** age recipients of the machine's key, in the same order. */
  ageRecipients: string[];
  /** Public halves of the login key, in the same order. */
  loginPublicKeys: string[];
}

export interface Stack {
  outputs: Partial<StackOutputs>;
  /** Why they could not be asked for, in words for people; empty: they could. */
  trouble: string;
  /** False: there is no stack of the name. */
  isThere: boolean;
}

const USUAL_STACK = "dev";

/** The stack that commands are about. */
export interface Selection {
  name: string;
  /** Why another one may be selected: the CLI could not tell. Empty where it is known. */
  doubt: string;
}

/** What the CLI says where nothing can be selected: nobody has chosen yet, or nobody is logged in. */
const NONE_SELECTED = /no stack selected|PULUMI_ACCESS_TOKEN must be set|not logged in/;

/** The stack that is selected in this checkout, or, where none is, the one that the project comes with. */
export async function selectedStack(context: Context): Promise<Selection> {
  const ran = await findPulumi(context)?.run(["stack", "--show-name"]);
  if (ran === undefined) return { name: USUAL_STACK, doubt: "" };
  if (ran.code === 0) return { name: firstLine(ran.stdout) || USUAL_STACK, doubt: "" };
  return { name: USUAL_STACK, doubt: NONE_SELECTED.test(ran.stderr) ? "" : pulumiFailure(ran) };
}

/** The name in the name of a stack's file: `owner/project/dev` has its settings in Pulumi.dev.yaml. */
export function shortStackName(stack: string): string {
  return stack.split("/").at(-1)!;
}

/** Reads what the last update left; secrets stay encrypted. Without a name: the selected stack. */
export async function readStack(context: Context, stack?: string): Promise<Stack> {
  const ran = await output(context, stack, "--json");
  return {
    outputs: ran.code === 0 ? underNewNames((readJson(ran.stdout) ?? {}) as Record<string, unknown>) : {},
    trouble: ran.code === 0 ? "" : ran.found ? pulumiFailure(ran) : "there is no Pulumi CLI to ask",
    isThere: !NO_STACK.test(ran.stderr),
  };
}

/** Outputs, and the names that they had in the last version: a stack that nobody has updated since has those alone. */
const FORMER_NAMES = { keyVersions: "keyGenerations", loginKey: "privateKey", machineKey: "identityKey" };

function underNewNames(outputs: Record<string, unknown>): Partial<StackOutputs> {
  const { keyVersions = outputs[FORMER_NAMES.keyVersions], ...others } = outputs;
  return { ...others, ...(keyVersions === undefined ? {} : { keyVersions: keyVersions as number[] }) };
}

/** A private key: the one that logs in, or the one that opens the machine's secrets. */
export async function readSecret(context: Context, name: "loginKey" | "machineKey", stack?: string): Promise<string> {
  const today = await output(context, stack, name, "--show-secrets");
  const ran = today.code === 0 ? today : await output(context, stack, FORMER_NAMES[name], "--show-secrets");
  if (ran.code !== 0) throw new UserError(`The stack did not answer: ${pulumiFailure(ran)}`);
  // Exactly one newline at its end, as OpenSSH wants it.
  return `${ran.stdout.trim()}\n`;
}

async function output(context: Context, stack: string | undefined, ...args: string[]): Promise<Ran> {
  const selected = stack === undefined ? [] : ["--stack", stack];
  return (await findPulumi(context)?.run(["stack", "output", ...args, ...selected])) ?? ABSENT;
}

const ABSENT: Ran = { found: false, code: null, stdout: "", stderr: "", timedOut: false };
const NO_STACK = /no stack named/;

/**
 * Types and names of the resources that a stack has, such as `github:index/repository:Repository server`, or undefined
 * where that could not be found out. A stack that is not there has none. Secrets in the state stay encrypted.
 */
export async function stackResources(context: Context, stack: string): Promise<string[] | undefined> {
  const ran = await findPulumi(context)?.run(["stack", "export", "--stack", stack]);
  if (ran === undefined) return undefined;
  if (ran.code !== 0) return NO_STACK.test(ran.stderr) ? [] : undefined;
  const deployment = field(readJson(ran.stdout), "deployment");
  const resources = field(deployment, "resources") ?? [];
  if (typeof deployment !== "object" || !Array.isArray(resources)) return undefined;
  return resources.map((one: unknown) => {
    const [pattern, name] = ["pattern", "name"].map((key) => textField(one, "outputs", key));
    return `${textField(one, "type")} ${pattern || name}`;
  });
}
