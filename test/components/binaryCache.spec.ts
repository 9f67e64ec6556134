/**
 * BinaryCache against mocks: the bucket's settings, the policies, the key.
 * Cannot prove: that S3 takes the settings, or that Nix reads such a bucket.
 */
import assert from "node:assert/strict";
import { BinaryCache, type BinaryCacheArgs } from "../../components/index";
import { nixSigningKey } from "../../components/keys/nixSigningKey";
import { awaited, awaitedFacts } from "../support/awaited";
import { cloud } from "../support/cloud";
import { cloudResources, only, plainTextsOf, refusal, run } from "../support/mocks";

const ARN = "arn:aws:s3:::cache-1a2b3c4";

function answers() {
  const base = cloud();
  return {
    ...base,
    resources: {
      ...base.resources,
      "aws:s3/bucket:Bucket": () => ({ arn: ARN, bucket: "cache-1a2b3c4", region: "eu-central-1" }),
      "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": () => ({}),
      "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": () => ({}),
      "aws:s3/bucketPolicy:BucketPolicy": () => ({}),
      "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": () => ({}),
      "aws:iam/role:Role": (name: string) => ({ name: `${name}-5d6e7f8` }),
      "aws:iam/rolePolicy:RolePolicy": () => ({}),
      "aws:iam/instanceProfile:InstanceProfile": (name: string) => ({ name: `${name}-9a8b7c6` }),
    },
  };
}

const build = (args?: BinaryCacheArgs) => run(answers(), () => new BinaryCache("cache", args));

describe("BinaryCache", () => {
  it("makes these resources and no other", async () => {
    const { resources } = await build();
    assert.deepEqual(cloudResources(resources).sort(), [
      "aws:iam/instanceProfile:InstanceProfile cache-reader-profile",
      "aws:iam/role:Role cache-reader",
      "aws:iam/rolePolicy:RolePolicy cache-reader-policy",
      "aws:s3/bucket:Bucket cache",
      "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration cache-lifecycle",
      "aws:s3/bucketPolicy:BucketPolicy cache-policy",
      "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock cache-public-access",
      "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration cache-encryption",
      "tls:index/privateKey:PrivateKey cache-signing-key",
    ]);
    assert.deepEqual([...new Set(resources.filter(({ custom }) => custom).map(({ parent }) => parent))], ["cache"]);
  });

  it("protects bucket and signing key where that is asked, and nothing by default", async () => {
    const kept = async (args?: BinaryCacheArgs) =>
      (await build(args)).resources
        .filter(({ options }) => options.protect)
        .map(({ name }) => name)
        .sort();
    assert.deepEqual(await kept({ protect: true }), ["cache", "cache-signing-key"]);
    assert.deepEqual(await kept(), []);
  });

  it("blocks every kind of public access", async () => {
    const { resources } = await build();
    assert.deepEqual(only(resources, "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock").inputs, {
      bucket: "cache-1a2b3c4",
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    });
  });

  it("refuses requests without TLS, to the bucket and to what is in it", async () => {
    const { resources } = await build();
    const { policy } = only(resources, "aws:s3/bucketPolicy:BucketPolicy").inputs;
    assert.deepEqual((JSON.parse(policy as string) as { Statement: unknown }).Statement, [
      {
        Sid: "RefusePlainHttp",
        Effect: "Deny",
        Principal: "*",
        Action: "s3:*",
        Resource: [ARN, `${ARN}/*`],
        Condition: { Bool: { "aws:SecureTransport": "false" } },
      },
    ]);
  });

  it("changes the bucket's access one after the other, as S3 refuses two changes at once", async () => {
    const { resources } = await build();
    const policy = only(resources, "aws:s3/bucketPolicy:BucketPolicy");
    assert.ok(policy.dependencies.includes("cache-public-access"), policy.dependencies.join());
  });

  it("encrypts what is stored", async () => {
    const { resources } = await build();
    const type = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration";
    assert.deepEqual(only(resources, type).inputs["rules"], [
      { applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" } },
    ]);
  });

  it("expires builds, but not the small file that makes the bucket a cache", async () => {
    const { resources } = await build({ expirationDays: 30 });
    const { rules } = only(resources, "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration").inputs;
    assert.deepEqual((rules as unknown[])[0], {
      id: "expire-builds",
      status: "Enabled",
      filter: { objectSizeGreaterThan: 200 },
      expiration: { days: 30 },
    });
  });

  it("lets a machine read, and nothing more", async () => {
    const { resources } = await build();
    const { policy } = only(resources, "aws:iam/rolePolicy:RolePolicy").inputs;
    assert.deepEqual((JSON.parse(policy as string) as { Statement: unknown }).Statement, [
      { Effect: "Allow", Action: ["s3:GetBucketLocation", "s3:ListBucket"], Resource: ARN },
      { Effect: "Allow", Action: "s3:GetObject", Resource: `${ARN}/*` },
    ]);
  });

  it("names the store with its region", async () => {
    const { result } = await build();
    assert.equal(await awaited(result.substituter), "s3://cache-1a2b3c4?region=eu-central-1");
  });

  it("hands on the signing key as a secret and its public half in plain", async () => {
    const given = answers();
    const { result } = await run(given, () => new BinaryCache("cache"));
    const expected = nixSigningKey("cache-1", given.keys.get("cache-signing-key")!.privateKeyOpenssh);
    assert.deepEqual(await awaitedFacts(result.secretKey), { value: expected.secretKey, known: true, secret: true });
    assert.deepEqual(await awaitedFacts(result.publicKey), { value: expected.publicKey, known: true, secret: false });
  });

  it("shows the signing key nowhere in plain", async () => {
    const outcome = await build();
    const secretKey = await awaited(outcome.result.secretKey);
    const shown = plainTextsOf(outcome).filter((text) => text.includes(secretKey) || text.includes("PRIVATE KEY"));
    assert.deepEqual(shown, []);
  });

  it("refuses every bad argument at once, before any cloud call", async () => {
    const args = { bucketName: "My.Bucket", signingKeyName: "a:b", expirationDays: 1 };
    const { error, resources } = await refusal(answers(), () => new BinaryCache("cache", args));
    assert.match(
      error.message,
      /^BinaryCache "cache" has 3 problems:\n {2}- bucketName: .*\n {2}- signingKeyName: .*\n {2}- expirationDays: /,
    );
    assert.deepEqual(cloudResources(resources), []);
  });
});
