/**
 * GithubActionsAccess against mocks: who may take which role, and what each role may do.
 * Cannot prove: that GitHub's tokens carry these subjects, or that AWS's provider calls nothing that is missing here.
 */
import assert from "node:assert/strict";
import { GithubActionsAccess, type GithubActionsAccessArgs } from "../../components/index";
import type { Statement } from "../../components/githubActionsPolicies";
import { awaited } from "../support/awaited";
import { cloud } from "../support/cloud";
import { cloudResources, only, refusal, type Registered, run } from "../support/mocks";

const PROVIDER = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com";
const CACHE = "arn:aws:s3:::builds";
const STATE = { stateBucketArn: "arn:aws:s3:::state", stateKeyArn: "arn:aws:kms:us-east-1:123456789012:key/1a2b" };

function answers() {
  return {
    ...cloud(),
    resources: {
      "aws:iam/openIdConnectProvider:OpenIdConnectProvider": () => ({ arn: PROVIDER }),
      "aws:iam/role:Role": (name: string) => ({ name, arn: `arn:aws:iam::123456789012:role/${name}` }),
      "aws:iam/rolePolicy:RolePolicy": () => ({}),
    },
  };
}

const build = (args: Partial<GithubActionsAccessArgs> = {}) =>
  run(answers(), () => new GithubActionsAccess("ci", { owner: "octo", repositoryName: "server", ...args }));

function subjectOf(resources: Registered[], role: string): unknown {
  const { assumeRolePolicy } = only(resources, "aws:iam/role:Role", role).inputs;
  const { Statement: statements } = JSON.parse(assumeRolePolicy as string) as {
    Statement: { Condition: Record<string, Record<string, string>> }[];
  };
  assert.equal(statements.length, 1);
  const { Condition: condition } = statements[0]!;
  assert.deepEqual(Object.keys(condition), ["StringEquals"], "an equality, never a pattern");
  assert.equal(condition["StringEquals"]!["token.actions.githubusercontent.com:aud"], "sts.amazonaws.com");
  return condition["StringEquals"]!["token.actions.githubusercontent.com:sub"];
}

function statementsOf(resources: Registered[], role: string): Statement[] {
  const { policy } = only(resources, "aws:iam/rolePolicy:RolePolicy", `${role}-policy`).inputs;
  return (JSON.parse(policy as string) as { Statement: Statement[] }).Statement;
}

