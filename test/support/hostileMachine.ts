// A machine that somebody else has: a real sshd on this computer with the pinned host key, which runs a script of the
// test's in place of every command. What ssh and its channel do with a flood, a NUL or a cut is real.
import { type ChildProcess, spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort, makeKeyPair, type KeyPair } from "../../cli/rehearse/machine";

const SSHD = ["/usr/sbin/sshd", "/usr/bin/sshd", "/run/current-system/sw/bin/sshd"].find((file) => fs.existsSync(file));

/** Why there can be no such machine; empty: there can. */
export function whyNoMachine(): string {
  if (SSHD === undefined) return "there is no sshd; install openssh-server";
  return process.getuid?.() === 0 ? "" : "the deployment logs in as root, which only root's sshd lets in";
}

export class HostileMachine {
  private constructor(
    private readonly folder: string,
    private readonly sshd: ChildProcess,
    readonly port: number,
    readonly login: KeyPair,
    readonly host: KeyPair,
  ) {}

  /** @param folder of the test */
  static async start(folder: string): Promise<HostileMachine> {
    const [login, host] = [await makeKeyPair(folder), await makeKeyPair(folder)];
    const write = (name: string, content: string, mode: number) => {
      fs.writeFileSync(path.join(folder, name), content, { mode });
      return path.join(folder, name);
    };
    const port = await freePort();
    // sshd's own folder for the time before the login; nobody may write there.
    fs.mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
    const config = write(
      "sshd_config",
      [
        "ListenAddress 127.0.0.1",
        `Port ${port}`,
        `HostKey ${write("host_key", host.privateKey, 0o600)}`,
        `AuthorizedKeysFile ${write("authorized_keys", login.publicKey, 0o600)}`,
        `PidFile none`,
        "StrictModes no",
        "UsePAM no",
        "PermitRootLogin yes",
        `ForceCommand /bin/bash ${path.join(folder, "behaviour")}`,
        "",
      ].join("\n"),
      0o600,
    );
    const sshd = spawn(SSHD!, ["-D", "-e", "-f", config], { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    sshd.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
    while (!said.includes("Server listening")) {
      if (sshd.exitCode !== null) throw new Error(`sshd ended: ${said}`);
      await sleep(20);
    }
    return new HostileMachine(folder, sshd, port, login, host);
  }

  /** What it does from now on, in bash, whatever it is asked. */
  does(script: string): void {
    fs.writeFileSync(path.join(this.folder, "behaviour"), `${script}\n`);
  }

  /** Answers with these lines. */
  answers(...lines: string[]): void {
    const file = path.join(this.folder, "answer");
    fs.writeFileSync(file, lines.map((line) => `${line}\n`).join(""));
    // The input of a build stays open until it ends.
    this.does(`read -r _; cat ${file}`);
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.sshd.once("exit", resolve));
    this.sshd.kill();
    await ended;
  }
}
