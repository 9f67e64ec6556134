import { parseJson } from "../../components/values/nesting";

/** What a server answered; `status` 0 means that it did not, and `trouble` says why. */
export interface Answer {
  status: number;
  headers: Headers;
  body: unknown;
  /** The answer as it came: some of AWS's are XML. */
  text: string;
  trouble: string;
}

/** More than any page of GitHub's. */
const MOST_BYTES = 32 * 2 ** 20;

/** One request, bounded in time and size, whose failure is a result. The answer is JSON, or `body` is undefined. */
export async function ask(
  url: string,
  init: RequestInit,
  patienceSeconds: number,
  mostBytes = MOST_BYTES,
): Promise<Answer> {
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(patienceSeconds * 1000) });
    const text = await boundedText(response, mostBytes);
    return { status: response.status, headers: response.headers, body: json(text), text, trouble: "" };
  } catch (error) {
    const trouble = troubleOf(error as Error, patienceSeconds);
    return { status: 0, headers: new Headers(), body: undefined, text: "", trouble };
  }
}

class AnswerTooLong extends Error {}

/** The text of an answer; one that goes on without end is an error, and not kept. */
export async function boundedText(response: Response, most = MOST_BYTES): Promise<string> {
  const decoder = new TextDecoder();
  let [text, bytes] = ["", 0];
  // Leaving the loop ends the connection.
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > most) throw new AnswerTooLong(`the answer is longer than ${most.toLocaleString("en-US")} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function json(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

function troubleOf(error: Error, patienceSeconds: number): string {
  if (error.name === "TimeoutError") return `no answer within ${patienceSeconds} s`;
  if (error instanceof AnswerTooLong) return error.message;
  // fetch wraps what the network said.
  const cause = error.cause instanceof Error ? error.cause : error;
  return "code" in cause ? `no connection (${String(cause.code)})` : `no connection (${cause.message})`;
}

/** The field of an object, or undefined: answers of servers are not to be trusted. */
export function field(body: unknown, ...names: string[]): unknown {
  return names.reduce<unknown>(
    (value, name) =>
      typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined,
    body,
  );
}

/** The field as a text; empty if it is something else. */
export function textField(body: unknown, ...names: string[]): string {
  const value = field(body, ...names);
  return typeof value === "string" ? value : "";
}
