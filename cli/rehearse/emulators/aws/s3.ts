import type { Input, ResourceType } from "../provider";
import type { Properties } from "../values";
import { AwsError, type Ec2, tagsAll } from "./ec2";

/** The emulated S3: the buckets of one account by name, each with what is set on it apart. */
export class S3 {
  readonly buckets = new Map<string, Map<string, Properties>>();
}

/** A bucket. Its settings are resources of their own. */
export function bucket(s3: S3, ec2: Ec2): ResourceType {
  return {
    autoName: "bucket",
    inputs: {
      bucket: {
        type: "string",
        replaces: true,
        problem: (value: string) =>
          /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(value) ? undefined : `invalid bucket name ${value}`,
      },
      forceDestroy: { type: "boolean", default: false },
      region: { type: "string", replaces: true },
      tags: { type: "object" },
    },
    outputs: ["arn", "bucketDomainName", "bucketRegion", "bucketRegionalDomainName", "region", "tagsAll"],
    create(inputs) {
      const name = inputs["bucket"] as string;
      if (s3.buckets.has(name)) {
        throw new AwsError("BucketAlreadyExists", "The requested bucket name is not available.", "creating S3 Bucket");
      }
      s3.buckets.set(name, new Map());
      const { region } = ec2;
      const outputs = {
        arn: `arn:aws:s3:::${name}`,
        bucketDomainName: `${name}.s3.amazonaws.com`,
        bucketRegionalDomainName: `${name}.s3.${region}.amazonaws.com`,
        bucketRegion: region,
        region,
      };
      return { id: name, outputs: { ...outputs, ...tagsAll(inputs) } };
    },
    update: (_id, _state, inputs) => tagsAll(inputs),
    read: (id) => (s3.buckets.has(id) ? {} : undefined),
    delete: (id) => void s3.buckets.delete(id),
  };
}

/** One setting of a bucket, such as its policy: a bucket has it once or not at all. */
export function bucketSetting(s3: S3, kind: string, inputs: Record<string, Input>): ResourceType {
  const put = (given: Properties) => {
    const settings = s3.buckets.get(given["bucket"] as string);
    if (settings === undefined) {
      throw new AwsError("NoSuchBucket", "The specified bucket does not exist", `putting S3 Bucket ${kind}`);
    }
    settings.set(kind, given);
    return {};
  };
  return {
    inputs: {
      bucket: { type: "string", required: true, replaces: true },
      region: { type: "string", replaces: true },
      ...inputs,
    },
    outputs: [],
    create: (given) => ({ id: given["bucket"] as string, outputs: put(given) }),
    update: (_id, _state, given) => put(given),
    read: (id) => (s3.buckets.get(id)?.has(kind) ? {} : undefined),
    delete: (id) => void s3.buckets.get(id)?.delete(kind),
  };
}
