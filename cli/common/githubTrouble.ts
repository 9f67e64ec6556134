/**
 * What an answer of GitHub's REST API other than the hoped-for one means: the one place for doctor, setup, the comment on a
 * pull request and the drift issue. The machine has the same rules in nix/upgrade/trouble.sh; the table
 * test/trouble/github.json is run through both.
 */
import { shortened, escapeInvisible, withoutSecrets } from "../../components/deploy/text.mjs";

export interface GithubTrouble {
  kind:
    | "unreachable"
    | "moved"
    | "token"
    | "forbidden"
    | "app"
    | "sso"
    | "ip-list"
    | "policy"
    | "blocked"
    | "not-found"
    | "rate-limit"
    | "server"
    | "error";
  /** "server": the network's, GitHub's or its limits', which nothing here can help. */
  fault: "server" | "machine";
  /** Whether the same request may be answered later. */
  retry: boolean;
  /** Seconds to wait at least before that; undefined: GitHub does not say, and a few will do. */
  wait: number | undefined;
  /** GitHub's own sentence; empty without one. */
  said: string;
  /** What is wrong, with that sentence. */
  found: string;
  /** The way out. */
  remedy: string;
}

/** The parts of an answer that tell; `status` 0: none came, and `trouble` says why. */
export interface Refused {
  status: number;
  headers: Headers;
  /** The field `message` of the answer. */
  message: string;
  trouble?: string;
}

export const TOKEN_PAGES =
  "https://github.com/settings/tokens (classic, scope repo) or https://github.com/settings/personal-access-tokens (fine-grained), then set GITHUB_TOKEN.";

export const TOKEN_NEEDS =
  "The token needs the scope repo (classic), or for this owner Administration: read and write and Contents: read (fine-grained; all repositories, to create one).";

const STATUS_PAGE = "https://www.githubstatus.com";

export function githubTrouble({ status, headers, message, trouble = "" }: Refused, now = Date.now()): GithubTrouble {
  const said = shortened(escapeInvisible(withoutSecrets(message.replace(/\s+/g, " ").trim())), 300);
  const code = `(${status}${said === "" ? "" : `: ${said}`})`;
  const machine = (kind: GithubTrouble["kind"], found: string, remedy: string): GithubTrouble => ({
    ...{ kind, fault: "machine", retry: false, wait: undefined, said },
    ...{ found: `${found} ${code}`, remedy },
  });
  const server = (kind: GithubTrouble["kind"], found: string, remedy: string, wait?: number): GithubTrouble => ({
    ...{ kind, fault: "server", retry: true, wait, said },
    ...{ found, remedy },
  });

  if (status === 0) {
    return server("unreachable", `GitHub: ${trouble}`, `Check the network and ${STATUS_PAGE}, then run this again.`);
  }
  if ([301, 302, 307, 308].includes(status)) {
    const found = `the repository was renamed or transferred ${code}`;
    const remedy = "Name it as it is called now: in nix/repository.json, and git remote set-url origin.";
    return { ...server("moved", found, remedy), retry: false };
  }
  if (status === 401) {
    const found = "GitHub refuses the token: it has expired, was revoked, or was copied in part";
    return machine("token", found, `Make a new one: ${TOKEN_PAGES}`);
  }
  if (status === 403 || status === 429) return forbidden();
  if (status === 404) {
    return machine(
      "not-found",
      "GitHub does not know it, or the token may not see it",
      `Check the name. ${TOKEN_NEEDS}`,
    );
  }
  if (status === 451) {
    return {
      ...server("blocked", `GitHub has closed it ${code}`, "https://support.github.com says why."),
      retry: false,
    };
  }
  if (status >= 500) {
    const remedy = `That is a fault at GitHub: see ${STATUS_PAGE} and run this again in a few minutes.`;
    return server(
      "server",
      `GitHub answers with status ${status}${said === "" ? "" : `: ${said}`}`,
      remedy,
      asked(headers, now),
    );
  }
  return machine(
    "error",
    "GitHub does not accept the request",
    `See ${STATUS_PAGE}; if all is well there, report this.`,
  );

  function forbidden(): GithubTrouble {
    // Words first: a secondary limit comes with none of the headers of the primary one, and with requests left.
    const secondary = /secondary rate limit|abuse detection|too quickly/i.test(said);
    const limits = status === 429 || headers.get("x-ratelimit-remaining") === "0" || headers.has("retry-after");
    if (secondary || limits || /rate limit|throttled/i.test(said)) {
      // Where GitHub names no time it asks for a minute.
      const wait = asked(headers, now) ?? 60;
      const found = secondary ? "GitHub asks for fewer requests" : "GitHub's limit of requests is used up";
      const end = new Date(now + wait * 1000).toISOString();
      return server("rate-limit", `${found} ${code}`, `Wait and run this again. It ends at ${end}.`, wait);
    }
    if (headers.has("x-github-sso") || /SAML|single sign-on/i.test(said)) {
      const url = /url=(https:\/\/github\.com\/[\w./?=&%-]+)/.exec(headers.get("x-github-sso") ?? "")?.[1];
      const page = url ?? "https://github.com/settings/tokens, Configure SSO";
      return machine("sso", "the organization asks for single sign-on", `Authorize the token for it: ${page}.`);
    }
    if (/IP allow ?list/i.test(said)) {
      const found = "the organization's IP allow list does not have this address";
      return machine("ip-list", found, "Ask an owner of the organization to add it.");
    }
    if (/forbids access via|lifetime|has enabled or enforced|access restrictions/i.test(said)) {
      const found = "the organization does not take tokens of this kind";
      return machine("policy", found, `Make one that its policy allows: ${TOKEN_PAGES}`);
    }
    if (/login attempts/i.test(said)) {
      const found = "GitHub refuses the token, and so often that it no longer looks: it has expired or was revoked";
      return machine("token", found, `Make a new one: ${TOKEN_PAGES}`);
    }
    if (/access blocked|suspended|disabled/i.test(said)) {
      return {
        ...server("blocked", `GitHub has closed it ${code}`, "https://support.github.com says why."),
        retry: false,
      };
    }
    if (/not accessible by integration/i.test(said)) {
      return machine(
        "app",
        "GitHub forbids this to the token of an App or a workflow",
        "Give the App or the job that permission.",
      );
    }
    return machine("forbidden", "GitHub forbids this to the token", TOKEN_NEEDS);
  }
}

/** Longer than anybody waits, and a date can still be made of it. */
const LONGEST_SECONDS = 999_999_999;

/** Seconds until GitHub wants to be asked again, as its headers say. */
function asked(headers: Headers, here: number): number | undefined {
  // By GitHub's clock, whose times they are: this computer's may be wrong.
  const there = Date.parse(headers.get("date") ?? "");
  const now = Number.isNaN(there) ? here : there;
  const after = headers.get("retry-after")?.trim() ?? "";
  const within = (seconds: number) => Math.min(LONGEST_SECONDS, Math.max(0, Math.ceil(seconds)));
  if (/^\d+$/.test(after)) return within(Number(after));
  // A date begins with the day's name; JavaScript also takes -5 and 1.5 for dates, which are long over.
  const date = /^[A-Z]/i.test(after) ? Date.parse(after) : NaN;
  if (!Number.isNaN(date)) return within((date - now) / 1000);
  const reset = headers.get("x-ratelimit-reset") ?? "";
  if ((headers.get("x-ratelimit-remaining") ?? "0") !== "0" || !/^\d{1,12}$/.test(reset)) return undefined;
  return within(Number(reset) - now / 1000);
}
