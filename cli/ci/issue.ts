import { setTimeout as sleep } from "node:timers/promises";
import { githubTrouble } from "../common/github";
import { ask, field, textField } from "../common/http";

/** Where issues are. */
export interface Tracker {
  /** Address of the API, without a slash at its end. */
  api: string;
  /** `owner/name` */
  repository: string;
  token: string;
}

export interface Issue {
  /** Hidden first line by which the issue is found again. */
  mark: string;
  title: string;
  /** What there is to say, in Markdown; undefined: nothing any more. */
  text: string | undefined;
}

/** Whether it was said, and how, or why not. */
export interface Keeping {
  done: boolean;
  message: string;
}

class Refusal extends Error {
  constructor(
    message: string,
    readonly status = 0,
  ) {
    super(message);
  }
}

/** Opens or edits the one open issue with this mark, or closes it when there is nothing to say. Never throws. */
export async function keepIssue(tracker: Tracker, { mark, title, text }: Issue, retrySeconds = 2): Promise<Keeping> {
  const call = caller(tracker, retrySeconds);
  const issues = `/repos/${tracker.repository}/issues`;
  try {
    const [found, ...others] = await openIssues(call, issues, mark);
    const all = found === undefined ? [] : [found, ...others];
    if (text === undefined) {
      for (const issue of all) await call("PATCH", `${issues}/${issue}`, { state: "closed" });
      return { done: true, message: found === undefined ? "No issue is needed." : `Closed issue ${all.join(", ")}.` };
    }
    const body = `${mark}\n${text}`;
    if (found !== undefined) {
      await call("PATCH", `${issues}/${found}`, { title, body });
      return { done: true, message: `Edited issue ${found}.` };
    }
    const created = await call("POST", issues, { title, body });
    return { done: true, message: `Opened issue ${String(field(created, "number"))}.` };
  } catch (error) {
    if (error instanceof Refusal) return { done: false, message: `The issue could not be kept: ${error.message}` };
    throw error;
  }
}

type Call = (method: string, path: string, body?: object) => Promise<unknown>;

/** Numbers of the open issues with the mark, the oldest first. Only of our own: anybody can write a mark. */
async function openIssues(call: Call, issues: string, mark: string): Promise<number[]> {
  const me = await login(call);
  const isOurs = (issue: unknown) =>
    me === undefined ? textField(issue, "user", "type") === "Bot" : textField(issue, "user", "login") === me;
  const numbers: number[] = [];
  for (let page = 1; ; page++) {
    const found = await call("GET", `${issues}?state=open&sort=created&direction=asc&per_page=100&page=${page}`);
    if (!Array.isArray(found)) throw new Refusal("GitHub lists no issues.");
    for (const issue of found as unknown[]) {
      const number = field(issue, "number");
      const marked = textField(issue, "body").split(/\r?\n/, 1)[0] === mark;
      if (marked && isOurs(issue) && typeof number === "number") numbers.push(number);
    }
    if (found.length < 100) return numbers;
  }
}

/** Whose token it is; undefined for the token of a workflow, which acts as a bot and may not ask. */
async function login(call: Call): Promise<string | undefined> {
  try {
    return textField(await call("GET", "/user"), "login") || undefined;
  } catch (error) {
    if (error instanceof Refusal && error.status === 403) return undefined;
    throw error;
  }
}

const ATTEMPTS = 4;
/** A secondary limit asks for a minute; nobody waits an hour for an issue. */
const LONGEST_WAIT_SECONDS = 90;

function caller({ api, token }: Tracker, retrySeconds: number): Call {
  const headers = {
    accept: "application/vnd.github+json",
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
    "user-agent": "pulumi-nixos",
    "x-github-api-version": "2022-11-28",
  };
  return async (method, path, body) => {
    for (let attempt = 1; ; attempt++) {
      const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
      const answer = await ask(`${api}${path}`, init, 30);
      if (answer.status >= 200 && answer.status < 300) return answer.body;
      const { kind, retry, found, remedy, wait = retrySeconds * attempt } = githubTrouble(answer);
      // A new issue whose answer was lost is there: asking for it again would make a second one.
      const again = retry && wait <= LONGEST_WAIT_SECONDS && (kind !== "unreachable" || method !== "POST");
      if (!again || attempt >= ATTEMPTS) {
        const needs = "The job needs permissions: issues: write, and the repository its issues.";
        const advice = ["app", "forbidden"].includes(kind) ? needs : remedy;
        const said = [
          answer.status === 0 ? answer.trouble : `status ${answer.status}`,
          textField(answer.body, "message"),
        ];
        const what = ["app", "forbidden", "error"].includes(kind)
          ? said.filter((text) => text !== "").join(" ")
          : `status ${answer.status}: ${found}`;
        const asked = `${method} ${path.replace(/\?.*/, "")}`;
        throw new Refusal(`GitHub answered ${asked} with ${what}. ${advice}`, answer.status);
      }
      await sleep(wait * 1000);
    }
  };
}
