import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import readline from "node:readline";

/** A namespace that lives as long as this process holds the other end of its standard input. */
export interface Lifeline {
  /** The process whose namespaces are entered. */
  pid: number;
  /** Ends it and waits until everything of it is gone. */
  stop(): Promise<void>;
}

/**
 * Starts machine.sh or client.sh. They end with their standard input, so that nothing is left behind even when the
 * tests are killed; `detached`, so that an interrupt from the terminal reaches the tests and not the namespace.
 */
export async function startLifeline(script: string, folder: string): Promise<Lifeline> {
  // Debian's `su` leaves out the folders in which pivot_root lies.
  const env = { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` };
  const child = spawn("bash", [script, folder], { env, stdio: ["pipe", "pipe", "pipe"], detached: true });
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (complaint += chunk));
  child.stdin.on("error", () => undefined);

  const pid = await new Promise<number>((resolve, reject) => {
    readline.createInterface({ input: child.stdout }).on("line", (line) => {
      const found = line.match(/^pid (\d+)$/)?.[1];
      if (found) {
        resolve(Number(found));
      }
    });
    child.on("error", reject);
    child.on("exit", (code, signal) => reject(new Error(`${script}: ${signal ?? `exit code ${code}`}\n${complaint}`)));
  });
  // Does not keep a program alive that has otherwise ended.
  child.unref();
  return { pid, stop: () => stop(child) };
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
