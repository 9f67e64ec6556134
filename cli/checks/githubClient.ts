import { githubServer } from "../../components/githubServer";
import { type Answer, ask, textField } from "./http";
import type { Surroundings } from "./surroundings";

/** GitHub's REST API as this computer reaches it. */
export interface GithubClient {
  /** Where the token is from, in words; empty without one. */
  source: string;
  /** Why nothing is asked: the provider would talk to another server than github.com. Empty: it would not. */
  refusal: string;
  get(path: string): Promise<Answer>;
}

/** The token as Pulumi's GitHub provider finds it: GITHUB_TOKEN, or the GitHub CLI's. */
export async function githubClient(around: Surroundings): Promise<GithubClient> {
  const { env } = around;
  let token = env["GITHUB_TOKEN"] ?? "";
  let source = token === "" ? "" : "GITHUB_TOKEN";
  if (token === "") {
    const gh = await around.run(env["GH_PATH"] ?? "gh", ["auth", "token", "--hostname", "github.com"]);
    token = gh.code === 0 ? gh.stdout.trim() : "";
    source = token === "" ? "" : "the GitHub CLI";
  }
  // The provider's own variable. An emulator may be named in it.
  const base = (env["GITHUB_BASE_URL"] || "https://api.github.com").replace(/\/$/, "");
  const refusal = githubServer("GITHUB_BASE_URL", env["GITHUB_BASE_URL"])[0] ?? "";
  const headers = {
    accept: "application/vnd.github+json",
    "user-agent": "pulumi-nixos",
    "x-github-api-version": "2022-11-28",
    ...(token === "" ? {} : { authorization: `Bearer ${token}` }),
  };
  // A header cannot hold a newline, and fetch would print the token in its error.
  const usable = /^[\x21-\x7e]*$/.test(token);
  return {
    source: usable ? source : "",
    refusal,
    get: (path) =>
      refusal === ""
        ? ask(`${base}${path}`, { headers: usable ? headers : {} }, around.patienceSeconds)
        : Promise.resolve({ status: 0, headers: new Headers(), body: undefined, trouble: refusal }),
  };
}

/** What an answer other than the hoped-for one means, and what to do. */
export function githubTrouble({ status, headers, body, trouble }: Answer): { found: string; remedy: string } {
  const message = textField(body, "message");
  if (status === 0) {
    return {
      found: `GitHub: ${trouble}`,
      remedy: "Check the network and https://www.githubstatus.com, then run this again.",
    };
  }
  if (status === 401) {
    return {
      found: "GitHub refuses the token (401): it has expired, was revoked, or was copied in part",
      remedy: `Make a new one: ${TOKEN_PAGES}`,
    };
  }
  if (
    status === 429 ||
    (status === 403 && (headers.get("x-ratelimit-remaining") === "0" || headers.has("retry-after")))
  ) {
    const reset = Number(headers.get("x-ratelimit-reset"));
    const when = reset > 0 ? ` It ends at ${new Date(reset * 1000).toISOString()}.` : "";
    return { found: `GitHub's limit of requests is used up (${status})`, remedy: `Wait and run this again.${when}` };
  }
  if (status === 403 && headers.has("x-github-sso")) {
    return {
      found: "the organization asks for single sign-on (403)",
      remedy: "Authorize the token for it: https://github.com/settings/tokens, Configure SSO.",
    };
  }
  if (status === 403) {
    return { found: `GitHub forbids this to the token (403${message && `: ${message}`})`, remedy: TOKEN_NEEDS };
  }
  if (status === 404) {
    return {
      found: "GitHub does not know it, or the token may not see it (404)",
      remedy: `Check the name. ${TOKEN_NEEDS}`,
    };
  }
  return {
    found: `GitHub answers with status ${status}`,
    remedy: "That is a fault at GitHub: see https://www.githubstatus.com and run this again in a few minutes.",
  };
}

export const TOKEN_PAGES =
  "https://github.com/settings/tokens (classic, scope repo) or https://github.com/settings/personal-access-tokens (fine-grained), then set GITHUB_TOKEN.";

export const TOKEN_NEEDS =
  "The token needs the scope repo (classic), or for this owner Administration: read and write and Contents: read (fine-grained; all repositories, to create one).";
