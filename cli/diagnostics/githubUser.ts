import { type Github, githubTrouble } from "../common/github";
import { TOKEN_NEEDS, TOKEN_PAGES } from "../common/githubTrouble";
import { type HttpResult, textField } from "../common/http";
import { failed, note, ok, type Result } from "../common/result";

/** The user whom the token belongs to. */
export interface GithubUser {
  /** Empty when GitHub did not say. */
  login: string;
  /** The token is a GitHub App's (GITHUB_TOKEN of Actions is one), which acts as no user. */
  app?: boolean;
  plan: Plan;
  results: Result[];
}

/** What is known of a plan, in the words of the configuration. */
export type Plan = "free" | "paid" | "unknown";

/** Whether the token works, what it may do and when it ends. */
export async function checkGithubUser(client: Github): Promise<GithubUser> {
  const unknown = { login: "", plan: "unknown" as const };
  if (client.refusal !== "") {
    return { ...unknown, results: [failed("GitHub", client.refusal, "Unset it, and use a repository of github.com.")] };
  }
  if (client.source === "") {
    return {
      ...unknown,
      results: [
        failed(
          "GitHub",
          "no usable token: GITHUB_TOKEN is not set, and `gh auth token` gives none",
          `Make one: ${TOKEN_PAGES}`,
        ),
      ],
    };
  }
  const answer = await client.get("/user");
  const login = textField(answer.body, "login");
  if (githubTrouble(answer).kind === "app") {
    return checkApp(client);
  }
  if (answer.status !== 200 || login === "") {
    const { found, remedy } = githubTrouble(answer);
    return { ...unknown, results: [failed("GitHub", `${found}; token from ${client.source}`, remedy)] };
  }
  return {
    login,
    plan: planOf(answer.body),
    results: [ok("GitHub", `${login} (token from ${client.source})`), checkScopes(answer), ...checkEnd(answer)],
  };
}

/** An App's token has no user, scopes or plan, and GitHub does not tell it what it may do. */
async function checkApp(client: Github): Promise<GithubUser> {
  const unknown = { login: "", plan: "unknown" as const };
  const answer = await client.get("/installation/repositories?per_page=1");
  if (answer.status !== 200) {
    const { found, remedy } = githubTrouble(answer);
    return { ...unknown, results: [failed("GitHub", `${found}; a GitHub App's token from ${client.source}`, remedy)] };
  }
  const found = `a GitHub App's token (from ${client.source}); it does not tell what it may do`;
  return { ...unknown, app: true, results: [note("GitHub", found, APP_NEEDS)] };
}

const APP_NEEDS =
  "The app must be installed for this owner, with Administration: read and write and Contents: read. The token of a workflow (secrets.GITHUB_TOKEN) can never administer a repository.";

export function planOf(body: unknown): Plan {
  const name = textField(body, "plan", "name");
  return name === "" ? "unknown" : name === "free" ? "free" : "paid";
}

/** Classic tokens name their scopes in every answer; fine-grained ones cannot be asked. */
function checkScopes({ headers }: HttpResult): Result {
  const header = headers.get("x-oauth-scopes");
  if (header === null) return note("GitHub scopes", "a fine-grained token does not tell what it may do", TOKEN_NEEDS);
  const scopes = header.split(",").map((scope) => scope.trim());
  return scopes.includes("repo")
    ? ok("GitHub scopes", header)
    : failed(
        "GitHub scopes",
        header === "" ? "none" : header,
        `Add the scope repo: https://github.com/settings/tokens`,
      );
}

const DAY = 24 * 60 * 60 * 1000;

function checkEnd({ headers }: HttpResult): Result[] {
  const text = headers.get("github-authentication-token-expiration");
  // "2026-12-22 10:00:00 UTC", or with an offset for a zone.
  const end = text === null ? NaN : Date.parse(text.replace(" UTC", "Z").replace(" ", "T"));
  if (Number.isNaN(end) || end - Date.now() > 14 * DAY) return [];
  return [note("GitHub token", `ends at ${text}`, `Make the next one before that: ${TOKEN_PAGES}`)];
}
