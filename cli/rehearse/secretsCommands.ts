import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { parse } from "yaml";
import { hasFailed, type Result } from "../common/result";
import { findProgram } from "../../components/deploy/path.mjs";
import { realContext, type Context } from "../common/context";
import { secretsResults } from "../secrets/check";
import { init } from "../secrets/init";
import { rotate, type RotateOptions } from "../secrets/rotate";
import { set } from "../secrets/set";
import { SECRETS_FILE, SOPS_CONFIG } from "../secrets/names";
import { isRecent, sopsVersion } from "../secrets/sops";
import type { Stack, StackKeys } from "../secrets/stack";
import { token } from "../secrets/token";
import { type Workplace, workplace } from "../secrets/workplace";
import { PreparedPerson } from "./person";
import type { Run } from "./drivers/driver";
import { type Properties, withoutSecretMarkers } from "./emulators/values";
import { ownKey } from "./project";

/** The stack as far as it has come. */
export interface RehearsedStack {
  config: Record<string, string>;
  run: Run | undefined;
}

export const VERSIONS = ownKey("keyVersions");

/**
 * The desk of somebody who keeps the machine's secrets: the real subcommands of `npm run secrets`, with the real sops
 * and age, on the rehearsed project. The stack is the rehearsed one; its CLI is not asked (test/system/secretsStack does).
 */
export class SecretsCommands {
  readonly person = new PreparedPerson();
  private readonly context: Context;
  private readonly place: Workplace;

  /** @param environment one in which no key of whoever runs this is found */
  constructor(
    private readonly project: string,
    environment: NodeJS.ProcessEnv,
    stack: () => RehearsedStack,
  ) {
    this.context = realContext({ folder: project, env: environment });
    this.place = workplace(this.context, this.person, rehearsed(stack));
  }

  /** Why there can be no such desk on this computer; undefined when there can be one. */
  static async whatIsMissing(environment: NodeJS.ProcessEnv): Promise<string | undefined> {
    const context = realContext({ env: environment });
    const missing = [
      ...(isRecent(await sopsVersion(context)) ? [] : ["recent sops"]),
      ...(findProgram(environment, "age") === undefined ? ["age"] : []),
    ];
    return missing.length === 0 ? undefined : `there is no ${missing.join(" and no ")} on PATH`;
  }

  /** The text of the file of secrets. */
  get file(): string {
    return readFileSync(this.at(SECRETS_FILE), "utf8");
  }

  /** Begins anew: secrets that the project brought along are for its own machine, and closed to everybody here. */
  init(): Promise<void> {
    rmSync(this.at(SECRETS_FILE), { force: true });
    return init(this.place, { name: "rehearsal" });
  }

  async set(name: string, value: string): Promise<void> {
    this.person.secrets = [value];
    await set(this.place, name);
  }

  async token(value: string): Promise<void> {
    this.person.secrets = [value];
    await token(this.place);
  }

  rotate(options: RotateOptions = {}): Promise<void> {
    return rotate(this.place, options);
  }

  /** What `check` finds wrong. */
  async problems(): Promise<Result[]> {
    return (await secretsResults(this.place)).filter((result) => hasFailed([result]));
  }

  /** Stores a secret as somebody does who knows sops and not this project. */
  async setByHand(name: string, value: string): Promise<void> {
    const args = ["--config", this.at(SOPS_CONFIG), "set", "--value-stdin", this.at(SECRETS_FILE)];
    await this.succeed("sops", [...args, `["${name}"]`], JSON.stringify(value));
  }

  /** Does something while the file of secrets is one that only somebody else can open. */
  async withForeignFile<T>(recipient: string, act: () => Promise<T>): Promise<T> {
    const [file, kept] = [this.at(SECRETS_FILE), this.at("../kept.yaml")];
    const options = ["--age", recipient, "--filename-override", file, "--input-type", "yaml", "--output-type", "yaml"];
    cpSync(file, kept);
    try {
      writeFileSync(file, await this.succeed("sops", ["encrypt", ...options], '{ "password": "theirs" }'));
      return await act();
    } finally {
      cpSync(kept, file);
      rmSync(kept);
    }
  }

  /**
   * What an age identity opens of a file, asked of sops for its values and of age itself for the key that they are
   * encrypted with; undefined when neither opens it.
   */
  async opened(text: string, identity: string): Promise<Record<string, string> | undefined> {
    const file = this.at("../opened.yaml");
    const nobody = { SOPS_AGE_KEY: identity, XDG_CONFIG_HOME: "/nowhere", HOME: "/nowhere" };
    try {
      writeFileSync(file, text);
      const values = await this.context.run("sops", ["decrypt", "--output-type", "json", file], { env: nobody });
      const { sops } = parse(text) as { sops: { age: { enc: string }[] } };
      const keys = [];
      for (const { enc } of sops.age) {
        writeFileSync(file, enc);
        keys.push(
          (await this.context.run("age", ["--decrypt", "--identity", "-", file], { input: identity })).code === 0,
        );
      }
      if ((values.code === 0) !== keys.includes(true)) {
        throw new Error(`sops and age do not agree on who can open the secrets: ${values.stderr}`);
      }
      return values.code === 0 ? (JSON.parse(values.stdout) as Record<string, string>) : undefined;
    } finally {
      rmSync(file, { force: true });
    }
  }

  private at(file: string): string {
    return path.join(this.project, file);
  }

  private async succeed(program: string, args: string[], input: string): Promise<string> {
    const ran = await this.context.run(program, args, { input });
    if (ran.code !== 0) throw new Error(`${program} ended with code ${ran.code}: ${ran.stderr}`);
    return ran.stdout;
  }
}

/** The rehearsed stack, as the last update left it. */
function rehearsed(stack: () => RehearsedStack): Stack {
  const outputs = (): Properties => withoutSecretMarkers(stack().run?.outputs ?? {});
  return {
    keys() {
      const { keyVersions, ageRecipients, loginPublicKeys, url } = outputs();
      const keys = { versions: keyVersions, recipients: ageRecipients, loginPublicKeys, url } as StackKeys;
      return Promise.resolve(ageRecipients === undefined ? undefined : keys);
    },
    machineKey: () => Promise.resolve(outputs()["machineKey"] as string),
    configuredVersions: () => Promise.resolve(JSON.parse(stack().config[VERSIONS] ?? "[1]") as number[]),
    configureVersions(versions) {
      configureVersions(stack(), versions);
      return Promise.resolve();
    },
  };
}

export function configureVersions(stack: RehearsedStack, versions: number[]): void {
  stack.config = { ...stack.config, [VERSIONS]: JSON.stringify(versions) };
}
