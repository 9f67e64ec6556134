import { type Github, githubTrouble } from "../common/github";
import { TOKEN_NEEDS } from "../common/githubTrouble";
import { type GithubUser, type Plan, planOf } from "./githubUser";
import { field, textField } from "../common/http";
import { failed, note, ok, type Result } from "../common/result";

/** What the stack must know of the repository's owner and of the repository. */
export interface GithubOwner {
  plan: Plan;
  deployKeys: "allowed" | "forbidden" | "unknown";
  /** Undefined: it could not be found out whether there is one. */
  repository?: { exists: boolean; visibility: string };
  results: Result[];
}

/** The owner's kind, plan and rules, and whether the repository is there. */
export async function checkGithubOwner(
  client: Github,
  user: GithubUser,
  owner: string,
  name: string,
): Promise<GithubOwner> {
  const facts: GithubOwner = { plan: "unknown", deployKeys: "unknown", results: [] };
  if (user.login === "" && user.app !== true) return facts;
  const account = await client.get(`/users/${owner}`);
  if (account.status !== 200) {
    const { found, remedy } = githubTrouble(account);
    facts.results.push(failed("owner", `${owner}: ${found}`, remedy));
    return facts;
  }
  if (textField(account.body, "type") === "Organization") await checkOrganization(client, owner, facts);
  else if (user.app !== true) checkPerson(user, owner, facts);
  await checkRepository(client, user, owner, name, facts);
  return facts;
}

function checkPerson(user: GithubUser, owner: string, facts: GithubOwner): void {
  if (user.login.toLowerCase() !== owner.toLowerCase()) {
    facts.results.push(
      note(
        "owner",
        `${owner} is another user than the token's, ${user.login}`,
        "Only a repository that exists and that you administer can be used there.",
      ),
    );
    return;
  }
  facts.plan = user.plan;
  facts.deployKeys = "allowed";
  facts.results.push(planResult(facts.plan, owner));
}

async function checkOrganization(client: Github, owner: string, facts: GithubOwner): Promise<void> {
  const organization = await client.get(`/orgs/${owner}`);
  if (organization.status !== 200) {
    const { found, remedy } = githubTrouble(organization);
    facts.results.push(failed("owner", `the organization ${owner}: ${found}`, remedy));
    return;
  }
  facts.plan = planOf(organization.body);
  facts.results.push(planResult(facts.plan, owner));
  const enabled = field(organization.body, "deploy_keys_enabled_for_repositories");
  facts.deployKeys = enabled === true ? "allowed" : enabled === false ? "forbidden" : "unknown";
  facts.results.push(deployKeysResult(facts.deployKeys, owner));
}

function planResult(plan: Plan, owner: string): Result {
  return plan === "unknown"
    ? note(
        "plan",
        `GitHub does not tell this token the plan of ${owner}`,
        "Branch protection of a private repository needs a paid one. If you have it: `pulumi config set --path repository.githubPlan paid`.",
      )
    : ok(
        "plan",
        plan === "free"
          ? `${owner} is on the free plan: branches of public repositories can be protected`
          : `${owner} has a paid plan`,
      );
}

const DEPLOY_KEYS_PAGE =
  "https://docs.github.com/organizations/managing-organization-settings/restricting-deploy-keys-in-your-organization";

function deployKeysResult(deployKeys: GithubOwner["deployKeys"], owner: string): Result {
  switch (deployKeys) {
    case "allowed":
      return ok("deploy keys", `${owner} allows them`);
    case "forbidden":
      return note(
        "deploy keys",
        `${owner} forbids them, as new organizations do`,
        `Allow them (${DEPLOY_KEYS_PAGE}), or let the machine read with a token: "access": "token" in nix/repository.json.`,
      );
    case "unknown":
      return note(
        "deploy keys",
        `only an owner of ${owner} can see whether it allows them`,
        `If the update stops with "Deploy keys are disabled", ask an owner to allow them (${DEPLOY_KEYS_PAGE}), or use "access": "token".`,
      );
  }
}

async function checkRepository(
  client: Github,
  user: GithubUser,
  owner: string,
  name: string,
  facts: GithubOwner,
): Promise<void> {
  const answer = await client.get(`/repos/${owner}/${name}`);
  if (answer.status === 404) {
    facts.repository = { exists: false, visibility: "" };
    facts.results.push(ok("repository", `${owner}/${name} is not there yet (or the token may not see it)`));
    return;
  }
  if (answer.status !== 200) {
    const { found, remedy } = githubTrouble(answer);
    facts.results.push(failed("repository", `${owner}/${name}: ${found}`, remedy));
    return;
  }
  facts.repository = { exists: true, visibility: textField(answer.body, "visibility") };
  // GitHub leads on from the old name, until somebody takes it for another repository.
  const called = textField(answer.body, "full_name");
  if (called !== "" && called.toLowerCase() !== `${owner}/${name}`.toLowerCase()) {
    facts.results.push(
      failed(
        "repository",
        `${owner}/${name} was renamed or transferred and is now ${called}`,
        "Write that into nix/repository.json and git remote set-url origin, and commit: somebody else may take the old name.",
      ),
    );
    return;
  }
  facts.results.push(
    field(answer.body, "archived") === true
      ? failed(
          "repository",
          `${owner}/${name} is archived: nothing can be pushed`,
          `Unarchive it: https://github.com/${owner}/${name}/settings`,
        )
      : // GitHub shows an app the permissions of a user, which it is not.
        field(answer.body, "permissions", "admin") === false && user.app !== true
        ? failed("repository", `the token may not administer ${owner}/${name}`, TOKEN_NEEDS)
        : ok("repository", `${owner}/${name} is there (${facts.repository.visibility || "visibility unknown"})`),
  );
}
