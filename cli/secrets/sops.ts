import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { PrivateFolder } from "../../components/deploy/privateFolder.mjs";
import { environmentFor } from "../../components/deploy/process.mjs";
import { findProgram } from "../../components/deploy/path.mjs";
import { failureOf, type Ran, type Context } from "../common/context";
import { readIfThere, replaceFile } from "../common/write";
import { SECRETS_FILE, SOPS_CONFIG } from "./names";
import { refuseReadable } from "./readable";
import { UserError } from "../common/userError";

/** The first version of sops that takes a value from standard input, so that it is never an argument. */
const OLDEST = [3, 11];

/** What `sops edit` ends with when nothing was changed. */
const UNCHANGED = 200;

/** sops itself may come out of Nix's cache first. */
const TIMEOUT_SECONDS = 600;

/** What is stored first, to see whether it can be read afterwards. */
const PROBE = "not a secret";

/**
 * The real sops, working on this project's file of secrets. Values go in and out by pipes only. What sops writes is read
 * again before it takes the file's place: with a value in it that can be read, the file stays as it was.
 */
export class Sops {
  /** Those beside the copy that is being changed. */
  private rulesInUse: string | undefined;

  constructor(
    private readonly context: Context,
    private readonly command: string[],
    private readonly identity?: string,
  ) {}

  /** The same sops, opening files with this age identity too. */
  with(identity: string): Sops {
    return new Sops(this.context, this.command, identity);
  }

  /** Makes the file, with these values. */
  async create(values: Record<string, unknown>): Promise<void> {
    const options = ["--filename-override", this.file, "--input-type", "yaml", "--output-type", "yaml"];
    const before = this.text;
    // JSON is YAML, and needs no rules for quoting.
    this.replace((await this.succeed(["encrypt", ...options], JSON.stringify(values))).stdout, before);
  }

  /** Encrypts a file that somebody wrote in plain text. */
  async encryptInPlace(): Promise<void> {
    const before = this.text;
    this.replace((await this.succeed(["encrypt", this.file])).stdout, before, "");
  }

  /** Sets one value and leaves every other as it is, to the byte; the same value again changes nothing at all. */
  async set(names: string[], value: string): Promise<void> {
    const set = (text: string) => async (copy: string) => {
      await this.succeed(["set", "--idempotent", "--value-stdin", copy, indexOf(names)], JSON.stringify(text));
    };
    // The secret itself is not even for a moment in a file in which it can be read.
    await this.onCopy(set(PROBE), () => {});
    await this.onCopy(set(value));
  }

