/**
 * examples/state-backend against mocks: what it makes and the lines that it prints.
 * Cannot prove: that Pulumi logs in to such a bucket, or that a state moves into it; both need AWS.
 */
import assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import { awaited } from "../support/awaited";
import { rolesAsMade } from "../support/cloud";
import { only, run } from "../support/mocks";
import { stateBackend } from "./definitions";
import { describeExample } from "./describeExample";

const BUCKET = "arn:aws:s3:::pulumi-state-1a2b3c4";
const KEY = "arn:aws:kms:eu-west-1:123456789012:key/5d6e";

const answers = {
  invokes: rolesAsMade(),
  resources: {
    "aws:s3/bucket:Bucket": () => ({ arn: BUCKET, bucket: "pulumi-state-1a2b3c4", region: "eu-west-1" }),
    "aws:s3/bucketVersioning:BucketVersioning": () => ({}),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": () => ({}),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": () => ({}),
    "aws:s3/bucketPolicy:BucketPolicy": () => ({}),
    "aws:kms/key:Key": () => ({ arn: KEY, keyId: "5d6e" }),
    "aws:kms/alias:Alias": () => ({}),
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": () => ({ arn: "arn:aws:iam::123456789012:oidc-provider/g" }),
    "aws:iam/role:Role": (name: string) => ({ name, arn: `arn:aws:iam::123456789012:role/${name}` }),
    "aws:iam/rolePolicy:RolePolicy": () => ({}),
  },
};

type Outputs = Record<"loginCommand" | "initCommand" | "previewRoleArn" | "deployRoleArn", pulumi.Output<string>>;

function build(further: Record<string, string> = {}) {
  const program = require.resolve("../../examples/state-backend");
  return run(answers, () => {
    // `run` names the project, and with it the namespace of the keys.
    const config = { owner: "octo", repository: "server", environment: "production", ...further };
    for (const [key, value] of Object.entries(config)) {
      pulumi.runtime.setConfig(`pulumi-nixos:${key}`, value);
    }
    delete require.cache[program];
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- a program runs when it is loaded
    return require(program) as Outputs;
  });
}

describeExample(stateBackend);

describe("examples/state-backend with mocks", () => {
  it("protects the bucket and the key from being destroyed", async () => {
    const { resources } = await build();
    const kept = resources.filter(({ options }) => options.protect).map(({ name }) => name);
    assert.deepEqual(kept.sort(), ["pulumi-state", "secrets"]);
  });

  it("trusts the numbers of the repository, and lets deployments change its machine only", async () => {
    const { resources } = await build({ ownerId: "583231", repositoryId: "1296269", machineName: "nixos" });
    const inputs = (name: string) => JSON.stringify(resources.find((resource) => resource.name === name)?.inputs);
    assert.match(inputs("github-actions-deploy"), /repo:octo@583231\/server@1296269:environment:production/);
    assert.match(inputs("github-actions-deploy-policy"), /aws:ResourceTag\/Name[^}]*nixos/);
    assert.match(inputs("github-actions-deploy"), /:ref\W+refs\/heads\/main/);
  });

  it("gives previews the state, or nothing of it, or no role at all", async () => {
    const policy = async (previews: string) =>
      JSON.stringify(
        (await build({ previews })).resources.find(({ name }) => name === "github-actions-preview-policy"),
      );
    assert.match(await policy("state"), /kms:Decrypt/);
    assert.doesNotMatch(await policy("cloud"), /kms:|s3:/);
    assert.equal(await policy("none"), undefined);
  });

  it("keeps earlier versions of the state", async () => {
    const { resources } = await build();
    assert.deepEqual(only(resources, "aws:s3/bucketVersioning:BucketVersioning").inputs["versioningConfiguration"], {
      status: "Enabled",
    });
  });

  it("prints the lines that log in and create a stack", async () => {
    const { result } = await build();
    assert.equal(await awaited(result.loginCommand), "pulumi login s3://pulumi-state-1a2b3c4?region=eu-west-1");
    assert.equal(
      await awaited(result.initCommand),
      'pulumi stack init dev --secrets-provider="awskms:///alias/pulumi-secrets?region=eu-west-1"',
    );
  });
});
