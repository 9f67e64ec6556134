import * as iam from "@pulumi/aws/iam";
import * as s3 from "@pulumi/aws/s3";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { bucketName, cacheDays } from "./values/rules";
import { ArgumentRules } from "./values/errors";
import { outputsOf } from "./values/outputs";
import { warnOfForeignPolicies } from "./foreignPolicies";
import { nixSigningKey, signingKeyName } from "./keys/nixSigningKey";

/** Arguments of BinaryCache. */
export interface BinaryCacheArgs {
  /**
   * Name of the S3 bucket, unique in all of AWS. A change replaces the bucket.
   * @default a name that Pulumi makes from the resource's name, with a random suffix
   */
  bucketName?: pulumi.Input<string>;
  /**
   * Name in the signing key. To change keys, change this name: a new name alone keeps the key itself.
   * @default the name of the resource, followed by -1
   */
  signingKeyName?: pulumi.Input<string>;
  /**
   * Days after which a stored build is deleted, 7 to 3650. A machine that misses one builds it again.
   * @default 180
   */
  expirationDays?: pulumi.Input<number>;
  /**
   * Whether the bucket may be destroyed while it holds builds.
   * @default true
   */
  forceDestroy?: pulumi.Input<boolean>;
  /**
   * Whether the engine refuses to delete or replace bucket and signing key. Machines trust the key by its public half in
   * their configuration: with another one they build everything themselves.
   * @default false
   */
  protect?: boolean;
}

/**
 * A Nix binary cache in S3: continuous integration writes and signs what machines then need not build.
 *
 * @example
 * ```ts
 * const cache = new BinaryCache("cache", { expirationDays: 90 });
 * export const substituter = cache.substituter;
 * export const publicKey = cache.publicKey; // for trusted-public-keys
 * ```
 */
export class BinaryCache extends pulumi.ComponentResource {
  /** ARN of the bucket. */
  public readonly bucketArn: pulumi.Output<string>;
  /** What `substituters` takes, and where to copy to: `s3://<bucket>?region=<region>`. */
  public readonly substituter: pulumi.Output<string>;
  /** Public half of the signing key, for `trusted-public-keys`. */
  public readonly publicKey: pulumi.Output<string>;
  /** Signing key in Nix's text form, for `secret-key-files`. Secret. */
  public readonly secretKey: pulumi.Output<string>;
  /** Name of an instance profile that may read the cache: `instanceProfile` of NixosInstance. */
  public readonly readerProfileName: pulumi.Output<string>;
  /** ARN of the role of that profile: `machineRoleArn` of GithubActionsAccess. */
  public readonly readerRoleArn: pulumi.Output<string>;

  /**
   * @param name name of the resource; the names of those beneath it in the cloud begin with it
   * @param args what is to be other than the defaults
   * @param opts options of Pulumi's; `transforms` reach the resources beneath (docs/packages.md)
   */
  constructor(name: string, args: BinaryCacheArgs = {}, opts?: pulumi.ComponentResourceOptions) {
    super("nixos:index:BinaryCache", name, args, opts);

    const checked = checkedArgs(this, name, args);
    const bucket = createBucket(this, name, checked);
    const key = new tls.PrivateKey(
      `${name}-signing-key`,
      { algorithm: "ED25519" },
      { parent: this, protect: checked.protect },
    );
    const signingKey = pulumi
      .all([checked.signingKeyName, pulumi.secret(key.privateKeyOpenssh)])
      .apply(([keyName, privateKey]) => nixSigningKey(keyName, privateKey));

    this.bucketArn = bucket.arn;
    this.substituter = pulumi.interpolate`s3://${bucket.bucket}?region=${bucket.region}`;
    this.publicKey = pulumi.unsecret(signingKey.publicKey);
    this.secretKey = signingKey.secretKey;
    const reader = createReader(this, name, bucket);
    this.readerProfileName = reader.profile.name;
    this.readerRoleArn = reader.role.arn;

    this.registerOutputs(outputsOf(this));
  }
}

type CheckedArgs = ReturnType<typeof checkedArgs>;

