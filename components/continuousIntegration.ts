import { getRegionOutput } from "@pulumi/aws/getRegion";
import * as github from "@pulumi/github";
import * as pulumi from "@pulumi/pulumi";
import type { BinaryCache } from "./binaryCache";
import { arnOf, unique, environmentName, githubId, previewsWord, allOrNone } from "./values/rules";
import { DEFAULTS } from "./values/defaults";
import { type ArgumentRules, type ValueRule, problem } from "./values/errors";
import { underNewNames } from "./values/formerNames";
import { GithubActionsAccess } from "./githubActionsAccess";
import { BRANCH_ENVIRONMENT } from "./githubActionsPolicies";
import { x86InstanceType } from "./values/instanceType";

/** Names of the last version, of `IntegrationSettings`. */
export const FORMER_NAMES = { githubActions: "githubActionsRoles" };

/** What a stack may choose about its continuous integration. */
export interface IntegrationSettings {
  /**
   * Whether there is a binary cache, which the machine may read. Its substituter and public key go to nix/cache.json,
   * once they are known.
   * @default false
   */
  cache?: boolean;
  /**
   * Whether GitHub Actions jobs of the repository get roles in the cloud, and the repository the variables that its
   * workflows read.
   * @default false
   */
  githubActionsRoles?: boolean;
  /**
   * The name that `githubActionsRoles` had.
   * @deprecated in favour of `githubActionsRoles`
   * @default that of `githubActionsRoles`
   */
  githubActions?: boolean;
  /**
   * GitHub's number of the owner (`gh api users/<owner> --jq .id`): the roles then trust the immutable subject of
   * tokens, which repositories made since 15 July 2026 have.
   * @default the roles trust the names alone, as for older repositories
   */
  ownerId?: number;
  /**
   * ARN of the account's OIDC provider for GitHub Actions, where it has one already.
   * @default a new one is created
   */
  oidcProviderArn?: string;
  /**
   * What jobs of pull requests may do, and with them everybody who may push a branch: `state` (read the state and open
   * its secrets, which equals root on the machine), `cloud` (previews begin with an empty stack and know no secret of
   * this one), or `none` (no role, and no previews).
   * @default "state"
   */
  previews?: string;
  /**
   * Whether the environments of jobs that only the branch may run are made here: `trusted-branch` for all of them and
   * `deployEnvironment`, both for the branch alone. Secrets that only the branch may use then lie in them and not in the
   * repository, where a workflow on any branch can read them. Private repositories need a paid plan. An environment
   * of the name that is there already is taken over, and loses reviewers that are not in `deployReviewers`.
   * @default false
   */
  environments?: boolean;
  /**
   * GitHub environment of deployments; its protection rules then guard them. Without `environments` it must be there:
   * GitHub makes one without any rule when a job names one that is not.
   * @default deployments need the branch only
   */
  deployEnvironment?: string;
  /**
   * GitHub's numbers of up to 6 users one of whom must approve each deployment, with `environments` and
   * `deployEnvironment`. In private repositories GitHub has this on its plan Enterprise only.
   * @default none
   */
  deployReviewers?: number[];
  /**
   * Instance types that a machine may have which a deployment by CI starts.
   * @default that of the machine
   */
  deployInstanceTypes?: string[];
  /** ARN of the S3 bucket that holds the stack's state. Without it there are no previews and deployments by CI. */
  stateBucketArn?: string;
  /** ARN of the KMS key of the stack's secrets. Goes with `stateBucketArn`. */
  stateKeyArn?: string;
}

/** Checks the settings, among the arguments of the composite that they belong to; returns them under their new names. */
export function checkIntegrationSettings(checks: ArgumentRules, given: IntegrationSettings): IntegrationSettings {
  const settings = underNewNames(checks, given, FORMER_NAMES);
  const { ownerId, oidcProviderArn, deployEnvironment, stateBucketArn, stateKeyArn } = settings;
  const { deployReviewers = DEFAULTS.integration.deployReviewers } = settings;
  const { deployInstanceTypes = DEFAULTS.integration.deployInstanceTypes } = settings;
  if (ownerId !== undefined) checks.plain("ownerId", ownerId, githubId);
  if (oidcProviderArn !== undefined) checks.plain("oidcProviderArn", oidcProviderArn, arnOf("iam"));
  checks.plain("previews", settings.previews ?? DEFAULTS.integration.previews, previewsWord);
  if (deployEnvironment !== undefined) checks.plain("deployEnvironment", deployEnvironment, environmentName);
  checks.plain("deployReviewers", deployReviewers, reviewers);
  if (deployReviewers.length > 0 && (settings.environments !== true || deployEnvironment === undefined)) {
    const allowed = "none without environments and deployEnvironment, which they are reviewers of";
    checks.plain("deployReviewers", deployReviewers, (property) => [problem(property, "some", allowed)]);
  }
  deployInstanceTypes.forEach((type, index) => checks.plain(`deployInstanceTypes[${index}]`, type, x86InstanceType));
  if (stateBucketArn !== undefined) checks.plain("stateBucketArn", stateBucketArn, arnOf("s3"));
  if (stateKeyArn !== undefined) checks.plain("stateKeyArn", stateKeyArn, arnOf("kms"));
  checks.plain("stateBucketArn, stateKeyArn", [stateBucketArn !== undefined, stateKeyArn !== undefined], allOrNone);
  return settings;
}

/** Numbers of users, as many as GitHub takes. */
export const reviewers: ValueRule<number[]> = (property, values) => [
  ...values.flatMap((value, index) => githubId(`${property}[${index}]`, value)),
  ...unique(property, values),
  ...(values.length > 6 ? [problem(property, `${values.length}`, "up to 6 users")] : []),
];

