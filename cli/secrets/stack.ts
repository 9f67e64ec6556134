import { ageRecipient } from "../../components/keys/age";
import { findPulumi, PULUMI_SECONDS } from "../common/pulumi";
import { failureOf, type Surroundings } from "../common/context";
import { Refusal } from "../common/refusal";

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

  return {
    async keys() {
      const outputs = JSON.parse(await succeed("stack", "output", "--json")) as Record<string, unknown>;
      if (outputs["ageRecipients"] === undefined) return undefined;
      return {
        generations: outputs["keyGenerations"] as number[],
        recipients: outputs["ageRecipients"] as string[],
        loginPublicKeys: outputs["loginPublicKeys"] as string[],
        url: outputs["url"] as string,
      };
    },
    identityKey: () => succeed("stack", "output", "identityKey", "--show-secrets"),
    async configuredGenerations() {
      return JSON.parse(await succeed("config", "get", "keyGenerations")) as number[];
    },
    async configureGenerations(generations) {
      const before = (await this.configuredGenerations()).length;
      for (const [place, generation] of generations.entries()) {
        // Only with a path is a number kept as one.
        await succeed("config", "set", "--path", `keyGenerations[${place}]`, String(generation));
      }
      for (let place = before - 1; place >= generations.length; place--) {
        await succeed("config", "rm", "--path", `keyGenerations[${place}]`);
      }
    },
  };
}