function checkedArgs(component: BinaryCache, name: string, args: BinaryCacheArgs) {
  const checks = new ArgumentRules(component, `BinaryCache ${JSON.stringify(name)}`);
  const checked = {
    bucketName: args.bucketName === undefined ? undefined : checks.input("bucketName", args.bucketName, bucketName),
    signingKeyName: checks.input("signingKeyName", args.signingKeyName ?? `${name}-1`, signingKeyName),
    expirationDays: checks.input("expirationDays", args.expirationDays ?? 180, cacheDays),
    // Everything in it can be built again.
    forceDestroy: args.forceDestroy ?? true,
    protect: args.protect,
  };
  checks.refuseProblems();
  return checked;
}

/** A private, encrypted bucket that answers over TLS only and forgets old builds. */
function createBucket(component: BinaryCache, name: string, checked: CheckedArgs): s3.Bucket {
  const parent = { parent: component };
  const { bucketName: bucketNameOrNone, forceDestroy, protect } = checked;
  const bucket = new s3.Bucket(name, { bucket: bucketNameOrNone, forceDestroy }, { parent: component, protect });
  const id = { bucket: bucket.bucket };

  new s3.BucketServerSideEncryptionConfiguration(
    `${name}-encryption`,
    { ...id, rules: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" } }] },
    parent,
  );
  const blocked = new s3.BucketPublicAccessBlock(
    `${name}-public-access`,
    { ...id, blockPublicAcls: true, blockPublicPolicy: true, ignorePublicAcls: true, restrictPublicBuckets: true },
    parent,
  );
  new s3.BucketPolicy(
    `${name}-policy`,
    { ...id, policy: tlsOnly(bucket.arn) },
    // S3 answers a conflict to two changes of a bucket's access at once.
    { parent: component, dependsOn: [blocked] },
  );
  new s3.BucketLifecycleConfiguration(
    `${name}-lifecycle`,
    {
      ...id,
      rules: [
        {
          id: "expire-builds",
          status: "Enabled",
          // Spares nix-cache-info, the small file without which Nix does not take the bucket for a cache.
          filter: { objectSizeGreaterThan: 200 },
          expiration: { days: checked.expirationDays },
        },
        {
          id: "abort-uploads",
          status: "Enabled",
          filter: { prefix: "" },
          abortIncompleteMultipartUpload: { daysAfterInitiation: 7 },
        },
      ],
    },
    parent,
  );
  return bucket;
}

function tlsOnly(bucketArn: pulumi.Output<string>): pulumi.Output<string> {
  return pulumi.jsonStringify({
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "RefusePlainHttp",
        Effect: "Deny",
        Principal: "*",
        Action: "s3:*",
        Resource: [bucketArn, pulumi.interpolate`${bucketArn}/*`],
        Condition: { Bool: { "aws:SecureTransport": "false" } },
      },
    ],
  });
}

/** A role that a machine has through its instance profile, and that may do what Nix does to read a cache. */
function createReader(component: BinaryCache, name: string, bucket: s3.Bucket) {
  const parent = { parent: component };
  const role = new iam.Role(
    `${name}-reader`,
    {
      description: "A machine that reads the binary cache",
      assumeRolePolicy: JSON.stringify({
        Version: "2012-10-17",
        Statement: [{ Effect: "Allow", Principal: { Service: "ec2.amazonaws.com" }, Action: "sts:AssumeRole" }],
      }),
    },
    parent,
  );
  const own = new iam.RolePolicy(
    `${name}-reader-policy`,
    {
      role: role.name,
      policy: pulumi.jsonStringify({
        Version: "2012-10-17",
        Statement: [
          { Effect: "Allow", Action: ["s3:GetBucketLocation", "s3:ListBucket"], Resource: bucket.arn },
          { Effect: "Allow", Action: "s3:GetObject", Resource: pulumi.interpolate`${bucket.arn}/*` },
        ],
      }),
    },
    parent,
  );
  warnOfForeignPolicies(component, role, [own]);
  return { role, profile: new iam.InstanceProfile(`${name}-reader-profile`, { role: role.name }, parent) };
}
