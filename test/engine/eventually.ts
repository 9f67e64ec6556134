import { setTimeout as sleep } from "node:timers/promises";
import { WAIT_MILLISECONDS } from "../support/limits.cjs";

/** Waits until a condition holds; fails with what was waited for. */
export async function eventually(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + WAIT_MILLISECONDS;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${WAIT_MILLISECONDS / 1000} s`);
    await sleep(25);
  }
}
