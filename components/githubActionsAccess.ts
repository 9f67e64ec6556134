import * as iam from "@pulumi/aws/iam";
import * as pulumi from "@pulumi/pulumi";
import { arnOf, environmentName, githubId, previewsWord, tagValue, allOrNone } from "./values/rules";
import { ArgumentRules, type ValueRule } from "./values/errors";
import { refuseExisting } from "./existing";
import { warnOfForeignPolicies } from "./foreignPolicies";
import {
  BRANCH_ENVIRONMENT,
  cacheWriteStatements,
  deployStatements,
  DRIFT_STATEMENTS,
  GITHUB_ISSUER,
  policyDocument,
  PREVIEW_STATEMENTS,
  type Statement,
  stateReadStatements,
  stateWriteStatements,
  DEPENDABOT,
  type Trusted,
  trustPolicy,
} from "./githubActionsPolicies";
import { x86InstanceType } from "./values/instanceType";
import { amiId } from "./values/nixosAmi";
import { branchName, ownerName, repositoryName } from "./values/repositoryNames";
import { outputsOf } from "./values/outputs";

/** Arguments of GithubActionsAccess. */
export interface GithubActionsAccessArgs {
  /** User or organization that owns the repository. */
  owner: pulumi.Input<string>;
  /** Name of the repository, without its owner. */
  repositoryName: pulumi.Input<string>;
  /**
   * GitHub's number of the owner. Goes with `repositoryId`: with both, the roles trust the immutable form of a token's
   * subject (`repo:owner@1/name@2:…`), which repositories made or renamed since 15 July 2026 use and which nobody can
   * claim by taking over an abandoned name. Without them, the form of older repositories.
   */
  ownerId?: pulumi.Input<number>;
  /** GitHub's number of the repository (`repoId` of the GitHub provider). Goes with `ownerId`. */
  repositoryId?: pulumi.Input<number>;
  /**
   * ARN of the account's OIDC provider for GitHub Actions. An account can have only one: name it here where it exists.
   * @default a new one is created
   */
  oidcProviderArn?: pulumi.Input<string>;
  /**
   * GitHub environment whose jobs may deploy; its protection rules then guard the role, beside `branch`.
   * @default jobs on `branch` may deploy
   */
  environment?: pulumi.Input<string>;
  /**
   * Branch whose jobs may fill the cache, look for drift and deploy, whether or not they name an environment.
   * @default "main"
   */
  branch?: pulumi.Input<string>;
  /**
   * What jobs of pull requests may do, and with them everybody who may push a branch: `state` (read the state and open
   * its secrets, which equals root on the machine), `cloud` (ask which images and subnets there are; previews then begin
   * with an empty stack and know no secret of this one), or `none` (no role, and no previews).
   * @default "state"
   */
  previews?: string;
  /**
   * Tag `Name` of the machine and its volume (that of NixosInstance is its resource's name): deployments may then change,
   * stop and end no other machine of the account. Whoever may do that to a machine is root on it.
   * @default they may do it to every machine of the account
   */
  machineName?: pulumi.Input<string>;
  /**
   * Instance types that a machine started by a deployment may have.
   * @default every type
   */
  instanceTypes?: pulumi.Input<string>[];
  /**
   * Image that a machine started by a deployment may have.
   * @default every official image of NixOS
   */
  amiId?: pulumi.Input<string>;
  /**
   * ARN of the role of the machine's instance profile, such as `readerRoleArn` of BinaryCache: deployments may give it to
   * a machine, as they must to start one.
   * @default none
   */
  machineRoleArn?: pulumi.Input<string>;
  /** ARN of the bucket of a BinaryCache. Without it no role for the cache is made. */
  cacheBucketArn?: pulumi.Input<string>;
  /** ARN of the S3 bucket that holds the stack's state. Goes with `stateKeyArn`. */
  stateBucketArn?: pulumi.Input<string>;
  /** ARN of the KMS key of the stack's secrets. Goes with `stateBucketArn`. */
  stateKeyArn?: pulumi.Input<string>;
}

/**
 * Roles that GitHub Actions jobs of one repository take without any stored key.
 *
 * A preview that can open a stack's secrets can read the machine's private key, which equals root on the machine: leave
 * `previews` at `state` only where everyone who may push a branch to the repository may also be root.
 *
 * @example
 * ```ts
 * const access = new GithubActionsAccess("server", {
 *   owner: "octocat",
 *   repositoryName: "server",
 *   previews: "none",
 * });
 * export const role = access.deployRoleArn;
 * ```
 */
