import { type BranchAnswer, revisionFrom } from "../../components/deploy/revision.mjs";
import { type GithubTrouble, githubTrouble as troubleOf } from "./githubTrouble";
import { githubServer } from "../../components/values/githubServer";
import { type Answer, ask, textField } from "./http";
import type { Surroundings } from "./context";

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
    const gh = await around.run(env["GH_PATH"] ?? "gh", ["auth", "token", "--hostname", "github.com"], {
      starts: "gh",
    });
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
        : Promise.resolve({ status: 0, headers: new Headers(), body: undefined, text: "", trouble: refusal }),
  };
}

/** Which revision the branch of a repository is at: by its exact reference, as a tag may have the same name. */
export async function branchRevision(
  client: GithubClient,
  repository: string,
  branch: string,
): Promise<BranchAnswer | { trouble: GithubTrouble }> {
  const answer = await client.get(`/repos/${repository}/git/ref/heads/${branch}`);
  if (answer.status === 200) return revisionFrom(answer.body, branch);
  // 404: there is no such branch, or no such repository for this token; 409: the repository is empty.
  return [404, 409].includes(answer.status) ? { missing: true } : { trouble: githubTrouble(answer) };
}

/** What an answer other than the hoped-for one means, and what to do. */
export function githubTrouble({ status, headers, body, trouble }: Answer): GithubTrouble {
  return troubleOf({ status, headers, message: textField(body, "message"), trouble });
}
