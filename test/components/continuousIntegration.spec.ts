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
const STATE = { stateBucketArn: "arn:aws:s3:::state", stateKeyArn: "arn:aws:kms:us-east-1:123456789012:key/1a2b" };

const base: ContinuousDeploymentArgs = { owner: "octo", repositoryName: "server", repository: { plan: "paid" } };
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
    const outcome = await server({ cache: true, githubActions: true });
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
    assert.deepEqual(Object.keys(variables((await server({ githubActions: true })).resources)), ["AWS_REGION"]);
    const { resources } = await server({ githubActions: true, deployEnvironment: "production", ...STATE });
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

  it("trusts the repository by number where the owner's is given", async () => {
    const { resources } = await server({ githubActions: true, ownerId: 12 });
    const { assumeRolePolicy } = only(resources, "aws:iam/role:Role", "nixos-github-actions-preview").inputs;
    assert.match(assumeRolePolicy as string, /"repo:octo@12\/server@345:pull_request"/);
  });

  it("lets deployments change this machine alone, and start one with the cache's role", async () => {
    const deployPolicy = async (...args: Parameters<typeof server>) =>
      only((await server(...args)).resources, "aws:iam/rolePolicy:RolePolicy", "nixos-github-actions-deploy-policy")
        .inputs["policy"] as string;
    const policy = await deployPolicy({ cache: true, githubActions: true });
    assert.match(policy, /"aws:ResourceTag\/Name":"nixos"/);
    assert.match(policy, /"iam:PassRole"\],"Resource":\["arn:aws:iam::123456789012:role\/nixos-cache-reader"\]/);
    const own = await deployPolicy({ githubActions: true }, { machine: { tags: { Name: "web" } } });
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
