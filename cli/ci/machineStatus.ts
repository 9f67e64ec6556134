import { setTimeout as sleep } from "node:timers/promises";
import { shortened, escapeInvisible } from "../../components/deploy/text.mjs";
import { type HttpResult, ask, field, textField } from "../common/http";

/** Its status has a few hundred bytes. */
const MOST_BYTES = 64 * 1024;

/** Asks the machine what it says of itself. */
export async function askMachine(url: string, patienceSeconds = 15): Promise<HttpResult> {
  // A machine that sends its visitors elsewhere is not to have this computer ask there.
  return ask(new URL("/status.json", url).href, { redirect: "manual" }, patienceSeconds, MOST_BYTES);
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
  lookAt: (url: string) => Promise<HttpResult>,
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
export function problemOf({ status, trouble, body }: HttpResult, revision: string, now: Date): string | undefined {
  if (status === 0) return `The machine does not answer: ${trouble}.`;
  if (status !== 200) return `The machine answers /status.json with status ${status}.`;
  const state = textField(body, "state");
  const running = textField(body, "revision");
  const staleAfter = Date.parse(textField(body, "staleAfter"));
  if (!/^[a-z-]{1,40}$/.test(state) || !/^[0-9a-f]{0,64}$/.test(running) || Number.isNaN(staleAfter))
    return "The machine answers /status.json with something else than its status.";
  if (staleAfter < now.getTime()) {
    return `The machine has stopped writing its status; the last one is of ${said(textField(body, "written"))}.`;
  }
  if (field(body, "healthy") !== true) return `The machine says: ${said(textField(body, "summary"))}`;
  if (running === revision || ON_ITS_WAY.includes(state)) return undefined;
  return `The machine runs ${running || "a revision that it does not know"}, and main is at ${revision}.`;
}

/** Words of the machine, in one line and in bounds: whoever has the machine chooses them. */
function said(text: string): string {
  return escapeInvisible(shortened(text, 300));
}
