import { ageRecipient } from "../../components/keys/age";
import { DEFAULTS } from "../../components/values/defaults";
import { findPulumi, PULUMI_SECONDS } from "../common/pulumi";
import { failureOf, type Surroundings } from "../common/context";
import { Refusal } from "../common/refusal";

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

/** The stack that is selected in the project's folder. */
export function pulumiStack(around: Surroundings): Stack {
  async function pulumi(...args: string[]) {
    const program = findPulumi(around);
    if (program === undefined) throw new Refusal("The Pulumi CLI was not found. Run `npm ci`, which brings it.");
    const options = { timeoutSeconds: PULUMI_SECONDS };
    return around.run(program, ["--cwd", around.folder, "--non-interactive", ...args], options);
  }

  async function succeed(...args: string[]): Promise<string> {
    const ran = await pulumi(...args);
    if (ran.code === 0) return ran.stdout;
    throw new Refusal([
      `The stack did not answer: ${failureOf("pulumi", ran).replace(/^error: /, "")}`,
      "Select it with `npx pulumi stack select`.",
    ]);
  }

  /** What the stack's file says of the versions, and under which name. */
  async function configured(): Promise<{ versions: number[]; key?: string }> {
    const values = JSON.parse(await succeed("config", "--json")) as Record<string, { value?: string }>;
    for (const key of [KEY, FORMER_KEY]) {
      const { value } = Object.entries(values).find(([name]) => name.endsWith(`:${key}`))?.[1] ?? {};
      if (value !== undefined) return { versions: JSON.parse(value) as number[], key };
    }
    return { versions: DEFAULTS.keyVersions };
  }

  return {
    async keys() {
      const outputs = JSON.parse(await succeed("stack", "output", "--json")) as Record<string, unknown>;
      if (outputs["ageRecipients"] === undefined) return undefined;
      return {
        // A stack that was updated by the last version has the old name alone.
        versions: (outputs["keyVersions"] ?? outputs["keyGenerations"]) as number[],
        recipients: outputs["ageRecipients"] as string[],
        loginPublicKeys: outputs["loginPublicKeys"] as string[],
        url: outputs["url"] as string,
      };
    },
    async machineKey() {
      const ran = await pulumi("stack", "output", "machineKey", "--show-secrets");
      return ran.code === 0 ? ran.stdout : succeed("stack", "output", "identityKey", "--show-secrets");
    },
    async configuredVersions() {
      return (await configured()).versions;
    },
    async configureVersions(versions) {
      const { versions: before, key } = await configured();
      for (const [place, version] of versions.entries()) {
        // Only with a path is a number kept as one.
        await succeed("config", "set", "--path", `${KEY}[${place}]`, String(version));
      }
      if (key === FORMER_KEY) await succeed("config", "rm", key);
      else if (key === KEY)
        for (let place = before.length - 1; place >= versions.length; place--)
          await succeed("config", "rm", "--path", `${KEY}[${place}]`);
    },
  };
}
