import { setTimeout as sleep } from "node:timers/promises";
import { parseJson } from "../../components/values/nesting";
import { githubTrouble } from "../common/githubTrouble";
import { boundedText } from "../common/http";

/** Where a comment goes. */
export interface Target {
  /** Address of the API, without a slash at its end. */
  api: string;
  /** `owner/name` */
  repository: string;
  pullRequest: number;
  token: string;
}

/** What was done, or why it could not be done; `message` is for the person who reads the log. */
export interface Posting {
  posted: boolean;
  message: string;
}

export interface Patience {
  attempts: number;
  /** Before the second attempt; doubles from attempt to attempt. */
  firstDelaySeconds: number;
  /** GitHub may ask for longer than anybody wants to wait. */
  longestDelaySeconds: number;
  requestSeconds: number;
}

const PATIENCE: Patience = { attempts: 5, firstDelaySeconds: 1, longestDelaySeconds: 60, requestSeconds: 30 };

interface Comment {
  id: number;
  body: string;
  author: { login: string; type: string };
}

/** A refusal. `retryAfter` (seconds) says that another attempt may succeed. */
class Refusal extends Error {
  constructor(
    message: string,
    readonly retryAfter?: number,
  ) {
    super(message);
  }
}

/** The hidden first line by which the comment of a project and stack is found again. */
export function marker(project: string, stack: string): string {
  // Two dashes would end an HTML comment.
  const safe = (name: string) => encodeURIComponent(name).replaceAll("--", "-%2D");
  return `<!-- preview-comment ${safe(project)}/${safe(stack)} -->`;
}

/**
 * Creates or edits the one comment whose first line is `mark`. Never throws.
 *
 * Every attempt begins with looking for the comment, so that a dropped connection after a successful call makes no
 * second one.
 */
export async function postComment(
  target: Target,
  mark: string,
  text: string,
  patience: Partial<Patience> = {},
): Promise<Posting> {
  const { attempts, firstDelaySeconds, longestDelaySeconds, requestSeconds } = { ...PATIENCE, ...patience };
  const github = new Github(target, requestSeconds);
  for (let attempt = 1; ; attempt++) {
    try {
      return { posted: true, message: await upsert(github, mark, `${mark}\n${text}`) };
    } catch (error) {
      const refusal = error instanceof Refusal ? error : new Refusal(`could not write the comment: ${String(error)}`);
      const { message, retryAfter } = refusal;
      if (retryAfter === undefined) return { posted: false, message };
      if (attempt >= attempts) return { posted: false, message: `${message} (${attempt} attempts)` };
      const delay = Math.max(retryAfter, firstDelaySeconds * 2 ** (attempt - 1));
      if (delay > longestDelaySeconds) {
        return {
          posted: false,
          message: `${message} GitHub asks to wait ${Math.ceil(delay)} seconds, which is too long.`,
        };
      }
      await sleep(delay * 1000);
    }
  }
}

async function upsert(github: Github, mark: string, body: string): Promise<string> {
  const me = await github.login();
  const [first, ...others] = await ownComments(github, me, mark);
  if (first !== undefined) {
    if (first.body !== body) await github.edit(first.id, body);
    for (const { id } of others) await github.delete(id);
    return `edited ${github.place(first.id)}`;
  }
  const created = await github.create(body);
  // Two runs at the same time both find nothing: the older comment stays, and gets what the later run knows.
  const [oldest] = await ownComments(github, me, mark);
  if (oldest === undefined || oldest.id === created) return `created ${github.place(created)}`;
  await github.edit(oldest.id, body);
  await github.delete(created);
  return `edited ${github.place(oldest.id)}`;
}

/** Anybody can write a comment that begins with the mark; only our own may be trusted, or changed. */
async function ownComments(github: Github, me: string | undefined, mark: string): Promise<Comment[]> {
  const comments = await github.comments();
  return comments
    .filter(({ body }) => body === mark || body.startsWith(`${mark}\n`) || body.startsWith(`${mark}\r\n`))
    .filter(({ author }) => (me === undefined ? author.type === "Bot" : author.login === me))
    .sort((one, other) => one.id - other.id);
}

/** The few calls of GitHub's REST API that a comment needs. */
class Github {
  constructor(
    private readonly target: Target,
    private readonly timeoutSeconds: number,
  ) {}

  place(id: number): string {
    return `the comment ${id} on ${this.target.repository}#${this.target.pullRequest}`;
  }

  /** Who the token is; undefined for the token of a workflow, which acts as a bot and may not ask. */
  async login(): Promise<string | undefined> {
    const response = await this.send("GET", "/user");
    if (response.status === 403) {
      const text = await response
        .clone()
        .text()
        .catch(() => "");
      const { headers, status } = response;
      const { retry } = githubTrouble({ status, headers, message: messageOf(text) });
      if (!retry) return undefined;
    }
    const user = (await this.checked(response, "asking whose token this is")) as { login?: unknown };
    return typeof user.login === "string" ? user.login : undefined;
  }

