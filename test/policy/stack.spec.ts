/**
 * The policy pack on this project's own stack, as the program registers it against mocks.
 * Cannot prove: what providers make of the inputs; test/engine/policy.spec.ts asks a real engine.
 */
import assert from "node:assert/strict";
import { ContinuousDeployment, type ContinuousDeploymentArgs } from "../../components/index";
import { cloudWithIntegration, withoutRepository } from "../support/cloud";
import { type Registered, run } from "../support/mocks";
import { secret, UNKNOWN } from "../../cli/rehearse/emulators/values";
import { Project } from "../support/program";
import { Secret, UNKNOWN as UNKNOWN_SYMBOL } from "../support/wire";
import { type Analyzed, Pack, type Violation } from "../../cli/check/pack";

const NOTHING_TO_SAY = new Set(["advisory ssh-not-open-to-the-world"]);

describe("the policy pack, on the project's own stack", () => {
  let pack: Pack;
  const project = new Project();
  before(async () => {
    pack = await Pack.start();
  });
  after(() => {
    pack?.stop();
    project.remove();
  });

  const found = async ({ resources }: { resources: Registered[] }) =>
    new Set((await pack.all(resources.map(analyzed))).map(wordsOf));

  it("finds nothing but that SSH is open to everyone by default", async () => {
    const { resources } = await project.run({ config: { "pulumi-nixos:repository.githubPlan": "paid" } });
    assert.ok(resources.some(({ type }) => type === "aws:ec2/instance:Instance"));
    assert.deepEqual(await found({ resources }), NOTHING_TO_SAY);
  });

  it("finds nothing where SSH is open to chosen networks", async () => {
    const config = {
      "pulumi-nixos:machine.sshCidrBlocks": '["203.0.113.0/24"]',
      "pulumi-nixos:machine.sshIpv6CidrBlocks": "[]",
    };
    assert.deepEqual(
      await found(await project.run({ config: { ...config, "pulumi-nixos:repository.githubPlan": "paid" } })),
      new Set(),
    );
  });

  it("finds the same in a preview of a new stack", async () => {
    const preview = await project.run({ config: { "pulumi-nixos:repository.githubPlan": "paid" }, preview: true });
    assert.deepEqual(
      await found(preview),
      // The machine's id, which the deployment is triggered by.
      new Set([...NOTHING_TO_SAY, "not checked no-secret-in-plain-text"]),
    );
  });

  it("tells of what a stack may choose, without standing in the way", async () => {
    const choices = { visibility: "public", branchProtection: "off", githubPlan: "paid" };
    const config = Object.fromEntries(
      Object.entries(choices).map(([key, value]) => [`pulumi-nixos:repository.${key}`, value]),
    );
    assert.deepEqual(
      await found(await project.run({ config })),
      new Set([...NOTHING_TO_SAY, "advisory repository-private", "advisory repository-protected"]),
    );
  });

  const server = (args: Partial<ContinuousDeploymentArgs>, preview = false) =>
    run(
      preview ? withoutRepository(cloudWithIntegration()) : cloudWithIntegration(),
      () =>
        new ContinuousDeployment("nixos", {
          owner: "octo",
          repositoryName: "server",
          ...args,
          repository: { githubPlan: "paid", ...args.repository },
        }),
      preview,
    );
  const integration = {
    cache: true,
    githubActionsRoles: true,
    stateBucketArn: "arn:aws:s3:::state",
    stateKeyArn: "arn:aws:kms:us-east-1:123456789012:key/1a2b",
  };

  it("finds nothing in a cache and in the roles of GitHub Actions", async () => {
    const { resources } = await server({ integration });
    assert.ok(resources.some(({ type }) => type === "aws:s3/bucket:Bucket"));
    assert.ok(resources.some(({ type }) => type === "aws:iam/role:Role"));
    assert.deepEqual(await found({ resources }), NOTHING_TO_SAY);
  });

  it("says what a preview of them cannot know", async () => {
    assert.deepEqual(
      await found(await server({ integration }, true)),
      new Set([
        ...NOTHING_TO_SAY,
        "not checked no-secret-in-plain-text",
        "not checked role-trust-exact",
        "not checked no-full-administrator",
      ]),
    );
  });

  it("finds nothing in a repository that is adopted, or protected by a ruleset", async () => {
    for (const repository of [
      { create: false },
      { branchProtection: "ruleset" },
      { create: false, branchProtection: "ruleset" },
    ])
      assert.deepEqual(await found(await server({ repository })), NOTHING_TO_SAY, JSON.stringify(repository));
  });
});

function wordsOf({ rule, level, message }: Violation): string {
  return `${/can't be known/.test(message) ? "not checked" : level} ${rule}`;
}

function analyzed({ urn, type, name, inputs, options, propertyDependencies }: Registered): Analyzed {
  const { additionalSecretOutputs } = options;
  const props = toWire(inputs) as Analyzed["props"];
  return { urn, type, name, props, propertyDependencies, ...(additionalSecretOutputs && { additionalSecretOutputs }) };
}

/** What the mocks made readable, as the engine sends it. */
function toWire(value: unknown): unknown {
  if (value === UNKNOWN_SYMBOL) return UNKNOWN;
  if (value instanceof Secret) return secret(toWire(value.value));
  if (Array.isArray(value)) return value.map(toWire);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, toWire(member)]));
}
