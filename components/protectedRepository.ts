import * as github from "@pulumi/github";
import * as pulumi from "@pulumi/pulumi";
import {
  accessKind,
  byRule,
  githubPlan,
  onDestroy,
  branchProtection,
  requiredReviews,
  visibility,
} from "./values/rules";
import { DEFAULTS, withDefaults } from "./values/defaults";
import { ArgumentRules } from "./values/errors";
import { underNewNames, warnOfFormerNames } from "./values/formerNames";
import { RULES } from "./deploy/rules.cjs";
import { refuseExisting } from "./existing";
import { DEFAULT_ACCESS } from "./deploy/access/index.cjs";
import { upgradeFlake } from "./values/flakeRef";
import { answerOf, onceMade } from "./lookUp";
import { branchName, ownerName, repositoryName, requiredCheckNames } from "./values/repositoryNames";
import { outputsOf } from "./values/outputs";

const FORMER_NAMES = { protection: "branchProtection", plan: "githubPlan", deployKeyGeneration: "deployKeyVersion" };

/** What a stack may choose about its repository. */
export interface RepositorySettings {
  /**
   * Whether the repository is created here. `false` adopts one that exists: it must be there, its settings stay as
   * they are, and only protection and deploy key are managed.
   * @default true
   */
  create?: boolean;
  /**
   * `private`, `public`, or `internal` (organizations of GitHub Enterprise). Only of a repository that is created here.
   * @default "private"
   */
  visibility?: pulumi.Input<string>;
  /**
   * How the branch is protected: `branch` (a branch protection rule, as in the book), `ruleset` (the newer kind; its
   * checks are not enforced when the branch is created), or `off`. A change replaces one kind by the other.
   * @default "branch"
   */
  branchProtection?: string;
  /**
   * The name that `branchProtection` had.
   * @deprecated in favour of `branchProtection`
   * @default that of `branchProtection`
   */
  protection?: string;
  /**
   * Names of the status checks that must pass before a merge. They must be reported by some CI: a check that nobody
   * reports locks the branch for ever.
   * @default ["Evaluate flake.nix", "nixosConfig default"]
   */
  requiredChecks?: string[];
  /**
   * Number of approving reviews that a pull request needs, 0 to 6. 0 asks for none.
   * @default 0
   */
  requiredReviews?: number;
  /**
   * Whether the protection also binds administrators. With `branchProtection: "branch"` the first push is then refused,
   * because nothing has reported its checks; turn it on after that push, or use `ruleset`.
   * @default false
   */
  enforceAdmins?: pulumi.Input<boolean>;
  /**
   * What happens to a repository created here when it leaves the stack: `archive` (read-only on GitHub), `retain` (left
   * as it is, with the protection of its branch, be it created here or not), or `delete` (gone, with its history, issues
   * and pull requests). With `retain` a protection that the configuration turns off or replaces stays on GitHub too.
   * @default "archive"
   */
  onDestroy?: string;
  /**
   * The plan of the repository's owner, `free`, `paid` or `unknown`. GitHub refuses to protect branches of private
   * repositories on free plans: `free` makes that an error before anything is created, `unknown` a warning.
   * @default "unknown"
   */
  githubPlan?: string;
  /**
   * The name that `githubPlan` had.
   * @deprecated in favour of `githubPlan`
   * @default that of `githubPlan`
   */
  plan?: string;
}

