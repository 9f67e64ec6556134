import { ageRecipient } from "../../components/keys/age";
import { DEFAULTS } from "../../components/values/defaults";
import type { Context } from "../common/context";
import { findPulumi, NO_PULUMI, pulumiFailure } from "../common/pulumi";
import { readSecret, readStack, type Stack as StackRead } from "../common/stack";
import { UserError } from "../common/userError";

/** What the stack says of its keys. */
export interface StackKeys {
  /** Versions of the keys after the last finished update, the one in use first. */
  versions: number[];
  /** age recipients of the machine's key, of each version. */
  recipients: string[];
  /** Public halves of the login key, of each version. */
  loginPublicKeys: string[];
  /** Address of the machine's page. */
  url: string;
}

/** Whether the key that logs in is another than the one that opens the secrets. */
export function hasSeparateLogin({ loginPublicKeys, recipients }: Pick<StackKeys, "loginPublicKeys" | "recipients">) {
  return ageRecipient(loginPublicKeys[0]!) !== recipients[0];
}

const KEY = "keyVersions";
/** The name of the last version. */
const FORMER_KEY = "keyGenerations";

/** The stack, as far as secrets need it. Tests give another one. */
export interface Stack {
  /** Undefined: there is no stack yet, or no finished update. Throws when it cannot be told. */
  keys(): Promise<StackKeys | undefined>;
  /** The private key that opens the machine's secrets. */
  machineKey(): Promise<string>;
  /** What the configuration says, which the next update does. */
  configuredVersions(): Promise<number[]>;
  configureVersions(versions: number[]): Promise<void>;
}

/** The keys of a stack that was read; undefined where it has none yet. */
export function keysIn({ outputs, trouble }: StackRead): StackKeys | undefined {
  if (trouble !== "")
    throw new UserError([`The stack did not answer: ${trouble}`, "Select it with `npx pulumi stack select`."]);
  const { keyVersions = [], ageRecipients, loginPublicKeys, url = "" } = outputs;
  if (!ageRecipients || !loginPublicKeys) return undefined;
  return { versions: keyVersions, recipients: ageRecipients, loginPublicKeys, url };
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

  /** What the stack's file says of the versions, and under which name. */
  async function configured(): Promise<{ versions: number[]; key?: string }> {
    const values = JSON.parse(await config("--json")) as Record<string, { value?: string }>;
    for (const key of [KEY, FORMER_KEY]) {
      const { value } = Object.entries(values).find(([name]) => name.endsWith(`:${key}`))?.[1] ?? {};
      if (value !== undefined) return { versions: JSON.parse(value) as number[], key };
    }
    return { versions: DEFAULTS.keyVersions };
  }

  return {
    keys: async () => keysIn(await readStack(context)),
    machineKey: () => readSecret(context, "machineKey"),
    async configuredVersions() {
      return (await configured()).versions;
    },
    async configureVersions(versions) {
      const { versions: before, key } = await configured();
      for (const [place, version] of versions.entries()) {
        // Only with a path is a number kept as one.
        await config("set", "--path", `${KEY}[${place}]`, String(version));
      }
      if (key === FORMER_KEY) await config("rm", key);
      else if (key === KEY)
        for (let place = before.length - 1; place >= versions.length; place--)
          await config("rm", "--path", `${KEY}[${place}]`);
    },
  };
}
