import type { PolicyResource } from "@pulumi/policy";
import { type Statement, statementsOf } from "./iamDocument";
import { refersTo } from "./references";
import { eachKnown, securityHub, stackRule } from "./rule";

const BUCKETS = ["aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2"];
const S3_CONTROLS = "https://docs.aws.amazon.com/securityhub/latest/userguide/s3-controls.html";
const BLOCKS = ["blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"];

export const bucketsPrivate = stackRule({
  name: "buckets-private",
  description: "Buckets, such as that of the binary cache, should be closed to the public",
  enforcementLevel: "mandatory",
  severity: "high",
  framework: securityHub("S3.8", "S3 general purpose buckets should block public access"),
  tags: ["CIS AWS Foundations Benchmark v5.0.0/2.1.4"],
  remediationSteps: "Add a BucketPublicAccessBlock with all four settings true, or use BinaryCache, which does.",
  url: `${S3_CONTROLS}#s3-8`,
  check: (resources, report) =>
    eachBucket(resources, "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", (bucket, [block]) => {
      if (block === undefined) return report(bucket, "It has no BucketPublicAccessBlock.");
      const open = BLOCKS.filter((setting) => block.props[setting] !== true);
      if (open.length > 0) report(bucket, `${open.join(", ")} is not true in ${block.name}.`);
    }),
});

export const bucketsTlsOnly = stackRule({
  name: "buckets-tls-only",
  description: "Buckets should answer encrypted requests only",
  enforcementLevel: "mandatory",
  severity: "medium",
  framework: securityHub("S3.5", "S3 general purpose buckets should require requests to use SSL"),
  tags: ["CIS AWS Foundations Benchmark v5.0.0/2.1.1"],
  remediationSteps:
    'Add a BucketPolicy that denies s3:* to everyone where aws:SecureTransport is "false", or use BinaryCache, which does.',
  url: `${S3_CONTROLS}#s3-5`,
  check: (resources, report) =>
    eachBucket(resources, "aws:s3/bucketPolicy:BucketPolicy", (bucket, policies) => {
      const statements = policies.flatMap(({ props }) => statementsOf(props["policy"]));
      if (!statements.some(refusesPlainHttp)) report(bucket, "No policy of it refuses plain HTTP.");
    }),
});

function eachBucket(
  resources: PolicyResource[],
  companion: string,
  visit: (bucket: PolicyResource, companions: PolicyResource[]) => void,
): void {
  const companions = resources.filter(({ type }) => type === companion);
  eachKnown(
    resources.filter(({ type }) => BUCKETS.includes(type)),
    (bucket) =>
      visit(
        bucket,
        companions.filter((one) => refersTo(one, "bucket", bucket, "bucket", "id")),
      ),
  );
}

function refusesPlainHttp({ effect, principals, actions, condition }: Statement): boolean {
  const transport = condition["Bool"]?.["aws:SecureTransport"];
  return (
    effect === "Deny" &&
    principals.some(({ name }) => name === "*") &&
    actions.some((action) => ["*", "s3:*"].includes(action)) &&
    String(transport) === "false"
  );
}