/** Arguments of ProtectedRepository. */
export interface ProtectedRepositoryArgs extends RepositorySettings {
  /** User or organization that owns the repository. The GitHub provider must be configured for the same owner. */
  owner: pulumi.Input<string>;
  /** Name of the repository, without its owner. A change renames it on GitHub. */
  name: pulumi.Input<string>;
  /**
   * The protected branch, which the machine follows.
   * @default "main"
   */
  branch?: pulumi.Input<string>;
  /**
   * How the machine reads the repository: `deploy-key` (with its own key) or `token` (with a token from the SOPS file).
   * @default "deploy-key"
   */
  access?: pulumi.Input<string>;
  /**
   * Public key (OpenSSH form) that may read the repository. Without it no deploy key is made. A change removes the old
   * deploy key before it adds the new one, unless `deployKeyVersion` changes too.
   */
  deployPublicKey?: pulumi.Input<string>;
  /**
   * Number of that key, which a rotation changes together with it: the new deploy key is then added before the old one
   * is removed.
   * @default 1
   */
  deployKeyVersion?: number;
  /**
   * The name that `deployKeyVersion` had.
   * @deprecated in favour of `deployKeyVersion`
   * @default that of `deployKeyVersion`
   */
  deployKeyGeneration?: number;
  /**
   * Title of the deploy key, as GitHub's settings show it. A change replaces the deploy key.
   * @default the name of the resource
   */
  deployKeyTitle?: pulumi.Input<string>;
  /**
   * Whether the engine refuses to delete, archive or replace a repository that was created here.
   * @default false
   */
  protect?: boolean;
}

/**
 * A GitHub repository whose branch takes only what its checks have passed, and that one machine may read.
 *
 * @example
 * ```ts
 * const key = new SshKeyPair("server");
 *
 * const repository = new ProtectedRepository("server", {
 *   owner: "octocat",
 *   name: "server",
 *   deployPublicKey: key.publicKeyOpenssh,
 *   githubPlan: "paid",
 * });
 * export const flake = repository.upgradeFlake;
 * ```
 */
export class ProtectedRepository extends pulumi.ComponentResource {
  /** `owner/name`. */
  public readonly fullName: pulumi.Output<string>;
  /** Address for git over SSH, `git@github.com:owner/name.git`. */
  public readonly sshUrl: pulumi.Output<string>;
  /** Address of the repository's page. */
  public readonly httpUrl: pulumi.Output<string>;
  /** Flake reference of `system.autoUpgrade` on the machine. */
  public readonly upgradeFlake: pulumi.Output<string>;
  /** Name of the repository without its owner, known once the repository is there. */
  public readonly repositoryName: pulumi.Output<string>;
  /** GitHub's number of the repository, which a new name does not change. */
  public readonly repositoryId: pulumi.Output<number>;

  /**
   * @param name name of the resource; the names of those beneath it in the cloud begin with it
   * @param args its arguments
   * @param opts options of Pulumi's; `transforms` reach the resources beneath (docs/packages.md)
   */
  constructor(name: string, args: ProtectedRepositoryArgs, opts?: pulumi.ComponentResourceOptions) {
    super("nixos:index:ProtectedRepository", name, args, opts);

    const checked = checkedArgs(this, name, args);
    const repository = checked.create ? createRepository(this, name, checked) : adoptRepository(this, checked);
    protect(this, name, checked, repository);
    addDeployKey(this, name, args, checked, repository);

    this.fullName = repository.fullName;
    this.sshUrl = repository.sshUrl;
    this.httpUrl = repository.httpUrl;
    this.upgradeFlake = pulumi
      .output({
        owner: checked.owner,
        name: checked.name,
        branch: checked.branch,
        access: checked.access,
      })
      .apply(upgradeFlake);
    this.repositoryName = repository.name;
    this.repositoryId = repository.id;

    this.registerOutputs(outputsOf(this));
  }
}

/** What the other resources need of a repository, be it created or adopted. */
interface RepositoryFacts {
  name: pulumi.Output<string>;
  id: pulumi.Output<number>;
  nodeId: pulumi.Output<string>;
  fullName: pulumi.Output<string>;
  sshUrl: pulumi.Output<string>;
  httpUrl: pulumi.Output<string>;
}

type CheckedArgs = ReturnType<typeof checkedArgs>;

/** Checks what a stack may choose; ContinuousDeployment does so before it makes its first part. */
export function checkRepositorySettings(checks: ArgumentRules, given: RepositorySettings) {
  const args = withDefaults(underNewNames(checks, given, FORMER_NAMES), DEFAULTS.repository);
  const checked = {
    create: args.create,
    visibility: checks.input("visibility", args.visibility, visibility),
    branchProtection: checks.plain("branchProtection", args.branchProtection, branchProtection),
    requiredChecks: checks.plain("requiredChecks", args.requiredChecks, requiredCheckNames),
    requiredReviews: checks.plain("requiredReviews", args.requiredReviews, requiredReviews),
    enforceAdmins: args.enforceAdmins,
    onDestroy: checks.plain("onDestroy", args.onDestroy, onDestroy),
    githubPlan: checks.plain("githubPlan", args.githubPlan, githubPlan),
  };
  if (needsPaidPlan(checked)) checks.plain("githubPlan", checked.githubPlan, protectionIsAllowed);
  return checked;
}

