import { getRegionOutput } from "@pulumi/aws/getRegion";
import * as github from "@pulumi/github";
import * as pulumi from "@pulumi/pulumi";
import type { BinaryCache } from "./binaryCache";
import { arnOf, environmentName, githubId, together } from "./checks";
import type { ArgumentChecks } from "./errors";
import { GithubActionsAccess } from "./githubActionsAccess";

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
   * GitHub environment of deployments; its protection rules then guard them.
   * @default deployments need the branch only
   */
  deployEnvironment?: string;
  /** ARN of the S3 bucket that holds the stack's state. Without it there are no previews and deployments by CI. */
  stateBucketArn?: string;
  /** ARN of the KMS key of the stack's secrets. Goes with `stateBucketArn`. */
  stateKeyArn?: string;
}

/** Checks the settings, among the arguments of the composite that they belong to. */
export function checkIntegrationSettings(checks: ArgumentChecks, settings: IntegrationSettings): void {
  const { ownerId, oidcProviderArn, deployEnvironment, stateBucketArn, stateKeyArn } = settings;
  if (ownerId !== undefined) checks.plain("ownerId", ownerId, githubId);
  if (oidcProviderArn !== undefined) checks.plain("oidcProviderArn", oidcProviderArn, arnOf("iam"));
  if (deployEnvironment !== undefined) checks.plain("deployEnvironment", deployEnvironment, environmentName);
  if (stateBucketArn !== undefined) checks.plain("stateBucketArn", stateBucketArn, arnOf("s3"));
  if (stateKeyArn !== undefined) checks.plain("stateKeyArn", stateKeyArn, arnOf("kms"));
  checks.plain("stateBucketArn, stateKeyArn", [stateBucketArn !== undefined, stateKeyArn !== undefined], together);
}

/** The repository that the jobs are of. */
export interface IntegratedRepository {
  owner: pulumi.Input<string>;
  /** Name of the repository, known once it is there. */
  name: pulumi.Output<string>;
  id: pulumi.Output<number>;
  branch: pulumi.Input<string> | undefined;
}

/** Gives the repository's jobs their roles, and tells its workflows what they are. */
export function connectGithubActions(
  component: pulumi.ComponentResource,
  name: string,
  settings: IntegrationSettings,
  repository: IntegratedRepository,
  machineName: pulumi.Input<string>,
  cache: BinaryCache | undefined,
): void {
  const parent = { parent: component };
  const { ownerId, oidcProviderArn, deployEnvironment, stateBucketArn, stateKeyArn } = settings;
  const access = new GithubActionsAccess(
    `${name}-github-actions`,
    {
      owner: repository.owner,
      repositoryName: repository.name,
      branch: repository.branch,
      ...(ownerId === undefined ? {} : { ownerId, repositoryId: repository.id }),
      oidcProviderArn,
      environment: deployEnvironment,
      machineName,
      machineRoleArn: cache?.readerRoleArn,
      cacheBucketArn: cache?.bucketArn,
      stateBucketArn,
      stateKeyArn,
    },
    parent,
  );
  const variables: Record<string, pulumi.Input<string>> = {
    AWS_REGION: getRegionOutput({}, parent).region,
    ...(cache === undefined ? {} : { CACHE_ROLE_ARN: access.cacheRoleArn, CACHE_SUBSTITUTER: cache.substituter }),
    // Without the state a preview or an update could only fail: the workflows stay off.
    ...(stateBucketArn === undefined
      ? {}
      : {
          PREVIEW_ROLE_ARN: access.previewRoleArn,
          DEPLOY_ROLE_ARN: access.deployRoleArn,
          DRIFT_ROLE_ARN: access.driftRoleArn,
        }),
    ...(deployEnvironment === undefined ? {} : { DEPLOY_ENVIRONMENT: deployEnvironment }),
  };
  for (const [variableName, value] of Object.entries(variables)) {
    new github.ActionsVariable(
      resourceName(name, variableName),
      { repository: repository.name, variableName, value },
      parent,
    );
  }
  if (cache === undefined) return;
  const secretName = "CACHE_SIGNING_KEY";
  new github.ActionsSecret(
    resourceName(name, secretName),
    { repository: repository.name, secretName, value: cache.secretKey },
    parent,
  );
}

function resourceName(name: string, variable: string): string {
  return `${name}-${variable.toLowerCase().replaceAll("_", "-")}`;
}
