import { Octokit } from "@octokit/core";
import { retry } from "@octokit/plugin-retry";
import { throttling } from "@octokit/plugin-throttling";
import { type BranchAnswer, revisionFrom } from "../../components/deploy/revision.mjs";
import { githubServer } from "../../components/values/githubServer";
import type { Context } from "./context";
import { type GithubTrouble, githubTrouble as troubleIn } from "./githubTrouble";
import { type HttpResult, boundedFetch, noAnswer, textField, troubleOf } from "./http";
import { readJson } from "../../components/values/nesting";
import { UserError } from "./userError";

/** How long GitHub is waited for. */
export interface Patience {
  /** For one answer. */
  requestSeconds: number;
  /** How often one request is tried. */
  attempts: number;
  /** GitHub may ask to wait longer than anybody wants to. */
  longestWaitSeconds: number;
  /** Tests hurry: how long a second of waiting is. Writes are spaced out only where it is one. */
  secondMilliseconds: number;
}

/** A job in a workflow has time: a limit that is not the hour's ends within a minute. */
export const IN_A_JOB: Patience = {
  requestSeconds: 30,
  attempts: 5,
  longestWaitSeconds: 90,
  secondMilliseconds: 1000,
};

/** Where GitHub's REST API is, without a slash at its end: as a workflow is told, or Pulumi's provider. */
export function githubApi(env: NodeJS.ProcessEnv): string {
  return (env["GITHUB_API_URL"] || env["GITHUB_BASE_URL"] || "https://api.github.com").replace(/(?<!\/)\/+$/, "");
}

/** A list with more pages has no end: the answer is not GitHub's. */
const MOST_PAGES = 200;

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

/** GitHub's REST API. What is tried again, and after how long, `githubTrouble` alone says. */
export class Github {
  private readonly octokit: Octokit;

  /**
   * @param source where the token is from, in words; empty without a usable one
   * @param refusal why nothing is asked; empty: it is
   */
  constructor(
    api: string,
    token: string,
    readonly patience: Patience,
    readonly source = "GITHUB_TOKEN",
    readonly refusal = isToken(token)
      ? ""
      : "the token has signs that none has: it was copied with something beside it",
  ) {
    this.octokit = new Client({
      baseUrl: api,
      userAgent: "pulumi-nixos",
      // It would warn of deprecations, which only a newer version of this program can do something about.
      log: SILENT,
      request: {
        log: SILENT,
        fetch: async (url: string, init: RequestInit) => asText(await boundedFetch(url, init, patience.requestSeconds)),
      },
      retry: { retryAfterBaseValue: patience.secondMilliseconds },
      // The answer has been judged before it comes there; what is left is the pace, which GitHub asks for.
      throttle: {
        enabled: patience.secondMilliseconds === 1000,
        onRateLimit: () => false,
        onSecondaryRateLimit: () => false,
      },
      patience,
    });
    // Not by its own way to a token, which takes some for another kind.
    if (token !== "")
      this.octokit.hook.before("request", ({ headers }) => void (headers.authorization = `Bearer ${token}`));
  }

  /** What GitHub answers in the end, whatever that is. */
  async ask(method: string, path: string, data?: object): Promise<HttpResult> {
    if (this.refusal !== "") return noAnswer(this.refusal);
    try {
      // A redirect of something that changes could carry it elsewhere; one of a question only leads on from an old name.
      const request = { redirect: method === "GET" ? "follow" : "manual" } as const;
      // Signs of a template, which a path is not.
      const url = path.replace(/[{}]/g, encodeURIComponent);
      return (await this.octokit.request({ method: method as "GET", url, data, request })).data as HttpResult;
    } catch (error) {
      if (error instanceof Refused) return error.answer;
      throw error;
    }
  }

  get(path: string): Promise<HttpResult> {
    return this.ask("GET", path);
  }

  /** The answer to what must succeed; otherwise throws what is wrong, and what to do, which `needs` may say better. */
  async send(doing: string, method: string, path: string, data?: object, needs: Needs = {}): Promise<HttpResult> {
    const answer = await this.ask(method, path, data);
    if (isGood(answer)) return answer;
    throw new GithubError(doing, answer, needs);
  }

  /** Everything on the pages of a list. */
  async list(doing: string, path: string, needs: Needs = {}): Promise<unknown[]> {
    const all: unknown[] = [];
    for (let page = 1; page <= MOST_PAGES; page++) {
      const { body, headers } = await this.send(
        doing,
        "GET",
        `${path}${path.includes("?") ? "&" : "?"}per_page=100&page=${page}`,
        undefined,
        needs,
      );
      if (!Array.isArray(body)) throw new UserError(`${doing}: GitHub answers with something else than a list.`);
      all.push(...(body as unknown[]));
      // GitHub leaves out what may not be seen: a page that is not full can have another one behind it.
      if (body.length < 100 && !/;\s*rel="?next\b/.test(headers.get("link") ?? "")) return all;
    }
    throw new UserError(`${doing}: the list has more than ${MOST_PAGES} pages.`);
  }

  /** Whose token it is; undefined for the token of a workflow, which acts as a bot and may not ask. */
  async login(): Promise<string | undefined> {
    const answer = await this.get("/user");
    if (isGood(answer)) return textField(answer.body, "login") || undefined;
    if (["app", "forbidden"].includes(githubTrouble(answer).kind)) return undefined;
    throw new GithubError("asking whose token this is", answer);
  }
}

/** The way out of a trouble in a certain place, by its kind. */
export type Needs = Partial<Record<GithubTrouble["kind"], string>>;

/** An answer that was not hoped for, in words. */
export class GithubError extends UserError {
  constructor(doing: string, answer: HttpResult, needs: Needs = {}) {
    const trouble = githubTrouble(answer);
    const tried = (answer.attempts ?? 1) > 1 ? ` (${answer.attempts} attempts)` : "";
    super(`${doing}: ${trouble.found}${tried}. ${needs[trouble.kind] ?? trouble.remedy}`);
  }
}

/** Such an answer on its way through the plug-in for retries, which reads in `request` how often and after how long. */
class Refused extends Error {
  readonly request: { request: { retries: number; retryAfter: number } };

