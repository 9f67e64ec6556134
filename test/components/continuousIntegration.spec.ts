/**
 * ContinuousDeployment with `integration` against mocks: cache, roles, and what the repository's workflows are told.
 * Cannot prove: that the roles suffice, or that GitHub takes the variables (no cloud is asked).
 */
import assert from "node:assert/strict";
import { ContinuousDeployment, type ContinuousDeploymentArgs, type IntegrationSettings } from "../../components/index";
import { awaited } from "../support/awaited";
import { cloudWithIntegration as answers } from "../support/cloud";
import { cloudResources, only, plainTextsOf, refusal, type Registered, run } from "../support/mocks";
import { Secret } from "../support/wire";

const VARIABLE = "github:index/actionsVariable:ActionsVariable";
const SECRET = "github:index/actionsSecret:ActionsSecret";
const ENVIRONMENT = "github:index/repositoryEnvironment:RepositoryEnvironment";
const ENVIRONMENT_POLICY = "github:index/repositoryEnvironmentDeploymentPolicy:RepositoryEnvironmentDeploymentPolicy";
const ENVIRONMENT_SECRET = "github:index/actionsEnvironmentSecret:ActionsEnvironmentSecret";
const STATE = { stateBucketArn: "arn:aws:s3:::state", stateKeyArn: "arn:aws:kms:us-east-1:123456789012:key/1a2b" };

const base: ContinuousDeploymentArgs = { owner: "octo", repositoryName: "server", repository: { githubPlan: "paid" } };
const server = (integration: IntegrationSettings, more: Partial<ContinuousDeploymentArgs> = {}) =>
  run(answers(), () => new ContinuousDeployment("nixos", { ...base, ...more, integration }));

function variables(resources: Registered[]): Record<string, unknown> {
  const found = resources.filter(({ type }) => type === VARIABLE);
  for (const { inputs } of found) assert.equal(inputs["repository"], "server");
  return Object.fromEntries(found.map(({ inputs }) => [inputs["variableName"] as string, inputs["value"] as unknown]));
}

