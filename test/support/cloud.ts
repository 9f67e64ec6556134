import { type TestKey, newKey } from "../../cli/rehearse/keys";
import type { Answers, Values } from "./mocks";

/** The derivation that the mocked evaluation prints. */
export const DERIVATION = "/nix/store/7v1c3q6r5zp3cyw8l8bdgxl1kxvhqb8w-nixos-system-nixos-26.05.drv";
/** The system that the mocked deployment reports. */
export const SYSTEM = "/nix/store/1m5k8pa1c4yz1gkq1bd8k0vd7n4xw2cq-nixos-system-nixos-26.05";
/** The newest of the images that the mocked lookup finds, and an older one. */
export const IMAGES = ["ami-0a1b2c3d4e5f60718", "ami-00000000000000001"];

/** The answers of a cloud in which everything works, and the keys that it made. */
export interface Cloud extends Answers {
  /** Key pairs by the name of their `tls.PrivateKey`. */
  keys: Map<string, TestKey>;
}

/** Answers for every type and invoke that the components use, and no other. Each value tells where it comes from. */
export function cloud(): Cloud {
  const keys = new Map<string, TestKey>();
  const repository = (owner: string, name: string): Values => ({
    fullName: `${owner}/${name}`,
    name,
    nodeId: `node-of-${name}`,
    repoId: 345,
    sshCloneUrl: `git@github.com:${owner}/${name}.git`,
    htmlUrl: `https://github.com/${owner}/${name}`,
  });
  return {
    keys,
    resources: {
      "tls:index/privateKey:PrivateKey": (name) => {
        const key = newKey();
        keys.set(name, key);
        return { ...key };
      },
      "aws:ec2/keyPair:KeyPair": (name, { keyName }) => ({ keyName: (keyName as string) ?? `${name}-1a2b3c4` }),
      "aws:ec2/securityGroup:SecurityGroup": () => ({}),
      "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": () => ({}),
      "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": () => ({}),
      "aws:ec2/vpcSecurityGroupRulesExclusive:VpcSecurityGroupRulesExclusive": () => ({}),
      "aws:ec2/instance:Instance": () => ({ publicIp: "192.0.2.99", publicDns: "before-the-elastic-ip.example" }),
      "aws:ec2/eip:Eip": () => ({ publicIp: "192.0.2.7", publicDns: "ec2-192-0-2-7.compute-1.amazonaws.com" }),
      "github:index/repository:Repository": (_, { name }) => repository("octo", name as string),
      "github:index/branchProtection:BranchProtection": () => ({}),
      "github:index/repositoryRuleset:RepositoryRuleset": () => ({}),
      "github:index/repositoryDeployKey:RepositoryDeployKey": () => ({}),
      "command:local:Command": () => ({ stdout: JSON.stringify({ systemPath: SYSTEM, changed: true }) }),
    },
    invokes: {
      "aws:ec2/getAmiIds:getAmiIds": () => ({ ids: IMAGES }),
      // No rule but those that the program itself makes.
      "aws:vpc/getSecurityGroupRules:getSecurityGroupRules": () => ({ ids: [] }),
      "aws:ec2/getSubnet:getSubnet": ({ id }) => ({ vpcId: `vpc-of-${id as string}` }),
      "github:index/getRepository:getRepository": ({ fullName }) => {
        const [owner, name] = (fullName as string).split("/") as [string, string];
        return repository(owner, name);
      },
      "command:local:run": () => ({ stdout: `${DERIVATION}\n` }),
    },
  };
}

/** GitHub before the stack's first update: it has no repository yet. */
export function withoutRepository<T extends Answers>(answers: T): T {
  answers.invokes["github:index/getRepository:getRepository"] = () => ({ nodeId: "" });
  return answers;
}

/** The same, and what a cache, roles for jobs and the variables of workflows need. */
export function cloudWithIntegration(): Cloud {
  const { resources, invokes, keys } = cloud();
  const nothing = () => ({});
  return {
    keys,
    resources: {
      ...resources,
      "aws:iam/openIdConnectProvider:OpenIdConnectProvider": () => ({
        arn: "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com",
      }),
      "aws:iam/role:Role": (name) => ({ name, arn: `arn:aws:iam::123456789012:role/${name}` }),
      "aws:iam/rolePolicy:RolePolicy": nothing,
      "aws:iam/instanceProfile:InstanceProfile": (name) => ({ name }),
      "aws:s3/bucket:Bucket": (name) => ({ bucket: name, arn: `arn:aws:s3:::${name}`, region: "us-east-1" }),
      "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": nothing,
      "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": nothing,
      "aws:s3/bucketPolicy:BucketPolicy": nothing,
      "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": nothing,
      "github:index/actionsVariable:ActionsVariable": nothing,
      "github:index/actionsSecret:ActionsSecret": nothing,
      "github:index/actionsEnvironmentSecret:ActionsEnvironmentSecret": nothing,
      "github:index/repositoryEnvironment:RepositoryEnvironment": nothing,
      "github:index/repositoryEnvironmentDeploymentPolicy:RepositoryEnvironmentDeploymentPolicy": nothing,
    },
    invokes: {
      ...invokes,
      ...rolesAsMade(),
      "aws:index/getRegion:getRegion": () => ({ region: "us-east-1" }),
    },
  };
}

/** Roles that have the policies of the program and no others: mocked ones have no name. */
export function rolesAsMade(): Answers["invokes"] {
  return {
    "aws:iam/getRolePolicies:getRolePolicies": () => ({ policyNames: [] }),
    "aws:iam/getRolePolicyAttachments:getRolePolicyAttachments": () => ({ attachedPolicies: [] }),
  };
}
