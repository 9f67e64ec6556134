const SECONDS_TO_ANSWER = 10;

/** Whether a web server can be reached from here. */
export async function answers(address: string): Promise<boolean> {
  try {
    return (await fetch(address, { method: "HEAD", signal: AbortSignal.timeout(SECONDS_TO_ANSWER * 1000) })).ok;
  } catch {
    return false;
  }
}