function checkedArgs(component: ProtectedRepository, name: string, given: ProtectedRepositoryArgs) {
  const checks = new ArgumentRules(component, `ProtectedRepository ${JSON.stringify(name)}`);
  const args = underNewNames(checks, given, FORMER_NAMES);
  const checked = {
    owner: checks.input("owner", args.owner, ownerName),
    name: checks.input("name", args.name, repositoryName),
    branch: checks.input("branch", args.branch ?? "main", branchName),
    access: checks.input("access", args.access ?? DEFAULT_ACCESS, accessKind),
    ...checkRepositorySettings(checks, args),
    deployPublicKey:
      args.deployPublicKey === undefined
        ? undefined
        : checks.input("deployPublicKey", args.deployPublicKey, byRule(RULES.publicKey)),
    deployKeyVersion: args.deployKeyVersion ?? 1,
    protect: args.protect,
  };
  checks.refuseProblems();
  warnOfFormerNames(component, [given, FORMER_NAMES]);
  if (needsPaidPlan(checked)) warnOfUnknownPlan(component, checked.githubPlan);
  return checked;
}

function needsPaidPlan({
  visibility,
  branchProtection,
  create,
}: {
  visibility: pulumi.Input<string>;
  branchProtection: string;
  create: boolean;
}): boolean {
  return visibility === "private" && branchProtection !== "off" && create;
}

const WAY_OUT =
  'Make the repository public (visibility: "public"), turn protection off (branchProtection: "off"), or use a paid plan.';

function protectionIsAllowed(property: string, plan: string): string[] {
  if (plan !== "free") return [];
  return [`${property}: GitHub refuses to protect branches of a private repository on a free plan. ${WAY_OUT}`];
}

function warnOfUnknownPlan(component: ProtectedRepository, plan: string): void {
  if (plan !== "unknown") return;
  void pulumi.log.warn(
    `GitHub protects branches of private repositories on paid plans only (Pro, Team, Enterprise). On a free plan the ` +
      `update will stop with "Upgrade to GitHub Pro or make this repository public". ${WAY_OUT} ` +
      `With a paid plan, set githubPlan to "paid" and this warning goes away.`,
    component,
  );
}

function createRepository(component: ProtectedRepository, name: string, checked: CheckedArgs): RepositoryFacts {
  const repository = new github.Repository(
    name,
    {
      // Without an explicit name the provider would add a random suffix, and the machine would look elsewhere.
      name: checked.name,
      description: "Configuration of a NixOS server that keeps itself up to date from this repository",
      visibility: checked.visibility,
      // The first push brings the history; a commit made by GitHub would make it a force push.
      autoInit: false,
      hasIssues: true,
      hasProjects: false,
      hasWiki: false,
      allowMergeCommit: true,
      allowSquashMerge: true,
      allowRebaseMerge: true,
      // Required checks are strict: the button brings a branch up to date, and auto-merge waits for the checks.
      allowUpdateBranch: true,
      // GitHub leaves it off where it protects no branches (private, on a free plan), and every night would find a drift.
      allowAutoMerge: checked.branchProtection !== "off",
      deleteBranchOnMerge: true,
      archiveOnDestroy: checked.onDestroy === "archive",
    },
    { parent: component, protect: checked.protect, retainOnDelete: checked.onDestroy === "retain" },
  );
  refuseExisting(component, repository, () => repositoryIsThere(component, name, checked));
  return {
    name: repository.name,
    id: repository.repoId,
    nodeId: repository.nodeId,
    fullName: pulumi
      .all([repository.fullName, checked.owner])
      .apply(([fullName, owner]) => ofOwner(component, fullName, owner)),
    sshUrl: repository.sshCloneUrl,
    httpUrl: repository.htmlUrl,
  };
}