  /** All values, opened. */
  async values(): Promise<Record<string, unknown>> {
    const { stdout } = await this.succeed(["decrypt", "--output-type", "json", this.file]);
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  /** Encrypts the file's key for those whom .sops.yaml names; no value is encrypted again. */
  async updateKeys(): Promise<void> {
    await this.onCopy(async (copy) => {
      await this.succeed(["updatekeys", "--yes", copy]);
    });
  }

  /**
   * Changes who can open the file, and encrypts every value with a new key: whoever could open it knows the old one, and
   * would read what is stored later. One command, so that a run which is cut off leaves the old file or the new one.
   */
  async replaceKey(removed: string[], added: string[] = []): Promise<void> {
    const option = (name: string, recipients: string[]) =>
      recipients.length === 0 ? [] : [name, recipients.join(",")];
    const options = [...option("--rm-age", removed), ...option("--add-age", added)];
    await this.onCopy(async (copy) => {
      await this.succeed(["rotate", "--in-place", ...options, copy]);
    });
  }

  /** Opens the file in the person's editor; true when something was changed. */
  async edit(): Promise<boolean> {
    let code: number | null = null;
    await this.onCopy(async (copy) => {
      const [program, args] = this.line("edit", copy);
      // What sops opens for the editor lies in the same folder, and goes with it.
      const own = { ...this.identityEnvironment, TMPDIR: path.dirname(copy) };
      const env = { ...environmentFor(program, this.context.env, "sops"), ...own };
      code = await new Promise<number | null>((resolve, reject) => {
        spawn(program, args, { env, stdio: "inherit" }).once("error", reject).once("close", resolve);
      });
      if (code !== 0 && code !== UNCHANGED)
        throw new UserError(`sops ended with exit code ${code}; nothing was changed.`);
    });
    return code === 0;
  }

  /**
   * Has a copy changed, in a folder that only this user can read and that goes with this process, and puts it into the
   * file's place when no value in it can be read.
   */
  private async onCopy(change: (copy: string) => Promise<void>, keep = this.keep.bind(this)) {
    const before = this.text;
    // Sooner said before something is changed.
    refuseReadable(before, before, this.rules);
    const folder = new PrivateFolder(this.context.env);
    try {
      // At the same place below a copy of the rules: sops finds a file's rule by its path from them.
      const copy = path.join(folder.path, SECRETS_FILE);
      fs.mkdirSync(path.dirname(copy), { recursive: true });
      folder.write(SECRETS_FILE, before);
      if (this.rules !== "") this.rulesInUse = folder.write(SOPS_CONFIG, this.rules);
      await change(copy);
      const text = fs.readFileSync(copy, "utf8");
      refuseReadable(text, before, this.rules);
      if (text !== before) keep(text, before);
    } finally {
      this.rulesInUse = undefined;
      folder.remove();
    }
  }

  /** Another command may have stored something while this one ran, in an editor for an hour perhaps: neither is lost. */
  private keep(text: string, before: string): void {
    if (this.text === before) return replaceFile(this.file, text);
    const beside = SECRETS_FILE.replace(/\.yaml$/, `.${process.pid}.yaml`);
    replaceFile(path.join(this.context.folder, beside), text);
    throw new UserError([
      `${SECRETS_FILE} was changed by something else meanwhile, and stays so. What this command made of the file before is in`,
      `${beside}, encrypted: run the command again, or take over what you changed (sops decrypt), and remove that file.`,
    ]);
  }

  /** @param readable a text whose readable names are taken for meant */
  private replace(text: string, before: string, readable = before): void {
    refuseReadable(text, readable, this.rules);
    this.keep(text, before);
  }

  private get text(): string {
    return readIfThere(this.file);
  }

  private get rules(): string {
    return readIfThere(path.join(this.context.folder, SOPS_CONFIG));
  }

  private get file(): string {
    return path.join(this.context.folder, SECRETS_FILE);
  }

  /** Named, so that neither a SOPS_CONFIG in the environment nor the current folder decides whom a file is for. */
  private get config(): string[] {
    return ["--config", this.rulesInUse ?? path.join(this.context.folder, SOPS_CONFIG)];
  }

  private line(...args: string[]): [string, string[]] {
    return [this.command[0]!, [...this.command.slice(1), ...this.config, ...args]];
  }

  private get identityEnvironment(): NodeJS.ProcessEnv {
    return this.identity === undefined ? {} : { SOPS_AGE_KEY: this.identity };
  }

  private async succeed(args: string[], input?: string): Promise<Ran> {
    const [program, rest] = this.line(...args);
    const options = { input, env: this.identityEnvironment, starts: "sops", timeoutSeconds: TIMEOUT_SECONDS };
    const ran = await this.context.run(program, rest, options);
    if (ran.code !== 0) throw new UserError(explained(ran));
    return ran;
  }
}

/** sops from PATH if it is new enough, else the one of the flake's own nixpkgs. */
export async function findSops(context: Context): Promise<Sops> {
  const version = await sopsVersion(context);
  if (isRecent(version)) return new Sops(context, ["sops"]);
  if (findProgram(context.env, "nix") !== undefined) return new Sops(context, fromNix(context.folder));
  throw new UserError([
    version.found
      ? `sops: got ${JSON.stringify(version.stdout.trim().split("\n")[0])}; allowed: ${OLDEST.join(".")} or newer.`
      : "sops was not found on PATH, and neither was nix, which could bring it.",
    "Install it from https://getsops.io, or install Nix, and run this again.",
  ]);
}

/** What sops on PATH says of its version. */
export function sopsVersion(context: Context): Promise<Ran> {
  return context.run("sops", ["--version", "--disable-version-check"]);
}

/** Whether it is one that this program can drive. */
export function isRecent({ code, stdout }: Ran): boolean {
  const match = code === 0 ? /\b(\d+)\.(\d+)/.exec(stdout) : null;
  if (match === null) return false;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return major > OLDEST[0]! || (major === OLDEST[0] && minor >= OLDEST[1]!);
}

/**
 * The sops of the nixpkgs that nix/flake.lock pins. Not by way of the flake: Nix would copy its folder into the store,
 * and a file of secrets that is still in plain text with it.
 */
function fromNix(folder: string): string[] {
  const features = ["--extra-experimental-features", "nix-command flakes"];
  return ["nix", ...features, "run", `${pinnedNixpkgs(folder)}#sops`, "--"];
}

interface Lock {
  nodes: Record<string, { inputs?: Record<string, string | string[]>; locked?: Record<string, unknown> }>;
  root: string;
}

function pinnedNixpkgs(folder: string): string {
  const file = path.join(folder, "nix", "flake.lock");
  try {
    const lock = JSON.parse(fs.readFileSync(file, "utf8")) as Lock;
    const name = lock.nodes[lock.root]?.inputs?.["nixpkgs"];
    const locked = lock.nodes[String(name)]?.locked;
    const { type, owner, repo, rev, url } = locked as Record<string, string>;
    if (type === "github" && owner && repo && rev) return `github:${owner}/${repo}/${rev}`;
    if (type === "tarball" && url) return url;
  } catch {
    // Said below.
  }
  throw new UserError([
    `sops was not found on PATH, and ${file} names no nixpkgs that it could be taken from.`,
    "Install it from https://getsops.io, and run this again.",
  ]);
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
