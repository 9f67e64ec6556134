import { ageRecipient } from "../../components/keys/age";
import type { Context } from "../common/context";
import { findPulumi, NO_PULUMI, pulumiFailure } from "../common/pulumi";
import { readSecret, readStack, type Stack as StackRead } from "../common/stack";
import { UserError } from "../common/userError";

/** What the stack says of its keys. */
export interface StackKeys {
  /** Generations after the last finished update, the one in use first. */
  generations: number[];
  /** age recipients of the machine's key, of each generation. */
  recipients: string[];
  /** Public halves of the login key, of each generation. */
  loginPublicKeys: string[];
  /** Address of the machine's page. */
  url: string;
}

/** Whether the key that logs in is another than the one that opens the secrets. */
export function hasSeparateLogin({ loginPublicKeys, recipients }: Pick<StackKeys, "loginPublicKeys" | "recipients">) {
  return ageRecipient(loginPublicKeys[0]!) !== recipients[0];
}

/** The stack, as far as secrets need it. Tests give another one. */
export interface Stack {
  /** Undefined: there is no stack yet, or no finished update. Throws when it cannot be told. */
  keys(): Promise<StackKeys | undefined>;
  /** The private key that opens the machine's secrets. */
  identityKey(): Promise<string>;
  /** What the configuration says, which the next update does. */
  configuredGenerations(): Promise<number[]>;
  configureGenerations(generations: number[]): Promise<void>;
}

/** The keys of a stack that was read; undefined where it has none yet. */
export function keysIn({ outputs, trouble }: StackRead): StackKeys | undefined {
  if (trouble !== "")
    throw new UserError([`The stack did not answer: ${trouble}`, "Select it with `npx pulumi stack select`."]);
  const { keyGenerations = [], ageRecipients, loginPublicKeys, url = "" } = outputs;
  if (!ageRecipients || !loginPublicKeys) return undefined;
  return { generations: keyGenerations, recipients: ageRecipients, loginPublicKeys, url };
}

/** The stack that is selected in the project's folder. */
export function pulumiStack(context: Context): Stack {
  async function config(...args: string[]): Promise<string> {
    const pulumi = findPulumi(context);
    if (pulumi === undefined) throw new UserError(NO_PULUMI);
    const ran = await pulumi.run(["config", ...args]);
    if (ran.code === 0) return ran.stdout;
    throw new UserError(`The stack's configuration could not be had: ${pulumiFailure(ran)}`);
  }

  return {
    keys: async () => keysIn(await readStack(context)),
    identityKey: () => readSecret(context, "identityKey"),
    async configuredGenerations() {
      return JSON.parse(await config("get", "keyGenerations")) as number[];
    },
    async configureGenerations(generations) {
      const before = (await this.configuredGenerations()).length;
      for (const [place, generation] of generations.entries()) {
        // Only with a path is a number kept as one.
        await config("set", "--path", `keyGenerations[${place}]`, String(generation));
      }
      for (let place = before - 1; place >= generations.length; place--) {
        await config("rm", "--path", `keyGenerations[${place}]`);
      }
    },
  };
}