describe("the integration of a ContinuousDeployment", () => {
  it("makes nothing by default", async () => {
    const { resources } = await server({});
    const without = await run(answers(), () => new ContinuousDeployment("nixos", base));
    assert.deepEqual(cloudResources(resources), cloudResources(without.resources));
  });

  it("lets the machine read its cache, and says what goes to nix/cache.json", async () => {
    const { resources, result } = await server({ cache: true });
    assert.equal(
      only(resources, "aws:ec2/instance:Instance").inputs["iamInstanceProfile"],
      "nixos-cache-reader-profile",
    );
    assert.equal(await awaited(result.cacheSubstituter), "s3://nixos-cache?region=us-east-1");
    assert.match(await awaited(result.cachePublicKey), /^nixos-cache-1:[A-Za-z0-9+/]{43}=$/);
    assert.deepEqual(variables(resources), {});
  });

  it("keeps an instance profile that the stack chose", async () => {
    const { resources } = await server({ cache: true }, { machine: { instanceProfile: "own" } });
    assert.equal(only(resources, "aws:ec2/instance:Instance").inputs["iamInstanceProfile"], "own");
  });

  it("tells the workflows the cache and its role, and the signing key as a secret", async () => {
    const outcome = await server({ cache: true, githubActionsRoles: true });
    assert.deepEqual(variables(outcome.resources), {
      AWS_REGION: "us-east-1",
      CACHE_ROLE_ARN: "arn:aws:iam::123456789012:role/nixos-github-actions-cache",
      CACHE_SUBSTITUTER: "s3://nixos-cache?region=us-east-1",
    });
    const { inputs } = only(outcome.resources, SECRET);
    assert.equal(inputs["secretName"], "CACHE_SIGNING_KEY");
    const value = inputs["value"] as unknown;
    assert.ok(value instanceof Secret);
    const signingKey = value.value as string;
    assert.match(signingKey, /^nixos-cache-1:[A-Za-z0-9+/]{86}==$/);
    assert.deepEqual(
      plainTextsOf(outcome).filter((text) => text.includes(signingKey)),
      [],
    );
  });

  it("leaves previews and deployments off without a state that jobs can reach, and on with it", async () => {
    assert.deepEqual(Object.keys(variables((await server({ githubActionsRoles: true })).resources)), ["AWS_REGION"]);
    const { resources } = await server({ githubActionsRoles: true, deployEnvironment: "production", ...STATE });
    const role = (purpose: string) => `arn:aws:iam::123456789012:role/nixos-github-actions-${purpose}`;
    assert.deepEqual(variables(resources), {
      AWS_REGION: "us-east-1",
      PREVIEW_ROLE_ARN: role("preview"),
      DEPLOY_ROLE_ARN: role("deploy"),
      DRIFT_ROLE_ARN: role("drift"),
      DEPLOY_ENVIRONMENT: "production",
    });
    assert.equal(resources.filter(({ type }) => type === SECRET).length, 0);
  });

  for (const [previews, expected] of [
    ["state", { PREVIEW_ROLE_ARN: "arn:aws:iam::123456789012:role/nixos-github-actions-preview" }],
    ["cloud", { PREVIEW_ROLE_ARN: "arn:aws:iam::123456789012:role/nixos-github-actions-preview", PREVIEWS: "cloud" }],
    ["none", {}],
  ] as const) {
    it(`tells the workflow of previews what it may know: ${previews}`, async () => {
      const told = variables((await server({ githubActionsRoles: true, previews, ...STATE })).resources);
      const about = Object.entries(told).filter(([name]) => name.startsWith("PREVIEW"));
      assert.deepEqual(Object.fromEntries(about), expected);
    });
  }

  it("makes the environment of the branch where it shall, and keeps the signing key in it", async () => {
    const { resources } = await server({ cache: true, githubActionsRoles: true, environments: true });
    const { inputs } = only(resources, ENVIRONMENT);
    assert.equal(inputs["environment"], "trusted-branch");
    assert.deepEqual(inputs["deploymentBranchPolicy"], { protectedBranches: false, customBranchPolicies: true });
    assert.deepEqual(only(resources, ENVIRONMENT_POLICY).inputs, {
      repository: "server",
      environment: "trusted-branch",
      branchPattern: "main",
    });
    assert.equal(variables(resources)["BRANCH_ENVIRONMENT"], "trusted-branch");
    const { inputs: secret } = only(resources, ENVIRONMENT_SECRET);
    assert.deepEqual([secret["secretName"], secret["environment"]], ["CACHE_SIGNING_KEY", "trusted-branch"]);
    assert.ok(secret["value"] instanceof Secret);
    assert.equal(resources.filter(({ type }) => type === SECRET).length, 0, "not one of the repository too");
  });

  it("makes the environment of deployments too, for the branch alone and with its reviewers", async () => {
    const more = { environments: true, deployEnvironment: "production", deployReviewers: [7] };
    const { resources } = await server({ githubActionsRoles: true, ...more, ...STATE }, { branch: "stable" });
    const { inputs } = only(resources, ENVIRONMENT, "nixos-deploy-approval");
    assert.deepEqual(
      [inputs["environment"], inputs["reviewers"], inputs["canAdminsBypass"]],
      ["production", [{ users: [7] }], false],
    );
    const policies = resources.filter(({ type }) => type === ENVIRONMENT_POLICY);
    assert.deepEqual(
      policies.map(({ inputs }) => [inputs["environment"] as string, inputs["branchPattern"] as string]).sort(),
      [
        ["production", "stable"],
        ["trusted-branch", "stable"],
      ],
    );
  });

  it("refuses environments where the plan has none, and reviewers of none", async () => {
    const free = { repository: { githubPlan: "free", branchProtection: "off" } };
    const without = await refusal(
      answers(),
      () =>
        new ContinuousDeployment("nixos", {
          ...base,
          ...free,
          integration: { environments: true, deployReviewers: [7] },
        }),
    );
    assert.match(
      without.error.message,
      /integration\.environments: got true; allowed: false in a private repository on/,
    );
    assert.match(without.error.message, /integration\.deployReviewers: got some; allowed: none without environments/);
    assert.deepEqual(cloudResources(without.resources), []);
  });

  it("lets deployments start a machine of its type and image alone, or of the types that are named", async () => {
    const started = async (machine: object, deployInstanceTypes: string[] = []) => {
      const { resources } = await server({ githubActionsRoles: true, deployInstanceTypes }, { machine });
      const policy = only(resources, "aws:iam/rolePolicy:RolePolicy", "nixos-github-actions-deploy-policy").inputs;
      return policy["policy"] as string;
    };
    assert.match(await started({}), /"ec2:InstanceType":\["t3.small"\]/);
    assert.match(await started({}), /"ec2:Owner":"427812963091"/);
    assert.match(await started({ instanceType: "m7i.large" }), /"ec2:InstanceType":\["m7i.large"\]/);
    assert.match(await started({}, ["t3.small", "t3.large"]), /"ec2:InstanceType":\["t3.small","t3.large"\]/);
    assert.match(await started({ amiId: "ami-12345678" }), /image\/ami-12345678"/);
  });

  it("trusts the repository by number where the owner's is given", async () => {
    const { resources } = await server({ githubActionsRoles: true, ownerId: 12 });
    const { assumeRolePolicy } = only(resources, "aws:iam/role:Role", "nixos-github-actions-preview").inputs;
    assert.match(assumeRolePolicy as string, /"repo:octo@12\/server@345:pull_request"/);
  });

  it("lets deployments change this machine alone, and start one with the cache's role", async () => {
    const deployPolicy = async (...args: Parameters<typeof server>) =>
      only((await server(...args)).resources, "aws:iam/rolePolicy:RolePolicy", "nixos-github-actions-deploy-policy")
        .inputs["policy"] as string;
    const policy = await deployPolicy({ cache: true, githubActionsRoles: true });
    assert.match(policy, /"aws:ResourceTag\/Name":"nixos"/);
    assert.match(policy, /"iam:PassRole"\],"Resource":\["arn:aws:iam::123456789012:role\/nixos-cache-reader"\]/);
    const own = await deployPolicy({ githubActionsRoles: true }, { machine: { tags: { Name: "web" } } });
    assert.match(own, /"aws:ResourceTag\/Name":"web"/);
    assert.doesNotMatch(own, /PassRole/);
  });

  it("refuses every bad setting at once, before any cloud call", async () => {
    const integration = { ownerId: -1, oidcProviderArn: "x", deployEnvironment: "a:*", stateBucketArn: "state" };
    const { error, resources } = await refusal(
      answers(),
      () => new ContinuousDeployment("nixos", { ...base, integration }),
    );
    assert.match(error.message, /^ContinuousDeployment "nixos" has 5 problems:\n {2}- integration\.ownerId: got -1/);
    assert.deepEqual(cloudResources(resources), []);
  });
});
