import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { realContext, type Context } from "../../cli/common/context";
import type { Stack, StackKeys } from "../../cli/secrets/stack";
import { type Workplace, workplace } from "../../cli/secrets/workplace";
import { ageRecipient } from "../../components/keys/age";
import { newKey, type TestKey } from "../../cli/rehearse/keys";
import { PreparedPerson } from "../../cli/rehearse/person";

/** A stack with keys of its own, in which an update does what the configuration says. Not an engine. */
export class StackDouble implements Stack {
  readonly keysMade = new Map<number, TestKey>();
  configured = [1];
  deployed: number[] | undefined;
  url = "http://127.0.0.1:9";

  up(): void {
    for (const number of this.configured) if (!this.keysMade.has(number)) this.keysMade.set(number, newKey());
    for (const number of this.keysMade.keys()) if (!this.configured.includes(number)) this.keysMade.delete(number);
    this.deployed = [...this.configured];
  }

  keys(): Promise<StackKeys | undefined> {
    if (this.deployed === undefined) return Promise.resolve(undefined);
    const publicKeys = this.deployed.map((number) => this.keysMade.get(number)!.publicKeyOpenssh.trim());
    return Promise.resolve({
      versions: this.deployed,
      recipients: publicKeys.map(ageRecipient),
      loginPublicKeys: publicKeys,
      url: this.url,
    });
  }

  machineKey(): Promise<string> {
    return Promise.resolve(this.keysMade.get(this.deployed![0]!)!.privateKeyOpenssh);
  }

  configuredVersions(): Promise<number[]> {
    return Promise.resolve(this.configured);
  }

  configureVersions(versions: number[]): Promise<void> {
    this.configured = versions;
    return Promise.resolve();
  }
}

/** A project's folder with nothing but nix/, a home without keys, and the programs of this computer. */
export class SecretsProject {
  readonly root = fs.mkdtempSync(path.join(os.tmpdir(), "secrets-"));
  readonly folder = path.join(this.root, "project");
  readonly person = new PreparedPerson();
  readonly stack = new StackDouble();
  context: Context;

  constructor() {
    fs.mkdirSync(path.join(this.folder, "nix"), { recursive: true });
    this.context = this.at("home");
  }

  /** The same project on another computer, or for another person. */
  at(home: string): Context {
    const place = path.join(this.root, home);
    fs.mkdirSync(place, { recursive: true });
    // Keys of whoever runs the tests must not open anything here.
    const { PATH, TMPDIR } = process.env;
    this.context = realContext({ folder: this.folder, env: { PATH, TMPDIR, HOME: place } });
    return this.context;
  }

  get place(): Workplace {
    return workplace(this.context, this.person, this.stack);
  }

  read(file: string): string {
    return fs.readFileSync(path.join(this.folder, file), "utf8");
  }

  write(file: string, text: string): void {
    fs.writeFileSync(path.join(this.folder, file), text);
  }

  git(...args: string[]): string {
    const own = ["-c", "user.name=Tests", "-c", "user.email=tests@example.com", "-c", "commit.gpgsign=false"];
    return execFileSync("git", [...own, "-C", this.folder, ...args], { stdio: ["ignore", "pipe", "pipe"] }).toString();
  }

  remove(): void {
    fs.rmSync(this.root, { recursive: true });
  }
}