async function repositoryIsThere(
  component: ProtectedRepository,
  name: string,
  { owner, name: wanted }: CheckedArgs,
): Promise<string | undefined> {
  const [ownerName, repositoryName] = await valuesOf([owner, wanted]);
  const fullName = `${ownerName}/${repositoryName}`;
  const { nodeId, archived } = await github.getRepository({ fullName }, { parent: component });
  // For a repository that it cannot see the provider answers with nothing, not with an error.
  if (!nodeId) return undefined;
  return [
    `GitHub has the repository ${fullName} already, and this stack does not: it was left by a destroy, or another stack ` +
      `has it. Creating it would end half-way with "name already exists on this account".`,
    ...(archived ? [`  It is archived: unarchive it first, on GitHub or with gh repo unarchive ${fullName}.`] : []),
    `  To use it, with its settings left alone: pulumi config set --path repository.create false (setup: npm run setup -- --adopt).`,
    `  To manage it from here: npm run adopt -- ${name}=${repositoryName}.`,
    `  To have another one: change "name" in nix/repository.json.`,
  ].join("\n");
}

/** The values of inputs; they are known, for a preview does not look before it has registered what they are for. */
function valuesOf(inputs: pulumi.Input<string>[]): Promise<string[]> {
  return new Promise((resolve) => void pulumi.all(inputs).apply(resolve));
}

/** A provider without an owner makes the repository in the account of its token, and the machine would look elsewhere. */
function ofOwner(component: ProtectedRepository, fullName: string, owner: string): string {
  if (fullName.split("/")[0]!.toLowerCase() === owner.toLowerCase()) return fullName;
  throw new pulumi.ResourceError(
    `The repository is ${fullName}, but the machine follows one of ${owner}. The GitHub provider is configured for ` +
      `another account: pulumi config set github:owner ${owner}, and delete that repository if it is new.`,
    component,
    true,
  );
}

/** Fails in the preview when the repository is not there or the token may not see it. */
function adoptRepository(component: ProtectedRepository, checked: CheckedArgs): RepositoryFacts {
  const found = onceMade(pulumi.interpolate`${checked.owner}/${checked.name}`).apply(async (fullName) => {
    const answer = github.getRepository({ fullName }, { parent: component });
    const remedy = "The token must be valid and may see it: npm run doctor.";
    const repository = await answerOf(component, answer, `The repository ${fullName} could not be looked up`, remedy);
    // For a repository that it cannot see the provider answers with nothing, not with an error.
    if (!repository.nodeId) throw missingRepository(component, fullName);
    return repository;
  });
  return {
    name: found.name,
    id: found.repoId,
    nodeId: found.nodeId,
    fullName: found.fullName,
    sshUrl: found.sshCloneUrl,
    httpUrl: found.htmlUrl,
  };
}

function missingRepository(component: ProtectedRepository, fullName: string): Error {
  return new pulumi.ResourceError(
    `GitHub shows no repository ${fullName} to this token, and create is false. ` +
      `Set create to true to have it made, correct the name, or use a token that may see it.`,
    component,
    true,
  );
}

function protect(
  component: ProtectedRepository,
  name: string,
  checked: CheckedArgs,
  repository: RepositoryFacts,
): void {
  if (checked.branchProtection === "branch") protectByRule(component, name, checked, repository);
  if (checked.branchProtection === "ruleset") protectByRuleset(component, name, checked, repository);
}

