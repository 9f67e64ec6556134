import { spawn } from "node:child_process";
import path from "node:path";
import { failureOf, findProgram, type Ran, type Surroundings } from "../checks/surroundings";
import { Refusal } from "./refusal";

/** The file of secrets and the rules for it, relative to the project's folder. */
export const SECRETS_FILE = "nix/secrets.yaml";
export const SOPS_CONFIG = ".sops.yaml";

/** The first version of sops that takes a value from standard input, so that it is never an argument. */
const OLDEST = [3, 11];

/** What `sops edit` ends with when nothing was changed. */
const UNCHANGED = 200;

/** sops itself may come out of Nix's cache first. */
const TIMEOUT_SECONDS = 600;

/** The real sops, working on this project's file of secrets. Values go in and out by pipes only. */
export class Sops {
  constructor(
    private readonly around: Surroundings,
    private readonly command: string[],
    private readonly identity?: string,
  ) {}

  /** The same sops, opening files with this age identity too. */
  with(identity: string): Sops {
    return new Sops(this.around, this.command, identity);
  }

  /** The text of a new file with these values. */
  async encrypt(values: Record<string, unknown>): Promise<string> {
    const options = ["--filename-override", this.file, "--input-type", "yaml", "--output-type", "yaml"];
    // JSON is YAML, and needs no rules for quoting.
    return (await this.succeed(["encrypt", ...options], JSON.stringify(values))).stdout;
  }

  /** Encrypts a file that somebody wrote in plain text. */
  async encryptInPlace(): Promise<void> {
    await this.succeed(["encrypt", "--in-place", this.file]);
  }

  /** Sets one value and leaves every other as it is, to the byte; the same value again changes nothing at all. */
  async set(names: string[], value: string): Promise<void> {
    await this.succeed(["set", "--idempotent", "--value-stdin", this.file, indexOf(names)], JSON.stringify(value));
  }

  /** All values, opened. */
  async values(): Promise<Record<string, unknown>> {
    const { stdout } = await this.succeed(["decrypt", "--output-type", "json", this.file]);
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  /** Encrypts the file's key for those whom .sops.yaml names; no value is encrypted again. */
  async updateKeys(): Promise<void> {
    await this.succeed(["updatekeys", "--yes", this.file]);
  }

  /**
   * Changes who can open the file, and encrypts every value with a new key: whoever could open it knows the old one, and
   * would read what is stored later. One command, so that a run which is cut off leaves the old file or the new one.
   */
  async replaceKey(removed: string[], added: string[] = []): Promise<void> {
    const option = (name: string, recipients: string[]) =>
      recipients.length === 0 ? [] : [name, recipients.join(",")];
    await this.succeed([
      "rotate",
      "--in-place",
      ...option("--rm-age", removed),
      ...option("--add-age", added),
      this.file,
    ]);
  }

  /** Opens the file in the person's editor; true when something was changed. */
  async edit(): Promise<boolean> {
    const [program, args] = this.line("edit", this.file);
    const env = { ...this.around.env, ...this.identityEnvironment };
    const code = await new Promise<number | null>((resolve, reject) => {
      spawn(program, args, { env, stdio: "inherit" }).once("error", reject).once("close", resolve);
    });
    if (code !== 0 && code !== UNCHANGED) throw new Refusal(`sops ended with exit code ${code}; nothing was changed.`);
    return code === 0;
  }

  private get file(): string {
    return path.join(this.around.folder, SECRETS_FILE);
  }

  /** Named, so that neither a SOPS_CONFIG in the environment nor the current folder decides whom a file is for. */
  private get config(): string[] {
    return ["--config", path.join(this.around.folder, SOPS_CONFIG)];
  }

  private line(...args: string[]): [string, string[]] {
    return [this.command[0]!, [...this.command.slice(1), ...this.config, ...args]];
  }

  private get identityEnvironment(): NodeJS.ProcessEnv {
    return this.identity === undefined ? {} : { SOPS_AGE_KEY: this.identity };
  }

  private async succeed(args: string[], input?: string): Promise<Ran> {
    const [program, rest] = this.line(...args);
    const options = { input, env: this.identityEnvironment, timeoutSeconds: TIMEOUT_SECONDS };
    const ran = await this.around.run(program, rest, options);
    if (ran.code !== 0) throw new Refusal(explained(ran));
    return ran;
  }
}

/** sops from PATH if it is new enough, else the one of the flake's own nixpkgs. */
export async function findSops(around: Surroundings): Promise<Sops> {
  const version = await sopsVersion(around);
  if (isRecent(version)) return new Sops(around, ["sops"]);
  if (findProgram(around.env, "nix") !== undefined) return new Sops(around, fromNix(around.folder));
  throw new Refusal([
    version.found
      ? `sops: got ${JSON.stringify(version.stdout.trim().split("\n")[0])}; allowed: ${OLDEST.join(".")} or newer.`
      : "sops was not found on PATH, and neither was nix, which could bring it.",
    "Install it from https://getsops.io, or install Nix, and run this again.",
  ]);
}

/** What sops on PATH says of its version. */
export function sopsVersion(around: Surroundings): Promise<Ran> {
  return around.run("sops", ["--version", "--disable-version-check"]);
}

/** Whether it is one that this program can drive. */
export function isRecent({ code, stdout }: Ran): boolean {
  const match = code === 0 ? /\b(\d+)\.(\d+)/.exec(stdout) : null;
  if (match === null) return false;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return major > OLDEST[0]! || (major === OLDEST[0] && minor >= OLDEST[1]!);
}

function fromNix(folder: string): string[] {
  const features = ["--extra-experimental-features", "nix-command flakes"];
  return ["nix", ...features, "run", "--inputs-from", path.join(folder, "nix"), "nixpkgs#sops", "--"];
}

/** `["a"]["b"]`, as sops names a place in a file. */
function indexOf(names: string[]): string {
  return names.map((name) => `[${JSON.stringify(name)}]`).join("");
}

/** sops says why it cannot open a file in a table of twenty lines; none of it holds a value. */
function explained(ran: Ran): string[] {
  if (/Failed to get the data key|no identity matched|failed to load age identities/.test(ran.stderr)) {
    return [
      `This computer's age key cannot open ${SECRETS_FILE}: the file is not encrypted for it.`,
      "Run `npm run secrets -- init`: whoever may read the stack's secrets adds a key of theirs that way. Or ask",
      "someone whose key is in .sops.yaml to add yours there and to run it.",
    ];
  }
  // These quote what they stumbled over, which may be a secret.
  if (/does not match sops' data format|MAC mismatch|sops metadata not found/.test(ran.stderr)) {
    return [`${SECRETS_FILE} was changed without sops, which refuses it. \`npm run secrets -- check\` says more.`];
  }
  return [`sops did not do it: ${failureOf("sops", ran)}`];
}