/** The repository that the jobs are of. */
export interface IntegratedRepository {
  owner: pulumi.Input<string>;
  /** Name of the repository, known once it is there. */
  name: pulumi.Output<string>;
  id: pulumi.Output<number>;
  branch: pulumi.Input<string> | undefined;
}

/** The machine that the jobs deploy to. */
export interface IntegratedMachine {
  /** Its tag `Name`. */
  name: pulumi.Input<string>;
  instanceType: pulumi.Input<string>;
  amiId: pulumi.Input<string> | undefined;
}

/** Gives the repository's jobs their roles, and tells its workflows what they are. */
export function connectGithubActions(
  component: pulumi.ComponentResource,
  name: string,
  settings: IntegrationSettings,
  repository: IntegratedRepository,
  machine: IntegratedMachine,
  cache: BinaryCache | undefined,
): void {
  const parent = { parent: component };
  const {
    ownerId,
    oidcProviderArn,
    previews = DEFAULTS.integration.previews,
    deployEnvironment,
    stateBucketArn,
    stateKeyArn,
  } = settings;
  const { deployInstanceTypes = DEFAULTS.integration.deployInstanceTypes } = settings;
  const access = new GithubActionsAccess(
    `${name}-github-actions`,
    {
      owner: repository.owner,
      repositoryName: repository.name,
      branch: repository.branch,
      ...(ownerId === undefined ? {} : { ownerId, repositoryId: repository.id }),
      oidcProviderArn,
      environment: deployEnvironment,
      previews,
      machineName: machine.name,
      instanceTypes: deployInstanceTypes.length > 0 ? deployInstanceTypes : [machine.instanceType],
      amiId: machine.amiId,
      machineRoleArn: cache?.readerRoleArn,
      cacheBucketArn: cache?.bucketArn,
      stateBucketArn,
      stateKeyArn,
    },
    parent,
  );
  const environment = settings.environments ? makeEnvironments(component, name, settings, repository) : undefined;
  const variables: Record<string, pulumi.Input<string>> = {
    AWS_REGION: getRegionOutput({}, parent).region,
    ...(cache === undefined ? {} : { CACHE_ROLE_ARN: access.cacheRoleArn, CACHE_SUBSTITUTER: cache.substituter }),
    // Without the state a preview of it or an update could only fail: the workflows stay off.
    ...(previews === "cloud" || (previews === "state" && stateBucketArn !== undefined)
      ? { PREVIEW_ROLE_ARN: access.previewRoleArn }
      : {}),
    ...(previews === "cloud" ? { PREVIEWS: previews } : {}),
    ...(stateBucketArn === undefined
      ? {}
      : { DEPLOY_ROLE_ARN: access.deployRoleArn, DRIFT_ROLE_ARN: access.driftRoleArn }),
    ...(environment === undefined ? {} : { BRANCH_ENVIRONMENT: environment }),
    ...(deployEnvironment === undefined ? {} : { DEPLOY_ENVIRONMENT: deployEnvironment }),
  };
  for (const [variableName, value] of Object.entries(variables)) {
    new github.ActionsVariable(
      resourceName(name, variableName),
      { repository: repository.name, variableName, value },
      parent,
    );
  }
  if (cache !== undefined) keepSigningKey(component, name, repository, cache.secretKey, environment);
}

/**
 * Environments that only jobs of the branch may name; returns the name of the one for all of them.
 *
 * GitHub gives the secrets of an environment to those jobs alone whom its rules let in.
 */
function makeEnvironments(
  component: pulumi.ComponentResource,
  name: string,
  { deployEnvironment, deployReviewers = [] }: IntegrationSettings,
  { name: repository, branch = "main" }: IntegratedRepository,
): pulumi.Output<string> {
  const make = (suffix: string, environment: string, users: number[]) => {
    const made = new github.RepositoryEnvironment(
      `${name}-${suffix}`,
      {
        repository,
        environment,
        deploymentBranchPolicy: { protectedBranches: false, customBranchPolicies: true },
        // One that administrators may pass by is none against a taken-over account.
        canAdminsBypass: users.length === 0,
        reviewers: users.length === 0 ? undefined : [{ users }],
      },
      { parent: component },
    );
    new github.RepositoryEnvironmentDeploymentPolicy(
      `${name}-${suffix}-policy`,
      { repository, environment: made.environment, branchPattern: branch },
      { parent: component },
    );
    return made.environment;
  };
  if (deployEnvironment !== undefined) make("deploy-approval", deployEnvironment, deployReviewers);
  return make("branch-environment", BRANCH_ENVIRONMENT, []);
}

/** In the environment of the branch where there is one: a secret of the repository is for the workflows of all branches. */
function keepSigningKey(
  component: pulumi.ComponentResource,
  name: string,
  repository: IntegratedRepository,
  value: pulumi.Output<string>,
  environment: pulumi.Output<string> | undefined,
): void {
  const secretName = "CACHE_SIGNING_KEY";
  const entry = { repository: repository.name, secretName, value };
  const parent = { parent: component };
  if (environment === undefined) new github.ActionsSecret(resourceName(name, secretName), entry, parent);
  else
    new github.ActionsEnvironmentSecret(
      `${resourceName(name, secretName)}-of-branch`,
      { ...entry, environment },
      parent,
    );
}

function resourceName(name: string, variable: string): string {
  return `${name}-${variable.toLowerCase().replaceAll("_", "-")}`;
}