  async comments(): Promise<Comment[]> {
    const all: Comment[] = [];
    for (let page = 1; ; page++) {
      const response = await this.send("GET", `${this.issue()}/comments?per_page=100&page=${page}`);
      const listed = (await this.checked(response, "listing the comments")) as RawComment[];
      all.push(...listed.map(commentOf));
      if (!/rel="next"/.test(response.headers.get("link") ?? "")) return all;
    }
  }

  async create(body: string): Promise<number> {
    const response = await this.send("POST", `${this.issue()}/comments`, { body });
    return ((await this.checked(response, "writing the comment")) as { id: number }).id;
  }

  async edit(id: number, body: string): Promise<void> {
    await this.checked(
      await this.send("PATCH", `${this.repo()}/issues/comments/${id}`, { body }),
      "editing the comment",
    );
  }

  async delete(id: number): Promise<void> {
    const response = await this.send("DELETE", `${this.repo()}/issues/comments/${id}`);
    // Somebody else may have removed it first.
    if (response.status !== 404) await this.checked(response, "removing a second comment");
  }

  private repo(): string {
    return `/repos/${this.target.repository}`;
  }

  private issue(): string {
    return `${this.repo()}/issues/${this.target.pullRequest}`;
  }

  private async send(method: string, path: string, body?: unknown): Promise<Response> {
    try {
      return await fetch(`${this.target.api}${path}`, {
        method,
        headers: {
          accept: "application/vnd.github+json",
          "x-github-api-version": "2022-11-28",
          "user-agent": "pulumi-nixos preview-comment",
          authorization: `Bearer ${this.target.token}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        // A redirect could carry the token elsewhere; a repository that moved is explained instead.
        redirect: "manual",
        signal: AbortSignal.timeout(this.timeoutSeconds * 1000),
      });
    } catch (error) {
      throw new Refusal(`no answer from ${this.target.api}: ${reasonOf(error)}.`, 0);
    }
  }

  private async checked(response: Response, doing: string): Promise<unknown> {
    const text = await boundedText(response).catch((error: unknown) => {
      throw new Refusal(`the answer of ${this.target.api} broke off: ${reasonOf(error)}.`, 0);
    });
    if (response.ok) {
      try {
        return text === "" ? {} : parseJson(text);
      } catch {
        throw new Refusal(`${doing}: GitHub answered ${response.status}, but not with JSON.`, 0);
      }
    }
    throw this.refusal(response, doing, messageOf(text));
  }

  private refusal(response: Response, doing: string, message: string): Refusal {
    const { status, headers } = response;
    const { repository, pullRequest } = this.target;
    const { kind, found, remedy, retry, wait } = githubTrouble({ status, headers, message });
    const said = `${doing}: GitHub answered ${status}${message === "" ? "" : ` (${message})`}.`;
    if (kind === "rate-limit") return new Refusal(`${said} The token's rate limit is used up.`, wait);
    if (retry) return new Refusal(`${said} GitHub has a problem.`, wait ?? 0);
    if (kind === "moved") {
      return new Refusal(`${said} The repository has moved: name it as it is called now (got ${repository}).`);
    }
    // Causes of their own; what is left of 403 is what a workflow most often lacks.
    if (["sso", "ip-list", "policy", "blocked"].includes(kind)) return new Refusal(`${doing}: ${found}. ${remedy}`);
    const advice: Record<number, string> = {
      401: "The token is wrong or has expired: pass a valid one in GITHUB_TOKEN.",
      403:
        "The token may not write comments. A workflow needs `permissions: pull-requests: write`; runs for pull requests" +
        " from forks never get it, and a locked conversation takes no comments.",
      404: `There is no ${repository}#${pullRequest}, or the token cannot see it: check repository, number and token.`,
      410: `The conversation of ${repository}#${pullRequest} is gone or turned off.`,
      422: "GitHub does not accept the text; print it with --print to see it.",
    };
    return new Refusal(`${said} ${advice[status] ?? "This is not expected here."}`);
  }
}

interface RawComment {
  id: number;
  body?: string | null;
  user?: { login?: string; type?: string } | null;
}

function commentOf({ id, body, user }: RawComment): Comment {
  return { id, body: body ?? "", author: { login: user?.login ?? "", type: user?.type ?? "" } };
}

function messageOf(text: string): string {
  try {
    const { message } = parseJson(text) as { message?: unknown };
    return typeof message === "string" ? message.slice(0, 300) : "";
  } catch {
    return "";
  }
}

/** fetch hides the reason in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return "it took too long";
  return error.cause instanceof Error ? error.cause.message : error.message;
}