describe("GithubActionsAccess", () => {
  it("makes the OIDC provider and a role each for previews, deployments and drift", async () => {
    const { resources } = await build();
    assert.deepEqual(cloudResources(resources).sort(), [
      "aws:iam/openIdConnectProvider:OpenIdConnectProvider ci",
      "aws:iam/role:Role ci-deploy",
      "aws:iam/role:Role ci-drift",
      "aws:iam/role:Role ci-preview",
      "aws:iam/rolePolicy:RolePolicy ci-deploy-policy",
      "aws:iam/rolePolicy:RolePolicy ci-drift-policy",
      "aws:iam/rolePolicy:RolePolicy ci-preview-policy",
    ]);
  });

  it("adopts the account's provider, of which there can be only one", async () => {
    const { resources, result } = await build({ oidcProviderArn: PROVIDER });
    assert.equal(
      cloudResources(resources).some((resource) => resource.includes("OpenIdConnectProvider")),
      false,
    );
    assert.equal(await awaited(result.oidcProviderArn), PROVIDER);
  });

  it("trusts pull requests of the repository for previews", async () => {
    const { resources } = await build();
    assert.equal(subjectOf(resources, "ci-preview"), "repo:octo/server:pull_request");
  });

  it("trusts one branch for deployments", async () => {
    const { resources } = await build({ branch: "stable" });
    assert.equal(subjectOf(resources, "ci-deploy"), "repo:octo/server:ref:refs/heads/stable");
  });

  it("trusts one environment for deployments where there is one", async () => {
    const { resources } = await build({ environment: "production" });
    assert.equal(subjectOf(resources, "ci-deploy"), "repo:octo/server:environment:production");
  });

  it("trusts the immutable form of the subject where the numbers are known", async () => {
    const { resources } = await build({ ownerId: 12, repositoryId: 345 });
    assert.equal(subjectOf(resources, "ci-preview"), "repo:octo@12/server@345:pull_request");
  });

  it("lets the branch, and only it, fill the cache", async () => {
    const { resources, result } = await build({ cacheBucketArn: CACHE, environment: "production" });
    assert.equal(subjectOf(resources, "ci-cache"), "repo:octo/server:ref:refs/heads/main");
    assert.deepEqual(
      statementsOf(resources, "ci-cache").map(({ Resource }) => Resource),
      [[CACHE], [`${CACHE}/*`]],
    );
    assert.equal(await awaited(result.cacheRoleArn), "arn:aws:iam::123456789012:role/ci-cache");
  });

  it("makes no role for a cache that there is not", async () => {
    const { resources, result } = await build();
    assert.equal(
      cloudResources(resources).some((resource) => resource.includes("cache")),
      false,
    );
    assert.equal(await awaited(result.cacheRoleArn), "");
  });

  it("forbids previews to read user data, where the machine's key is", async () => {
    const { resources } = await build();
    const denied = statementsOf(resources, "ci-preview").filter(({ Effect }) => Effect === "Deny");
    assert.deepEqual(
      denied.map(({ Action, Resource }) => [Action, Resource]),
      [[["ec2:DescribeInstanceAttribute"], ["*"]]],
    );
  });

  for (const role of ["preview", "drift"]) {
    it(`lets the role ${role} change nothing`, async () => {
      const { resources } = await build({ ...STATE });
      const allowed = statementsOf(resources, `ci-${role}`).filter(({ Effect }) => Effect === "Allow");
      const actions = allowed.flatMap(({ Action }) => Action);
      assert.deepEqual(
        actions.filter((action) => !/:(Describe|Get|List|Decrypt)/.test(action)),
        [],
      );
    });
  }

  const MACHINE = { machineName: "web", machineRoleArn: "arn:aws:iam::123456789012:role/web-reader" };
  /** Of each statement that allows an action, its resources and condition. */
  const limitsOf = (statements: Statement[], action: string) =>
    statements
      .filter(({ Effect, Action }) => Effect === "Allow" && Action.includes(action))
      .map(({ Resource, Condition }) => [Resource, Condition]);
  const OF_MACHINE = [[["*"], { StringEquals: { "aws:ResourceTag/Name": "web" } }]];

  for (const action of ["ModifyInstanceAttribute", "StopInstances", "TerminateInstances", "ModifyVolume"]) {
    it(`allows deployments ${action} of their machine alone: whoever may do that to a machine is root on it`, async () => {
      const { resources } = await build(MACHINE);
      assert.deepEqual(limitsOf(statementsOf(resources, "ci-deploy"), `ec2:${action}`), OF_MACHINE);
    });
  }

  it("lets deployments give no other machine that name: tags are for what is new, and for what has it", async () => {
    const { resources } = await build(MACHINE);
    const made = ["AllocateAddress", "CreateSecurityGroup", "ImportKeyPair", "RunInstances"];
    assert.deepEqual(limitsOf(statementsOf(resources, "ci-deploy"), "ec2:CreateTags"), [
      ...OF_MACHINE,
      [["*"], { StringEquals: { "ec2:CreateAction": made } }],
      [["arn:*:ec2:*:*:volume/*"], undefined],
    ]);
  });

  it("lets deployments hand the machine's role to EC2, and no other role", async () => {
    const pass = async (args: Partial<GithubActionsAccessArgs>) =>
      limitsOf(statementsOf((await build(args)).resources, "ci-deploy"), "iam:PassRole");
    assert.deepEqual(await pass(MACHINE), [
      [[MACHINE.machineRoleArn], { StringEquals: { "iam:PassedToService": "ec2.amazonaws.com" } }],
    ]);
    assert.deepEqual(await pass({}), []);
  });

  it("lets only the branch look for drift, which reads user data, whatever the environment of deployments", async () => {
    const { resources } = await build({ environment: "production", branch: "stable" });
    assert.equal(subjectOf(resources, "ci-drift"), "repo:octo/server:ref:refs/heads/stable");
    const actions = statementsOf(resources, "ci-drift").flatMap(({ Action }) => Action);
    assert.ok(actions.includes("ec2:DescribeInstanceAttribute"));
  });

  it("lets deployments write the state, previews only read it", async () => {
    const { resources } = await build({ ...STATE });
    const actions = (role: string) => statementsOf(resources, role).flatMap(({ Action }) => Action);
    assert.equal(actions("ci-deploy").includes("s3:PutObject"), true);
    assert.equal(actions("ci-preview").includes("s3:PutObject"), false);
  });

  it("uses no wildcard in an action", async () => {
    const { resources } = await build({ ...STATE, cacheBucketArn: CACHE });
    const roles = ["ci-preview", "ci-deploy", "ci-drift", "ci-cache"];
    const actions = roles.flatMap((role) => statementsOf(resources, role).flatMap(({ Action }) => Action));
    assert.deepEqual(
      actions.filter((action) => action.includes("*")),
      [],
    );
  });

  it("refuses every bad argument at once, before any cloud call", async () => {
    const bad = {
      owner: "octo*",
      repositoryName: "*",
      branch: "*",
      environment: "prod:*",
      oidcProviderArn: "arn:aws:iam::123456789012:*",
      cacheBucketArn: "builds",
      machineName: "${aws:username}",
      machineRoleArn: "*",
      ownerId: 12,
      stateKeyArn: "arn:aws:kms:us-east-1:123456789012:key/1",
    };
    const { error, resources } = await refusal(answers(), () => new GithubActionsAccess("ci", bad));
    assert.match(error.message, /^GithubActionsAccess "ci" has 10 problems:/);
    assert.deepEqual(cloudResources(resources), []);
  });
});
