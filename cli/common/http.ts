import { isDeepJson, readJson, TOO_DEEP } from "../../components/values/nesting";

/** What a server answered; `status` 0 means that it did not, and `trouble` says why. */
export interface HttpResult {
  status: number;
  headers: Headers;
  body: unknown;
  /** The answer as it came: some of AWS's are XML. */
  text: string;
  trouble: string;
  /** How often it was asked for, where that may be more than once. */
  attempts?: number;
}

/** More than any page of GitHub's. */
const MOST_BYTES = 32 * 2 ** 20;

/** One request, bounded in time and size, whose failure is a result. The answer is JSON, or `body` is undefined. */
export async function ask(
  url: string,
  init: RequestInit,
  patienceSeconds: number,
  mostBytes = MOST_BYTES,
): Promise<HttpResult> {
  try {
    const response = await boundedFetch(url, init, patienceSeconds, mostBytes);
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: readJson(text), text, trouble: "" };
  } catch (error) {
    return noAnswer(troubleOf(error as Error, patienceSeconds));
  }
}

/** What stands for the answer of a server that gave none. */
export function noAnswer(trouble: string): HttpResult {
  return { status: 0, headers: new Headers(), body: undefined, text: "", trouble };
}

/** `fetch` with the whole answer, which must come in time and have an end, in its length as in the depth of its JSON. */
export async function boundedFetch(
  url: string,
  init: RequestInit,
  patienceSeconds: number,
  mostBytes = MOST_BYTES,
): Promise<Response> {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(patienceSeconds * 1000) });
  const decoder = new TextDecoder();
  let [text, bytes] = ["", 0];
  // Leaving the loop ends the connection.
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw new Unusable(`the answer is longer than ${mostBytes.toLocaleString("en-US")} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  text += decoder.decode();
  if (isDeepJson(text)) throw new Unusable(`the answer is no JSON that anybody means: ${TOO_DEEP}`);
  return new Response(text === "" ? null : text, response);
}

class Unusable extends Error {}

/** Why no answer came, or none that is of use. */
export function troubleOf(error: Error, patienceSeconds: number): string {
  if (error.name === "TimeoutError") return `no answer within ${patienceSeconds} s`;
  if (error instanceof Unusable) return error.message;
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