/** A rule by pattern, which works before the branch exists (the REST kind, BranchProtectionV3, does not). */
function protectByRule(
  component: ProtectedRepository,
  name: string,
  checked: CheckedArgs,
  repository: RepositoryFacts,
): void {
  const reviews = checked.requiredReviews;
  const rule = new github.BranchProtection(
    `${name}-protection`,
    {
      repositoryId: repository.nodeId,
      pattern: checked.branch,
      requiredStatusChecks: [{ strict: true, contexts: checked.requiredChecks }],
      // Left out when none is needed: an empty block would ask for one review.
      requiredPullRequestReviews:
        reviews === 0 ? undefined : [{ requiredApprovingReviewCount: reviews, dismissStaleReviews: true }],
      enforceAdmins: checked.enforceAdmins,
      allowsForcePushes: false,
      allowsDeletions: false,
    },
    { parent: component, retainOnDelete: checked.onDestroy === "retain" },
  );
  refuseExisting(component, rule, async () => {
    const [repositoryName, branch] = await valuesOf([repository.name, checked.branch]);
    const { rules } = await github.getBranchProtectionRules({ repository: repositoryName! }, { parent: component });
    if (!rules.some(({ pattern }) => pattern === branch)) return undefined;
    const id = `${name}-protection=${repositoryName}:${branch}`;
    return isProtected(`A rule for ${branch}`, repositoryName!, `"Name already protected: ${branch}"`, id);
  });
}

function isProtected(what: string, repository: string, answer: string, adopted: string): string {
  return [
    `${what} protects ${repository} on GitHub already, and this stack does not have it: it was left by a destroy, made by ` +
      `hand, or another stack has it. Creating it would end half-way with ${answer}.`,
    `  To manage it from here: npm run adopt -- ${adopted}.`,
    `  To leave it to the other stack: pulumi config set --path repository.branchProtection off.`,
  ].join("\n");
}

/** GitHub's id of the role "repository administrator" among the actors that may bypass a ruleset. */
const ADMINISTRATOR_ROLE = 5;

function protectByRuleset(
  component: ProtectedRepository,
  name: string,
  checked: CheckedArgs,
  repository: RepositoryFacts,
): void {
  const reviews = checked.requiredReviews;
  const bypass = { actorId: ADMINISTRATOR_ROLE, actorType: "RepositoryRole", bypassMode: "always" };
  const ruleset = new github.RepositoryRuleset(
    `${name}-ruleset`,
    {
      repository: repository.name,
      name,
      target: "branch",
      enforcement: "active",
      conditions: { refName: { includes: [pulumi.interpolate`refs/heads/${checked.branch}`], excludes: [] } },
      bypassActors: pulumi.output(checked.enforceAdmins).apply((enforced) => (enforced ? [] : [bypass])),
      rules: {
        deletion: true,
        nonFastForward: true,
        requiredStatusChecks: {
          requiredChecks: checked.requiredChecks.map((context) => ({ context })),
          strictRequiredStatusChecksPolicy: true,
          // The first push creates the branch, before anything can have reported a check.
          doNotEnforceOnCreate: true,
        },
        pullRequest:
          reviews === 0 ? undefined : { requiredApprovingReviewCount: reviews, dismissStaleReviewsOnPush: true },
      },
    },
    { parent: component, retainOnDelete: checked.onDestroy === "retain" },
  );
  refuseExisting(component, ruleset, async () => {
    const [owner, repositoryName] = await valuesOf([checked.owner, checked.name]);
    const { body } = await github.getRestApi(
      { endpoint: `repos/${owner}/${repositoryName}/rulesets` },
      { parent: component },
    );
    const found = (JSON.parse(body) as { id: number; name: string }[]).find((other) => other.name === name);
    if (found === undefined) return undefined;
    const id = `${name}-ruleset=${repositoryName}:${found.id}`;
    return isProtected(`The ruleset ${name}`, repositoryName!, '"Name must be unique"', id);
  });
}

function addDeployKey(
  component: ProtectedRepository,
  name: string,
  args: ProtectedRepositoryArgs,
  checked: CheckedArgs,
  repository: RepositoryFacts,
): void {
  if (checked.deployPublicKey === undefined) return;
  const version = checked.deployKeyVersion;
  new github.RepositoryDeployKey(
    // Two versions are two resources, so that a rotation never leaves the machine without a key.
    version === 1 ? `${name}-deploy-key` : `${name}-deploy-key-${version}`,
    {
      repository: repository.name,
      title: args.deployKeyTitle ?? name,
      key: checked.deployPublicKey,
      // The machine only reads; whoever takes it over must not be able to change what other machines install.
      readOnly: true,
    },
    // GitHub takes a key only once: a renamed repository could not get it back while its old deploy key is there.
    { parent: component, deleteBeforeReplace: true },
  );
}
