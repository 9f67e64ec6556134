import assert from "node:assert/strict";
import { ProviderClient } from "../../cli/rehearse/client";
import { awsProvider } from "../../cli/rehearse/emulators/aws";
import { Github, githubProvider } from "../../cli/rehearse/emulators/github";

// The emulated buckets, roles and workflow variables. What these tests cannot prove: that AWS and GitHub refuse the same
// things in the same words; and nothing here understands a policy.

const BUCKET = "aws:s3/bucket:Bucket";
const POLICY = "aws:s3/bucketPolicy:BucketPolicy";
const ROLE = "aws:iam/role:Role";
const ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy";
const PROFILE = "aws:iam/instanceProfile:InstanceProfile";
const OIDC = "aws:iam/openIdConnectProvider:OpenIdConnectProvider";
const VARIABLE = "github:index/actionsVariable:ActionsVariable";
const SECRET = "github:index/actionsSecret:ActionsSecret";

describe("emulated buckets and roles", () => {
  let aws: ProviderClient;
  beforeEach(async () => {
    aws = await ProviderClient.of(awsProvider());
  });
  afterEach(() => aws.stop());

  it("a bucket's name is taken once, and a setting needs its bucket", async () => {
    const { id } = await aws.create(BUCKET, { bucket: "cache-of-a-test" });
    await assert.rejects(aws.create(BUCKET, { bucket: "cache-of-a-test" }), /BucketAlreadyExists/);
    await assert.rejects(aws.create(POLICY, { bucket: "another", policy: "{}" }), /NoSuchBucket/);
    const policy = await aws.create(POLICY, { bucket: id, policy: "{}" });
    await aws.delete(BUCKET, { id, inputs: {}, state: {} });
    assert.equal(await aws.read(POLICY, policy), undefined);
  });

  it("a role stays while a policy or a profile has it, and its policies are JSON", async () => {
    await assert.rejects(aws.create(ROLE, { assumeRolePolicy: "{" }), /invalid JSON/);
    const role = await aws.create(ROLE, { assumeRolePolicy: "{}" });
    const policy = await aws.create(ROLE_POLICY, { role: role.id, policy: "{}" });
    const profile = await aws.create(PROFILE, { role: role.id });
    await assert.rejects(aws.delete(ROLE, role), /DeleteConflict/);
    await aws.delete(ROLE_POLICY, policy);
    await assert.rejects(aws.delete(ROLE, role), /DeleteConflict/);
    await aws.delete(PROFILE, profile);
    await aws.delete(ROLE, role);
    await assert.rejects(aws.create(ROLE_POLICY, { role: role.id, policy: "{}" }), /NoSuchEntity/);
  });

  it("an account has one OIDC provider for each address", async () => {
    const inputs = { url: "https://token.actions.githubusercontent.com", clientIdLists: ["sts.amazonaws.com"] };
    const { id } = await aws.create(OIDC, inputs);
    assert.match(id, /^arn:aws:iam::\d{12}:oidc-provider\/token\.actions\.githubusercontent\.com$/);
    await assert.rejects(aws.create(OIDC, inputs), /EntityAlreadyExists/);
  });
});

describe("emulated variables and secrets of workflows", () => {
  it("belong to a repository; a variable is made once, a secret is put", async () => {
    const github = new Github();
    const client = await ProviderClient.of(githubProvider(github));
    try {
      const repository = github.addRepository("site", {});
      const variable = { repository: "site", variableName: "REGION", value: "eu" };
      await assert.rejects(client.create(VARIABLE, { ...variable, repository: "none" }), /404/);
      await client.create(VARIABLE, variable);
      await assert.rejects(client.create(VARIABLE, variable), /409/);
      const secret = { repository: "site", secretName: "KEY", value: "hidden" };
      await client.create(SECRET, secret);
      const again = await client.create(SECRET, { ...secret, value: "hidden too" });
      assert.deepEqual(
        [[...repository.variables], [...repository.secrets]],
        [[["REGION", "eu"]], [["KEY", "hidden too"]]],
      );
      await client.delete(SECRET, again);
      assert.equal(await client.read(SECRET, again), undefined);
    } finally {
      client.stop();
    }
  });
});
