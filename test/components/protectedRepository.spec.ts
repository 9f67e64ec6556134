/**
 * ProtectedRepository against mocks: every resource that it registers, with every input, for each way to use it.
 * Cannot prove: what GitHub allows an account on its plan, or that the checks are ever reported.
 */
import assert from "node:assert/strict";
import { Provider } from "@pulumi/github";
import * as pulumi from "@pulumi/pulumi";
import { ProtectedRepository, type ProtectedRepositoryArgs } from "../../components/index";
import { awaited } from "../support/awaited";
import { cloud } from "../support/cloud";
import { ADOPTING } from "../../components/signals";
import { newKey } from "../../cli/rehearse/keys";
import { type Answers, cloudResources, only, refusal, run, table } from "../support/mocks";

const REPOSITORY = "github:index/repository:Repository";
const RULE = "github:index/branchProtection:BranchProtection";
const RULESET = "github:index/repositoryRuleset:RepositoryRuleset";
const DEPLOY_KEY = "github:index/repositoryDeployKey:RepositoryDeployKey";
const LOOKUP = "github:index/getRepository:getRepository";
const RULES = "github:index/getBranchProtectionRules:getBranchProtectionRules";
const REST = "github:index/getRestApi:getRestApi";

const base: ProtectedRepositoryArgs = { owner: "octo", name: "server", githubPlan: "paid" };
const deployPublicKey = newKey().publicKeyOpenssh.trim();

/** A GitHub in which nothing is there yet. */
function nothingThere() {
  const { invokes, ...answers } = cloud();
  return { ...answers, invokes: { ...invokes, [LOOKUP]: () => ({ nodeId: "" }), [RULES]: () => ({ rules: [] }) } };
}

function repository(args: Partial<ProtectedRepositoryArgs> = {}) {
  return run(cloud(), () => new ProtectedRepository("repo", { ...base, ...args }));
}

