import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import readline from "node:readline";

/** A namespace that lives as long as this process holds the other end of its standard input. */
export interface Lifeline {
  /** The process whose namespaces are entered. */
  pid: number;
  /** Takes the machine's power away and starts it again (machine.sh only); `pid` is then another. */
  restart(): Promise<void>;
  /** Ends it and waits until everything of it is gone. */
  stop(): Promise<void>;
}

/**
 * Starts machine.sh or client.sh. They end with their standard input, so that nothing is left behind even when the
 * tests are killed; `detached`, so that an interrupt from the terminal reaches the tests and not the namespace.
 */
export async function startLifeline(script: string, folder: string): Promise<Lifeline> {
  // Debian's `su` leaves out the folders in which pivot_root lies; and a folder of this computer's /tmp or /root, which
  // PATH may name, is not there once the machine has its own.
  const env = { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/usr/bin:/sbin:/bin` };
  const child = spawn("bash", [script, folder], { env, stdio: ["pipe", "pipe", "pipe"], detached: true });
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (complaint += chunk));
  child.stdin.on("error", () => undefined);

  let started: (pid: number) => void;
  const nextPid = () => new Promise<number>((resolve) => (started = resolve));
  readline.createInterface({ input: child.stdout }).on("line", (line) => {
    const found = line.match(/^pid (\d+)$/)?.[1];
    if (found) started(Number(found));
  });
  const failed = new Promise<never>((_, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => reject(new Error(`${script}: ${signal ?? `exit code ${code}`}\n${complaint}`)));
  });
  failed.catch(() => undefined);

  const lifeline: Lifeline = {
    pid: await Promise.race([nextPid(), failed]),
    async restart() {
      const pid = nextPid();
      child.stdin.write("restart\n");
      lifeline.pid = await Promise.race([pid, failed]);
    },
    stop: () => stop(child),
  };
  // Does not keep a program alive that has otherwise ended.
  child.unref();
  return lifeline;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) {
    return;
  }
  child.ref();
  const ended = once(child, "exit");
  child.stdin?.end();
  await ended;
}