export class GithubActionsAccess extends pulumi.ComponentResource {
  /** ARN of the OIDC provider. */
  public readonly oidcProviderArn: pulumi.Output<string>;
  /** ARN of the role for previews of pull requests, which cannot read user data; the empty text where there is none. */
  public readonly previewRoleArn: pulumi.Output<string>;
  /** ARN of the role for deployments. */
  public readonly deployRoleArn: pulumi.Output<string>;
  /** ARN of the role that looks for drift, on `branch` only: it reads everything, user data too, and changes nothing. */
  public readonly driftRoleArn: pulumi.Output<string>;
  /** ARN of the role that fills the cache; the empty text without `cacheBucketArn`. */
  public readonly cacheRoleArn: pulumi.Output<string>;

  /**
   * @param name name of the resource; the names of those beneath it in the cloud begin with it
   * @param args its arguments
   * @param opts options of Pulumi's; `transforms` reach the resources beneath (docs/packages.md)
   */
  constructor(name: string, args: GithubActionsAccessArgs, opts?: pulumi.ComponentResourceOptions) {
    super("nixos:index:GithubActionsAccess", name, args, opts);

    const checked = checkedArgs(this, name, args);
    const trusted = trustedTokens(checked);
    this.oidcProviderArn = findOrCreateOidcProvider(this, name, checked);
    const role = (purpose: string, tokens: pulumi.Output<Trusted>, statements: pulumi.Input<Statement[]>) =>
      createRole(this, `${name}-${purpose}`, this.oidcProviderArn, tokens, statements);

    this.previewRoleArn =
      checked.previews === "none"
        ? pulumi.output("")
        : role(
            "preview",
            // What opens the state is for people alone.
            trusted.pullRequest.apply((tokens) =>
              checked.previews === "state" ? { ...tokens, exceptActor: DEPENDABOT } : tokens,
            ),
            checked.previews === "state"
              ? withState(PREVIEW_STATEMENTS, checked, stateReadStatements)
              : PREVIEW_STATEMENTS,
          );
    this.deployRoleArn = role(
      "deploy",
      trusted.deployment,
      withState(pulumi.output(checked.machine).apply(deployStatements), checked, stateWriteStatements),
    );
    this.driftRoleArn = role("drift", trusted.branch, withState(DRIFT_STATEMENTS, checked, stateReadStatements));
    this.cacheRoleArn =
      checked.cacheBucketArn === undefined
        ? pulumi.output("")
        : role("cache", trusted.branch, pulumi.output(checked.cacheBucketArn).apply(cacheWriteStatements));

    this.registerOutputs(outputsOf(this));
  }
}

type CheckedArgs = ReturnType<typeof checkedArgs>;

function checkedArgs(component: GithubActionsAccess, name: string, args: GithubActionsAccessArgs) {
  const checks = new ArgumentRules(component, `GithubActionsAccess ${JSON.stringify(name)}`);
  const optional = <T>(property: string, value: pulumi.Input<T> | undefined, check: ValueRule<T>) =>
    value === undefined ? undefined : checks.input(property, value, check);
  const checked = {
    owner: checks.input("owner", args.owner, ownerName),
    repositoryName: checks.input("repositoryName", args.repositoryName, repositoryName),
    ownerId: optional("ownerId", args.ownerId, githubId),
    repositoryId: optional("repositoryId", args.repositoryId, githubId),
    branch: checks.input("branch", args.branch ?? "main", branchName),
    environment: optional("environment", args.environment, environmentName),
    oidcProviderArn: optional("oidcProviderArn", args.oidcProviderArn, arnOf("iam")),
    previews: checks.plain("previews", args.previews ?? "state", previewsWord),
    machine: {
      name: optional("machineName", args.machineName, tagValue),
      roleArn: optional("machineRoleArn", args.machineRoleArn, arnOf("iam")),
      instanceTypes: checks.inputs("instanceTypes", args.instanceTypes ?? [], x86InstanceType),
      imageId: optional("amiId", args.amiId, amiId),
    },
    cacheBucketArn: optional("cacheBucketArn", args.cacheBucketArn, arnOf("s3")),
    stateBucketArn: optional("stateBucketArn", args.stateBucketArn, arnOf("s3")),
    stateKeyArn: optional("stateKeyArn", args.stateKeyArn, arnOf("kms")),
  };
  checks.plain(
    "stateBucketArn, stateKeyArn",
    [args.stateBucketArn !== undefined, args.stateKeyArn !== undefined],
    allOrNone,
  );
  checks.plain("ownerId, repositoryId", [args.ownerId !== undefined, args.repositoryId !== undefined], allOrNone);
  checks.refuseProblems();
  return checked;
}