describe("ProtectedRepository", () => {
  it("registers repository, rule and deploy key, all its children", async () => {
    const { resources } = await repository({ deployPublicKey });
    assert.deepEqual(table(resources), [
      `${RULE} repo-protection in repo`,
      `${REPOSITORY} repo in repo`,
      `${DEPLOY_KEY} repo-deploy-key in repo`,
      "nixos:index:ProtectedRepository repo in -",
    ]);
  });

  it("makes a private repository of that very name, empty, with tidy merges", async () => {
    const { resources } = await repository();
    assert.deepEqual(only(resources, REPOSITORY).inputs, {
      name: "server",
      description: "Configuration of a NixOS server that keeps itself up to date from this repository",
      visibility: "private",
      autoInit: false,
      hasIssues: true,
      hasProjects: false,
      hasWiki: false,
      allowMergeCommit: true,
      allowSquashMerge: true,
      allowRebaseMerge: true,
      allowUpdateBranch: true,
      allowAutoMerge: true,
      deleteBranchOnMerge: true,
      archiveOnDestroy: true,
    });
  });

  for (const visibility of ["public", "internal"]) {
    it(`makes a repository that is ${visibility}`, async () => {
      const { resources } = await repository({ visibility });
      assert.equal(only(resources, REPOSITORY).inputs["visibility"], visibility);
    });
  }

  const ends: [string, boolean, object][] = [
    ["archive", true, {}],
    ["retain", false, { retainOnDelete: true }],
    ["delete", false, {}],
  ];
  for (const [onDestroy, archived, options] of ends) {
    it(`ends with ${onDestroy}`, async () => {
      const made = only((await repository({ onDestroy })).resources, REPOSITORY);
      assert.equal(made.inputs["archiveOnDestroy"], archived);
      assert.deepEqual(made.options, options);
    });
  }

  it("protects main by a rule with the two checks, strict, without reviews", async () => {
    const { resources } = await repository();
    assert.deepEqual(only(resources, RULE).inputs, {
      repositoryId: "node-of-server",
      pattern: "main",
      requiredStatusChecks: [{ strict: true, contexts: ["Evaluate flake.nix", "nixosConfig default"] }],
      enforceAdmins: false,
      allowsForcePushes: false,
      allowsDeletions: false,
    });
  });

  it("takes branch, checks, reviews and administrators into the rule", async () => {
    const { resources } = await repository({
      branch: "release/26.05",
      requiredChecks: ["build"],
      requiredReviews: 2,
      enforceAdmins: true,
    });
    const { inputs } = only(resources, RULE);
    assert.equal(inputs["pattern"], "release/26.05");
    assert.deepEqual(inputs["requiredStatusChecks"], [{ strict: true, contexts: ["build"] }]);
    assert.deepEqual(inputs["requiredPullRequestReviews"], [
      { requiredApprovingReviewCount: 2, dismissStaleReviews: true },
    ]);
    assert.equal(inputs["enforceAdmins"], true);
  });

  it("protects by a ruleset instead, which lets the first push create the branch", async () => {
    const { resources } = await repository({ branchProtection: "ruleset" });
    assert.deepEqual(cloudResources(resources), [`${REPOSITORY} repo`, `${RULESET} repo-ruleset`]);
    assert.deepEqual(only(resources, RULESET).inputs, {
      repository: "server",
      name: "repo",
      target: "branch",
      enforcement: "active",
      conditions: { refName: { includes: ["refs/heads/main"], excludes: [] } },
      bypassActors: [{ actorId: 5, actorType: "RepositoryRole", bypassMode: "always" }],
      rules: {
        deletion: true,
        nonFastForward: true,
        requiredStatusChecks: {
          requiredChecks: [{ context: "Evaluate flake.nix" }, { context: "nixosConfig default" }],
          strictRequiredStatusChecksPolicy: true,
          doNotEnforceOnCreate: true,
        },
      },
    });
  });

  it("takes branch, reviews and administrators into the ruleset", async () => {
    const { resources } = await repository({
      branchProtection: "ruleset",
      branch: "live",
      requiredReviews: 1,
      enforceAdmins: true,
    });
    const { conditions, bypassActors, rules } = only(resources, RULESET).inputs;
    assert.deepEqual(conditions, { refName: { includes: ["refs/heads/live"], excludes: [] } });
    assert.deepEqual(bypassActors, []);
    assert.deepEqual((rules as { pullRequest: unknown }).pullRequest, {
      requiredApprovingReviewCount: 1,
      dismissStaleReviewsOnPush: true,
    });
  });

  it("protects nothing when protection is off", async () => {
    const { resources } = await repository({ branchProtection: "off" });
    assert.deepEqual(cloudResources(resources), [`${REPOSITORY} repo`]);
  });

  it("adopts a repository without changing it", async () => {
    const { resources, invokes } = await repository({ create: false, deployPublicKey });
    assert.deepEqual(cloudResources(resources), [`${RULE} repo-protection`, `${DEPLOY_KEY} repo-deploy-key`]);
    assert.deepEqual(invokes, [{ token: LOOKUP, args: { fullName: "octo/server" }, provider: "" }]);
    assert.equal(only(resources, RULE).inputs["repositoryId"], "node-of-server");
    assert.equal(only(resources, DEPLOY_KEY).inputs["repository"], "server");
  });

  it("refuses to adopt a repository that the token cannot see, before any cloud call", async () => {
    // The provider's answer for a missing repository is empty; it is no error.
    const answers = { ...cloud(), invokes: { [LOOKUP]: () => ({}) } };
    const adopt = () => new ProtectedRepository("repo", { ...base, create: false, deployPublicKey });
    const { error, resources } = await refusal(answers, adopt);
    assert.match(error.message, /GitHub shows no repository octo\/server to this token, and create is false\. /);
    assert.deepEqual(cloudResources(resources), []);
  });

  it("looks nothing up when it makes the repository", async () => {
    assert.deepEqual((await repository()).invokes, []);
  });

  it("lets one key read, and nothing more", async () => {
    const { resources } = await repository({ deployPublicKey, deployKeyTitle: "the machine" });
    assert.deepEqual(only(resources, DEPLOY_KEY).inputs, {
      repository: "server",
      title: "the machine",
      key: deployPublicKey,
      readOnly: true,
    });
  });

  it("names the deploy key after the resource unless told otherwise", async () => {
    const { resources } = await repository({ deployPublicKey });
    assert.equal(only(resources, DEPLOY_KEY).inputs["title"], "repo");
  });

  it("gives the key of each generation a deploy key of its own, so that a rotation has both for a moment", async () => {
    const names = async (deployKeyVersion: number) =>
      only((await repository({ deployPublicKey, deployKeyVersion })).resources, DEPLOY_KEY).name;
    assert.deepEqual([await names(1), await names(3)], ["repo-deploy-key", "repo-deploy-key-3"]);
  });

  it("makes no deploy key without a public key", async () => {
    const { resources } = await repository();
    assert.deepEqual(cloudResources(resources), [`${RULE} repo-protection`, `${REPOSITORY} repo`]);
  });

  it("registers exactly its outputs", async () => {
    const { resources } = await repository();
    assert.deepEqual(only(resources, "nixos:index:ProtectedRepository").outputs, {
      fullName: "octo/server",
      sshUrl: "git@github.com:octo/server.git",
      httpUrl: "https://github.com/octo/server",
      upgradeFlake: "git+ssh://git@github.com/octo/server?ref=main&dir=nix#default",
      repositoryName: "server",
      repositoryId: 345,
    });
  });

  it("has the same outputs for a repository that it adopted", async () => {
    const made = only((await repository()).resources, "nixos:index:ProtectedRepository").outputs;
    const adopted = only((await repository({ create: false })).resources, "nixos:index:ProtectedRepository").outputs;
    assert.deepEqual(adopted, made);
  });

  it("upgrades by HTTPS where a token gives access", async () => {
    const { result } = await repository({ access: "token" });
    assert.equal(await awaited(result.upgradeFlake), "github:octo/server/heads/main?dir=nix#default");
  });

  it("warns once, in plain words, that a free plan cannot protect a private repository", async () => {
    const { warnings } = await repository({ githubPlan: "unknown" });
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]!, /GitHub protects branches of private repositories on paid plans only/);
    assert.match(warnings[0]!, /visibility: "public".*branchProtection: "off".*githubPlan to "paid"/);
  });

  const quiet: [string, Partial<ProtectedRepositoryArgs>][] = [
    ["a paid plan", { githubPlan: "paid" }],
    ["a public repository", { githubPlan: "unknown", visibility: "public" }],
    ["no protection", { githubPlan: "free", branchProtection: "off" }],
    ["a public repository on a free plan", { githubPlan: "free", visibility: "public" }],
    ["a repository that is adopted", { githubPlan: "unknown", create: false }],
  ];
  for (const [what, args] of quiet) {
    it(`says nothing about plans for ${what}`, async () => assert.deepEqual((await repository(args)).warnings, []));
  }

  it("passes an explicit provider on to every resource and lookup", async () => {
    const answers = cloud();
    answers.resources["pulumi:providers:github"] = () => ({});
    const { resources, invokes } = await run(answers, () => {
      const github = new Provider("elsewhere", { owner: "octo" });
      new ProtectedRepository("made", { ...base, deployPublicKey }, { providers: { github } });
      new ProtectedRepository(
        "found",
        { ...base, create: false, branchProtection: "ruleset" },
        { providers: { github } },
      );
    });
    const used = [...resources.filter(({ parent, custom }) => custom && parent !== ""), ...invokes];
    assert.equal(used.length, 5);
    for (const { provider } of used) assert.match(provider, /::elsewhere::elsewhere-id$/);
  });

  it("registers the same in a preview as in an update", async () => {
    const names = async (preview: boolean) => {
      const program = () => new ProtectedRepository("repo", { ...base, deployPublicKey });
      return table((await run(nothingThere(), program, preview)).resources);
    };
    assert.deepEqual(await names(true), await names(false));
  });

  it("asks for auto-merge only where GitHub protects branches: elsewhere GitHub leaves it off", async () => {
    const asked = async (branchProtection: string) =>
      only((await repository({ branchProtection })).resources, REPOSITORY).inputs["allowAutoMerge"] as boolean;
    assert.deepEqual([await asked("branch"), await asked("ruleset"), await asked("off")], [true, true, false]);
  });

  it("refuses a repository that the provider made in another account", async () => {
    // The mocked provider is octo's.
    const { error } = await refusal(cloud(), () => new ProtectedRepository("repo", { ...base, owner: "acme" }));
    assert.match(
      error.message,
      /The repository is octo\/server, but the machine follows one of acme\. .*github:owner acme/,
    );
    const { result } = await run(cloud(), () => new ProtectedRepository("repo", { ...base, owner: "Octo" }));
    assert.equal(await awaited(result.fullName), "octo/server");
  });

  it("lets two of them live in one stack", async () => {
    const { resources } = await run(cloud(), () => [
      new ProtectedRepository("a", base),
      new ProtectedRepository("b", { ...base, name: "other" }),
    ]);
    assert.equal(cloudResources(resources).length, 4);
  });

  const bad: [string, Partial<ProtectedRepositoryArgs>, string][] = [
    ["an owner with illegal characters", { owner: "oc_to" }, 'owner: got "oc_to"; allowed: a GitHub user'],
    ["a name with illegal characters", { name: "ser ver" }, 'name: got "ser ver"; allowed: a GitHub repository name'],
    ["a branch with a wildcard", { branch: "rel/*" }, 'branch: got "rel/*"; allowed: a branch'],
    ["another visibility", { visibility: "secret" }, 'visibility: got "secret"; allowed: "private"'],
    ["another kind of protection", { branchProtection: "none" }, 'branchProtection: got "none"; allowed: "branch"'],
    ["no required checks", { requiredChecks: [] }, "requiredChecks: got []; allowed: at least one"],
    ["an empty required check", { requiredChecks: ["a", ""] }, 'requiredChecks: got ["a",""]; allowed: at least one'],
    ["a required check twice", { requiredChecks: ["a", "a"] }, 'requiredChecks: got ["a","a"]; allowed: at least one'],
    ["seven reviews", { requiredReviews: 7 }, "requiredReviews: got 7; allowed: a whole number of reviews from 0 to 6"],
    ["another end", { onDestroy: "keep" }, 'onDestroy: got "keep"; allowed: "archive"'],
    ["another plan", { githubPlan: "pro" }, 'githubPlan: got "pro"; allowed: "free"'],
    ["another kind of access", { access: "ssh" }, 'access: got "ssh"; allowed: "deploy-key"'],
    ["a deploy key of another type", { deployPublicKey: "ssh-rsa AAAA" }, 'deployPublicKey: got "ssh-rsa AAAA"'],
    [
      "a private repository on a free plan",
      { githubPlan: "free" },
      "githubPlan: GitHub refuses to protect branches of a private repository on a free plan. Make the repository public",
    ],
  ];
  for (const [what, args, message] of bad) {
    it(`refuses ${what} before any cloud call`, async () => {
      const program = () => new ProtectedRepository("repo", { ...base, ...args });
      const { error, resources, invokes } = await refusal(cloud(), program);
      assert.ok(pulumi.ResourceError.isInstance(error));
      assert.ok(error.message.startsWith(`ProtectedRepository "repo" has 1 problem:\n  - ${message}`), error.message);
      assert.deepEqual(cloudResources(resources), []);
      assert.deepEqual(invokes, []);
    });
  }

  it("makes no deploy key of an output that turns out to be no ed25519 key", async () => {
    const { error, resources } = await refusal(
      cloud(),
      () => new ProtectedRepository("repo", { ...base, deployPublicKey: pulumi.output("ssh-rsa AAAA") }),
    );
    assert.match(error.message, /deployPublicKey: got "ssh-rsa AAAA"/);
    assert.ok(!cloudResources(resources).includes(`${DEPLOY_KEY} repo-deploy-key`));
  });
});

