import { setTimeout as sleep } from "node:timers/promises";

/** Waits until a condition holds; fails with what was waited for. */
export async function eventually(what: string, condition: () => boolean, seconds = 60): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${seconds} s`);
    await sleep(25);
  }
}
