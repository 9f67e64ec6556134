import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, ask, field, textField } from "../checks/http";

/** Asks the machine what it says of itself. */
export async function askMachine(url: string): Promise<Answer> {
  return ask(new URL("/status.json", url).href, {}, 15);
}

/**
 * What is wrong with the machine, in a sentence; undefined: it is well and runs the revision, or is on its way to it.
 *
 * @param url address of the machine; empty when there is none yet
 * @param revision newest revision of the branch
 * @param looks how often it is asked before a difference counts, and how long apart
 */
export async function machineProblem(
  url: string,
  revision: string,
  lookAt: (url: string) => Promise<Answer>,
  looks: { times: number; seconds: number },
): Promise<string | undefined> {
  if (url === "") return undefined;
  for (let look = 1; ; look++) {
    const problem = problemOf(await lookAt(url), revision, new Date());
    if (problem === undefined || look >= looks.times) return problem;
    await sleep(looks.seconds * 1000);
  }
}

/** States in which a machine is healthy and yet does not run the newest revision. */
const ON_ITS_WAY = ["upgrading", "held", "waiting", "starting"];

/** What one answer of a machine tells. */
export function problemOf({ status, trouble, body }: Answer, revision: string, now: Date): string | undefined {
  if (status === 0) return `The machine does not answer: ${trouble}.`;
  if (status !== 200) return `The machine answers /status.json with status ${status}.`;
  const [state, summary, running] = ["state", "summary", "revision"].map((name) => textField(body, name));
  if (state === "") return "The machine answers /status.json with something else than its status.";
  if (Date.parse(textField(body, "staleAfter")) < now.getTime()) {
    return `The machine has stopped writing its status; the last one is of ${textField(body, "written")}.`;
  }
  if (field(body, "healthy") !== true) return `The machine says: ${summary}`;
  if (running === revision || ON_ITS_WAY.includes(state!)) return undefined;
  return `The machine runs ${running || "a revision that it does not know"}, and main is at ${revision}.`;
}