describe("what is on GitHub already, and not in the stack", () => {
  /** The refusal of a preview: no other call is made, for an update is not begun. */
  const refused = async (args: Partial<ProtectedRepositoryArgs>, found: Answers["invokes"]) => {
    const answers = nothingThere();
    const there = { ...answers, invokes: { ...answers.invokes, ...found } };
    const program = () => new ProtectedRepository("repo", { ...base, ...args });
    return (await refusal(there, program, true)).error.message;
  };
  const repository = (more: object = {}) => ({ [LOOKUP]: () => ({ nodeId: "R_1", name: "server", ...more }) });

  // Fault 107
  it("is noticed in the preview, with the ways that work: a repository", async () => {
    const message = await refused({}, repository());
    assert.match(message, /^GitHub has the repository octo\/server already, and this stack does not: /);
    assert.match(message, /"name already exists on this account"/);
    assert.match(message, /pulumi config set --path repository\.create false/);
    assert.match(message, /npm run adopt -- repo=server/);
    assert.doesNotMatch(message, /archived/);
  });

  it("is noticed in the preview: a repository that a destroy archived", async () => {
    assert.match(await refused({}, repository({ archived: true })), /archived: unarchive it first, .* octo\/server/);
  });

  // Fault 108
  it("is noticed in the preview, with the ways that work: a rule of an adopted repository", async () => {
    const there = { ...repository(), [RULES]: () => ({ rules: [{ pattern: "release/*" }, { pattern: "main" }] }) };
    const message = await refused({ create: false }, there);
    assert.match(message, /^A rule for main protects server on GitHub already, and this stack does not have it/);
    assert.match(message, /"Name already protected: main"/);
    assert.match(message, /npm run adopt -- repo-protection=server:main/);
    assert.match(message, /pulumi config set --path repository\.branchProtection off/);
  });

  it("is noticed in the preview, with the ways that work: a ruleset", async () => {
    const body = JSON.stringify([{ id: 17, name: "repo" }]);
    const there = { ...repository(), [REST]: () => ({ body, code: 200 }) };
    const message = await refused({ create: false, branchProtection: "ruleset" }, there);
    assert.match(message, /npm run adopt -- repo-ruleset=server:17/);
  });

  it("stops nothing where it cannot be looked at, or is of another name", async () => {
    const answers = nothingThere();
    const invokes = { ...answers.invokes, [RULES]: () => ({ rules: [{ pattern: "ma*" }] }) };
    const program = () => new ProtectedRepository("repo", base);
    await run({ ...answers, invokes }, program, true);
    const fail = () => {
      throw new Error("401 Bad credentials");
    };
    await run({ ...answers, invokes: { ...invokes, [LOOKUP]: fail, [RULES]: fail } }, program, true);
  });

  it("is no mistake while it is adopted", async () => {
    process.env[ADOPTING] = "true";
    try {
      const answers = nothingThere();
      const there = { ...answers, invokes: { ...answers.invokes, ...repository() } };
      await run(there, () => new ProtectedRepository("repo", base), true);
    } finally {
      delete process.env[ADOPTING];
    }
  });
});

describe("a repository that is retained", () => {
  for (const [protection, type] of [
    ["branch", RULE],
    ["ruleset", RULESET],
  ] as const) {
    it(`keeps its protection too: ${protection}`, async () => {
      const retained = async (onDestroy: string) =>
        only((await repository({ protection, onDestroy })).resources, type).options.retainOnDelete;
      assert.equal(await retained("retain"), true);
      assert.equal(await retained("archive"), undefined);
    });
  }
});
