import { setTimeout as sleep } from "node:timers/promises";
import { WAIT_MILLISECONDS } from "./limits.cjs";

/**
 * Polls until a condition holds; fails with what was waited for.
 *
 * @param hopeless says why it can never hold any more
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  hopeless: () => string | undefined = () => undefined,
): Promise<void> {
  const deadline = Date.now() + WAIT_MILLISECONDS;
  while (!(await condition())) {
    const why = hopeless();
    if (why !== undefined) throw new Error(`waiting for ${what}: ${why}`);
    if (Date.now() > deadline) throw new Error(`waiting for ${what}: not after ${WAIT_MILLISECONDS / 1000} s`);
    await sleep(50);
  }
}