  constructor(
    readonly answer: HttpResult,
    retries: number,
    retryAfter: number,
  ) {
    super("refused");
    this.request = { request: { retries, retryAfter } };
  }
}

/** Before the plug-ins: the one place that decides what is tried again. */
function judge(octokit: Octokit, options: object): void {
  const { patience } = options as { patience: Patience };
  octokit.hook.wrap("request", async (request, options) => {
    const before = Number(options.request["retryCount"] ?? 0);
    const answer = { ...(await answerOf(() => request(options), patience)), attempts: before + 1 };
    if (isGood(answer))
      return { url: options.url, status: answer.status, headers: {}, data: answer, retryCount: before };
    const { retry, kind, wait = 2 ** before } = githubTrouble(answer);
    // What was to be created may be there although the answer was lost: asking again would make a second one.
    const lost = options.method === "POST" && kind !== "rate-limit";
    const again = retry && !lost && wait <= patience.longestWaitSeconds;
    throw new Refused(answer, again ? patience.attempts - 1 : 0, wait);
  });
}

const Client = Octokit.plugin(judge, retry, throttling);

interface Parsed {
  status: number;
  headers: object;
  data?: unknown;
}

/** What Octokit returns or throws, as one thing. */
async function answerOf(request: () => Parsed | Promise<Parsed>, patience: Patience): Promise<HttpResult> {
  let response: Parsed;
  try {
    response = await request();
  } catch (error) {
    const { response: refused, cause } = error as { response?: Parsed; cause?: Error };
    if (refused === undefined) return noAnswer(troubleOf(cause ?? (error as Error), patience.requestSeconds));
    response = refused;
  }
  const { status, data } = response;
  const headers = new Headers();
  for (const [name, value] of Object.entries(response.headers)) headers.set(name, String(value));
  const text = typeof data === "string" ? data : "";
  const body = readJson(text);
  if (status === 200 && body === undefined) return noAnswer("the answer is no JSON");
  return { status, headers, body, text, trouble: "" };
}

/** Read as JSON here, whatever it is called: Octokit throws for some of it, such as `null` with a status of 5xx. */
async function asText(response: Response): Promise<Response> {
  const headers = new Headers(response.headers);
  headers.set("content-type", "text/plain; charset=utf-8");
  const text = await response.text();
  return new Response(text === "" ? null : text, { status: response.status, headers });
}

export function isGood({ status }: HttpResult): boolean {
  return status >= 200 && status < 300;
}

/** A header cannot hold a newline, and fetch would print the token in its error. */
function isToken(token: string): boolean {
  return /^[\x21-\x7e]*$/.test(token);
}

/** A person waits at the terminal. */
const AT_A_TERMINAL = { attempts: 2, longestWaitSeconds: 5, secondMilliseconds: 1000 };

/** As this computer reaches it: with the token that Pulumi's GitHub provider finds, GITHUB_TOKEN or the GitHub CLI's. */
export async function githubClient(context: Context): Promise<Github> {
  const { env } = context;
  let token = env["GITHUB_TOKEN"] ?? "";
  let source = "GITHUB_TOKEN";
  if (token === "") {
    const gh = await context.run(env["GH_PATH"] ?? "gh", ["auth", "token", "--hostname", "github.com"], {
      starts: "gh",
    });
    token = gh.code === 0 ? gh.stdout.trim() : "";
    source = "the GitHub CLI";
  }
  if (!isToken(token)) token = "";
  const refusal = ["GITHUB_API_URL", "GITHUB_BASE_URL"].flatMap((name) => githubServer(name, env[name]))[0] ?? "";
  const patience = { ...AT_A_TERMINAL, requestSeconds: context.patienceSeconds };
  return new Github(githubApi(env), token, patience, token === "" ? "" : source, refusal);
}

/** Which revision the branch of a repository is at: by its exact reference, as a tag may have the same name. */
export async function branchRevision(
  github: Github,
  repository: string,
  branch: string,
): Promise<BranchAnswer | { trouble: GithubTrouble }> {
  const answer = await github.get(`/repos/${repository}/git/ref/heads/${branch}`);
  if (answer.status === 200) return revisionFrom(answer.body, branch);
  // 404: there is no such branch, or no such repository for this token; 409: the repository is empty.
  return [404, 409].includes(answer.status) ? { missing: true } : { trouble: githubTrouble(answer) };
}

/** What an answer other than the hoped-for one means, and what to do. */
export function githubTrouble({ status, headers, body, trouble }: HttpResult): GithubTrouble {
  return troubleIn({ status, headers, message: textField(body, "message"), trouble });
}
