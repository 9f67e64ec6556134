/**
 * The programs of nix/upgrade on this computer, without a machine around them: the real scripts and the real git, ssh and
 * curl, with settings of the test. What needs systemd or an activation is test/system's business.
 */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { type Ended, run } from "../../cli/rehearse/processes";
import { sourced } from "../../cli/rehearse/upgrade/programs";

const folder = path.join(__dirname, "../../nix/upgrade");
/** The files that programs have before their own, as nix/upgrade/default.nix puts them together. */
export const shared = ["protocol.sh", "checks.sh", "system.sh", "units.sh"].map((name) => path.join("shared", name));

/** A repository, the folder of a machine's state beside it, and the scripts that look at both. */
export class Place {
  readonly root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "upgrade-scripts-")));
  readonly repository = path.join(this.root, "octocat/site.git");
  readonly work = path.join(this.root, "work");
  readonly state = path.join(this.root, "state");
  readonly history = path.join(this.state, "history.git");
  settings: Record<string, string>;

  constructor(format = "sha1") {
    fs.mkdirSync(this.state);
    this.run("git", "init", "--quiet", "--bare", "--initial-branch=main", `--object-format=${format}`, this.repository);
    // As GitHub has it.
    for (const setting of ["allowFilter", "allowAnySHA1InWant"]) {
      this.run("git", "-C", this.repository, "config", `uploadpack.${setting}`, "true");
    }
    this.run("git", "init", "--quiet", "--initial-branch=main", `--object-format=${format}`, this.work);
    this.git("remote", "add", "origin", this.repository);
    this.settings = {
      ...Object.fromEntries(Object.entries(sourced).map(([name, file]) => [name, path.join(folder, file)])),
      UPGRADE_ACCESS: "deploy-key",
      UPGRADE_REMOTE: `file://${this.repository}`,
      UPGRADE_BRANCH: "main",
      UPGRADE_STATE: this.state,
      UPGRADE_MACHINE_KEY: path.join(this.root, "id"),
      UPGRADE_KNOWN_HOSTS: path.join(this.root, "known_hosts"),
      UPGRADE_TOKEN_FILE: "",
      UPGRADE_TOKEN_CONFIG: path.join(this.root, "token.conf"),
      UPGRADE_PUBLIC: path.join(this.root, "public"),
      UPGRADE_ALLOWED_SIGNERS: "",
      UPGRADE_GITHUB_SIGNING_KEY: "",
      UPGRADE_GPG: "false",
      UPGRADE_RELEASE_SIGNERS: "",
      UPGRADE_RELEASE_REPOSITORY: "octocat/site",
      UPGRADE_RELEASE_REQUIRED: "false",
      UPGRADE_RELEASE_WAIT_SECONDS: "1200",
      UPGRADE_RELEASE_STORE: "",
      UPGRADE_ATTRIBUTE: "default",
    };
    fs.writeFileSync(this.settings["UPGRADE_TOKEN_CONFIG"]!, "extra-access-tokens = github.com=ghp_test\n");
  }

  private run(program: string, ...args: string[]): string {
    const env = { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1", HOME: this.root };
    return execFileSync(program, args, { env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
  }

  /** Git in the work tree of a person who may push. */
  git(...args: string[]): string {
    const identity = ["-c", "user.name=Tést", "-c", "user.email=test@example.invalid"];
    return this.run("git", "-C", this.work, ...identity, ...args);
  }

  /** A commit with a file of its own, not pushed; its revision. */
  commit(name: string, ...options: string[]): string {
    fs.writeFileSync(path.join(this.work, "file"), name);
    this.git("add", "--all");
    this.git("commit", "--quiet", "--message", name, ...options);
    return this.git("rev-parse", "HEAD");
  }

  push(to = "main"): void {
    this.git("push", "--quiet", "--force", "origin", `HEAD:${to}`);
  }

  /** Puts a program on the path of the scripts: the real one, made of these files, or a text that stands for another. */
  program(name: string, ...files: string[]): void {
    const text = files.map((file) => `source ${path.join(folder, file)}\n`).join("");
    this.standIn(name, `set -o errexit -o nounset -o pipefail\n${text}`);
  }

  standIn(name: string, text: string): void {
    fs.mkdirSync(path.join(this.root, "bin"), { recursive: true });
    fs.writeFileSync(path.join(this.root, "bin", name), `#!/usr/bin/env bash\n${text}`, { mode: 0o755 });
  }

  /** A program of the folder, or shell text with its functions. */
  async script(text: string, settings: Record<string, string> = {}): Promise<Ended> {
    const env = {
      PATH: `${path.join(this.root, "bin")}:${process.env["PATH"]}`,
      HOME: this.root,
      TMPDIR: this.root,
      GIT_CONFIG_GLOBAL: "/dev/null",
      ...this.settings,
      ...settings,
    };
    const strict = ["-o", "errexit", "-o", "nounset", "-o", "pipefail"];
    const { code, stdout, stderr } = await run("bash", [...strict, "-c", text], { env });
    return { code, stdout: stdout.trim(), stderr: stderr.trim() };
  }

  /** What nixos-upgrade-remote answers. */
  async remote(settings: Record<string, string> = {}): Promise<Record<string, unknown>> {
    const { stdout, stderr, code } = await this.script(`source ${path.join(folder, "remote.sh")}`, settings);
    if (code !== 0) throw new Error(`exit code ${code}: ${stderr}`);
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  /** Whether one revision leads on from another: yes, no, or the kind of trouble that keeps it from being told. */
  async leadsOn(from: string, to: string, settings: Record<string, string> = {}): Promise<string> {
    return await this.question(`leads_on ${from} ${to}`, settings);
  }

  /** Whether a revision is signed, in the same words. */
  async signed(revision: string, settings: Record<string, string> = {}): Promise<string> {
    return await this.question(`signed ${revision}`, settings);
  }

  private async question(call: string, settings: Record<string, string>): Promise<string> {
    const { code, stdout, stderr } = await this.script(
      `source "$UPGRADE_COMMON"; source "$UPGRADE_REPOSITORY"; trap forget_requests EXIT
       status=0; ${call} || status=$?; echo "$status $TROUBLE"`,
      settings,
    );
    if (code !== 0) throw new Error(`exit code ${code}: ${stderr}`);
    if (stdout.startsWith("0")) return "yes";
    if (stdout.startsWith("1")) return "no";
    return (JSON.parse(stdout.slice(2)) as { kind: string }).kind;
  }

  remove(): void {
    fs.rmSync(this.root, { recursive: true, force: true });
  }
}
