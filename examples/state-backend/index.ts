import * as kms from "@pulumi/aws/kms";
import * as s3 from "@pulumi/aws/s3";
import * as pulumi from "@pulumi/pulumi";
import { GithubActionsAccess } from "nixos";

const config = new pulumi.Config();

// Losing the state means losing the only list of what exists, and the key to its secrets: both are protected.
const kept = { protect: true };
const bucket = new s3.Bucket("pulumi-state", {}, kept);
const ofBucket = { bucket: bucket.bucket };

// An earlier state is the way back from a bad one.
new s3.BucketVersioning("versions", { ...ofBucket, versioningConfiguration: { status: "Enabled" } });
new s3.BucketServerSideEncryptionConfiguration("encryption", {
  ...ofBucket,
  rules: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" } }],
});
const blocked = new s3.BucketPublicAccessBlock("public-access", {
  ...ofBucket,
  blockPublicAcls: true,
  blockPublicPolicy: true,
  ignorePublicAcls: true,
  restrictPublicBuckets: true,
});
const refusePlainHttp = {
  Effect: "Deny",
  Principal: "*",
  Action: "s3:*",
  Resource: [bucket.arn, pulumi.interpolate`${bucket.arn}/*`],
  Condition: { Bool: { "aws:SecureTransport": "false" } },
};
const policy = pulumi.jsonStringify({ Version: "2012-10-17", Statement: [refusePlainHttp] });
new s3.BucketPolicy("tls-only", { ...ofBucket, policy }, { dependsOn: [blocked] });
const key = new kms.Key("secrets", { description: "Secrets in Pulumi states", enableKeyRotation: true }, kept);
const alias = new kms.Alias("secrets-alias", { name: "alias/pulumi-secrets", targetKeyId: key.keyId });

const access = new GithubActionsAccess("github-actions", {
  owner: config.require("owner"),
  repositoryName: config.require("repository"),
  environment: config.require("environment"),
  ownerId: config.getNumber("ownerId") || undefined,
  repositoryId: config.getNumber("repositoryId") || undefined,
  machineName: config.get("machineName") || undefined,
  instanceTypes: config.getObject<string[]>("instanceTypes"),
  previews: config.get("previews"),
  oidcProviderArn: config.get("oidcProviderArn") || undefined,
  stateBucketArn: bucket.arn,
  stateKeyArn: key.arn,
});

/** Logs this computer in to the state. */
export const loginCommand = pulumi.interpolate`pulumi login s3://${bucket.bucket}?region=${bucket.region}`;
/** Creates a stack whose secrets the key closes; no passphrase is shared. */
export const initCommand = pulumi.interpolate`pulumi stack init dev --secrets-provider="awskms:///${alias.name}?region=${bucket.region}"`;
/** For the variables PREVIEW_ROLE_ARN, DEPLOY_ROLE_ARN and DRIFT_ROLE_ARN of the repository. */
export const previewRoleArn = access.previewRoleArn;
export const deployRoleArn = access.deployRoleArn;
export const driftRoleArn = access.driftRoleArn;
