import { failureOf, firstLine, type Ran, type Surroundings } from "./context";
import { findPulumi, PULUMI_SECONDS } from "./pulumi";

/** What the checks of a machine need of a stack's outputs. */
export interface StackOutputs {
  publicIp: string;
  hostPublicKey: string;
  /** Several during a rotation of the key. */
  ageRecipients: string[];
  /** Public halves of the login key, in the same order. */
  loginPublicKeys: string[];
}

export interface Stack {
  /** Undefined: there is no machine, or none is known of, and `reason` says why, in words for people. */
  outputs?: StackOutputs;
  reason: string;
  /** Whether `npx pulumi up` would make the machine: false too where the stack could not be asked. */
  lacksMachine: boolean;
  /** The private key that logs in; asked for only when it is needed. */
  privateKey(): Promise<string>;
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
export async function selectedStack(around: Surroundings): Promise<Selection> {
  const program = findPulumi(around);
  if (program === undefined) return { name: USUAL_STACK, doubt: "" };
  const args = ["stack", "--show-name", "--non-interactive", "--cwd", around.folder];
  const ran = await around.run(program, args, { timeoutSeconds: PULUMI_SECONDS });
  if (ran.code === 0) return { name: firstLine(ran.stdout) || USUAL_STACK, doubt: "" };
  const doubt = NONE_SELECTED.test(ran.stderr) ? "" : failureOf("pulumi", ran).replace(/^error: /, "");
  return { name: USUAL_STACK, doubt };
}

/** The name in the name of a stack's file: `owner/project/dev` has its settings in Pulumi.dev.yaml. */
export function shortStackName(stack: string): string {
  return stack.split("/").at(-1)!;
}

/** Reads what the last update left; secrets stay encrypted. */
export async function readStack(around: Surroundings, stack: string): Promise<Stack> {
  const program = findPulumi(around);
  const output = (...args: string[]): Promise<Ran> =>
    around.run(program!, ["stack", "output", ...args, "--stack", stack, "--non-interactive", "--cwd", around.folder], {
      timeoutSeconds: PULUMI_SECONDS,
    });
  const privateKey = async () => {
    const today = await output("loginKey", "--show-secrets");
    // A stack that was updated by the last version has the old name alone.
    const ran = today.code === 0 ? today : await output("privateKey", "--show-secrets");
    if (ran.code !== 0) throw new Error(failureOf("pulumi", ran));
    // Exactly one newline at its end, as OpenSSH wants it.
    return `${ran.stdout.trim()}\n`;
  };
  if (program === undefined) return { reason: "there is no Pulumi CLI to ask", lacksMachine: false, privateKey };
  const ran = await output("--json");
  if (ran.code !== 0) {
    const reason = failureOf("pulumi", ran).replace(/^error: /, "");
    return { reason, lacksMachine: /no stack named/.test(ran.stderr), privateKey };
  }
  const { publicIp, hostPublicKey, ageRecipients, loginPublicKeys } = parse(ran.stdout);
  return publicIp && hostPublicKey && ageRecipients && loginPublicKeys
    ? {
        outputs: { publicIp, hostPublicKey, ageRecipients, loginPublicKeys },
        reason: "",
        lacksMachine: false,
        privateKey,
      }
    : { reason: `the stack ${stack} has no machine yet`, lacksMachine: true, privateKey };
}

/**
 * Types and names of the resources that a stack has, such as `github:index/repository:Repository server`, or undefined
 * where that could not be found out. A stack that is not there has none. Secrets in the state stay encrypted.
 */
export async function stackResources(around: Surroundings, stack: string): Promise<string[] | undefined> {
  const program = findPulumi(around);
  if (program === undefined) return undefined;
  const args = ["stack", "export", "--stack", stack, "--non-interactive", "--cwd", around.folder];
  const ran = await around.run(program, args, { timeoutSeconds: 60 });
  if (ran.code !== 0) return /no stack named/.test(ran.stderr) ? [] : undefined;
  try {
    const { deployment } = JSON.parse(ran.stdout) as {
      deployment: { resources?: { type: string; outputs?: Record<string, unknown> }[] | null };
    };
    return (deployment.resources ?? []).map(({ type, outputs }) => {
      const { name = "", pattern = name } = outputs ?? {};
      return `${type} ${String(pattern)}`;
    });
  } catch {
    return undefined;
  }
}

function parse(text: string): Partial<StackOutputs> {
  try {
    return JSON.parse(text) as Partial<StackOutputs>;
  } catch {
    return {};
  }
}