/**
 * The tokens that GitHub gives to jobs; one that names an environment has that in its subject in place of a branch.
 *
 * Jobs of the branch are trusted with the subject that they have in BRANCH_ENVIRONMENT and with the one that they have
 * without: what is merged first, the workflow that names the environment or the update that makes it, is all one.
 */
function trustedTokens({ owner, repositoryName, ownerId, repositoryId, branch, environment }: CheckedArgs) {
  const repository =
    ownerId === undefined || repositoryId === undefined
      ? pulumi.interpolate`repo:${owner}/${repositoryName}`
      : pulumi.interpolate`repo:${owner}@${ownerId}/${repositoryName}@${repositoryId}`;
  const all = pulumi.all([repository, branch, environment]);
  const ofBranch = all.apply(([prefix, name]) => ({
    subjects: [`${prefix}:ref:refs/heads/${name}`, `${prefix}:environment:${BRANCH_ENVIRONMENT}`],
    branch: name,
  }));
  return {
    pullRequest: repository.apply((prefix): Trusted => ({ subjects: [`${prefix}:pull_request`] })),
    branch: ofBranch,
    deployment:
      environment === undefined
        ? ofBranch
        : all.apply(([prefix, name, chosen]) => ({ subjects: [`${prefix}:environment:${chosen}`], branch: name })),
  };
}

function findOrCreateOidcProvider(
  component: GithubActionsAccess,
  name: string,
  checked: CheckedArgs,
): pulumi.Output<string> {
  if (checked.oidcProviderArn !== undefined) return pulumi.output(checked.oidcProviderArn);
  // No thumbprint: AWS trusts GitHub's certificate by its authority, and a pinned one would expire silently.
  const provider = new iam.OpenIdConnectProvider(
    name,
    { url: `https://${GITHUB_ISSUER}`, clientIdLists: ["sts.amazonaws.com"] },
    { parent: component },
  );
  refuseExisting(component, provider, async () => {
    const { arn } = await iam.getOpenIdConnectProvider({ url: `https://${GITHUB_ISSUER}` }, { parent: component });
    return (
      `The account has an OIDC provider for GitHub Actions already, and can have only one: another stack made it, or ` +
      `somebody did. Use it: pulumi config set --path integration.oidcProviderArn ${arn}`
    );
  });
  return provider.arn;
}

/** Adds what the state needs, where the stack's state is one that jobs share. */
function withState(
  statements: pulumi.Input<Statement[]>,
  { stateBucketArn, stateKeyArn }: CheckedArgs,
  forState: (bucketArn: string, keyArn: string) => Statement[],
): pulumi.Input<Statement[]> {
  if (stateBucketArn === undefined || stateKeyArn === undefined) return statements;
  return pulumi
    .all([statements, stateBucketArn, stateKeyArn])
    .apply(([own, bucketArn, keyArn]) => [...own, ...forState(bucketArn, keyArn)]);
}

function createRole(
  component: GithubActionsAccess,
  name: string,
  providerArn: pulumi.Output<string>,
  tokens: pulumi.Output<Trusted>,
  statements: pulumi.Input<Statement[]>,
): pulumi.Output<string> {
  const assumeRolePolicy = pulumi
    .all([providerArn, tokens])
    .apply(([arn, trusted]) => JSON.stringify(trustPolicy(arn, trusted)));
  const policy = pulumi.output(statements).apply((list) => JSON.stringify(policyDocument(list)));
  const role = new iam.Role(name, { assumeRolePolicy, maxSessionDuration: 3600 }, { parent: component });
  const own = new iam.RolePolicy(`${name}-policy`, { role: role.name, policy }, { parent: component });
  warnOfForeignPolicies(component, role, [own]);
  return role.arn;
}
