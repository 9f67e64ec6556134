import type { Provider } from "../provider";
import { Ec2 } from "./ec2";
import { eip } from "./eip";
import { exclusiveRules } from "./exclusiveRules";
import {
  getOpenIdConnectProvider,
  getRolePolicies,
  getRolePolicyAttachments,
  Iam,
  instanceProfile,
  openIdConnectProvider,
  role,
  rolePolicy,
} from "./iam";
import { instance } from "./instance";
import { keyPair } from "./keyPair";
import { getAmiIds, getRegion, getSecurityGroupRule, getSecurityGroupRules, getSubnet } from "./lookups";
import { bucket, bucketSetting, S3 } from "./s3";
import { securityGroup } from "./securityGroup";
import { securityGroupRule } from "./securityGroupRule";

export { Ec2 } from "./ec2";
export { Iam } from "./iam";

/** The aws provider on an emulated EC2, S3 and IAM. */
export function awsProvider(ec2: Ec2 = new Ec2(), iam: Iam = new Iam()): Provider {
  const s3 = new S3();
  return {
    name: "aws",
    version: "7.48.0",
    bridged: true,
    checkConfig({ region }) {
      if (region === undefined || /^[a-z]{2}(-[a-z]+)+-\d$/.test(region as string)) return [];
      return [{ property: "region", reason: `invalid AWS Region: ${region as string}` }];
    },
    configure({ region }) {
      if (typeof region === "string") ec2.region = region;
    },
    resources: {
      "aws:ec2/eip:Eip": eip(ec2),
      "aws:ec2/instance:Instance": instance(ec2),
      "aws:ec2/keyPair:KeyPair": keyPair(ec2),
      "aws:ec2/securityGroup:SecurityGroup": securityGroup(ec2),
      "aws:ec2/vpcSecurityGroupRulesExclusive:VpcSecurityGroupRulesExclusive": exclusiveRules(ec2),
      "aws:iam/instanceProfile:InstanceProfile": instanceProfile(iam),
      "aws:iam/openIdConnectProvider:OpenIdConnectProvider": openIdConnectProvider(iam),
      "aws:iam/role:Role": role(iam),
      "aws:iam/rolePolicy:RolePolicy": rolePolicy(iam),
      "aws:s3/bucket:Bucket": bucket(s3, ec2),
      "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": bucketSetting(s3, "Lifecycle Configuration", {
        rules: { type: "array", required: true },
      }),
      "aws:s3/bucketPolicy:BucketPolicy": bucketSetting(s3, "Policy", { policy: { type: "string", required: true } }),
      "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": bucketSetting(s3, "Public Access Block", {
        blockPublicAcls: { type: "boolean", default: false },
        blockPublicPolicy: { type: "boolean", default: false },
        ignorePublicAcls: { type: "boolean", default: false },
        restrictPublicBuckets: { type: "boolean", default: false },
      }),
      "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": bucketSetting(
        s3,
        "Server-side Encryption Configuration",
        { rules: { type: "array", required: true } },
      ),
      "aws:s3/bucketVersioning:BucketVersioning": bucketSetting(s3, "Versioning", {
        versioningConfiguration: { type: "object", required: true },
      }),
      "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": securityGroupRule(ec2, "egress"),
      "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": securityGroupRule(ec2, "ingress"),
    },
    functions: {
      "aws:ec2/getAmiIds:getAmiIds": (args) => getAmiIds(ec2, args),
      "aws:iam/getOpenIdConnectProvider:getOpenIdConnectProvider": (args) => getOpenIdConnectProvider(iam, args),
      "aws:iam/getRolePolicies:getRolePolicies": (args) => getRolePolicies(iam, args),
      "aws:iam/getRolePolicyAttachments:getRolePolicyAttachments": (args) => getRolePolicyAttachments(iam, args),
      "aws:index/getRegion:getRegion": (args) => getRegion(ec2, args),
      "aws:ec2/getSubnet:getSubnet": (args) => getSubnet(ec2, args),
      "aws:vpc/getSecurityGroupRule:getSecurityGroupRule": (args) => getSecurityGroupRule(ec2, args),
      "aws:vpc/getSecurityGroupRules:getSecurityGroupRules": (args) => getSecurityGroupRules(ec2, args),
    },
  };
}
