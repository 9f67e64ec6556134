import { NIXOS_AMI_OWNER } from "./values/nixosAmi";

/** A statement of an IAM policy. */
export interface Statement {
  Sid: string;
  Effect: "Allow" | "Deny";
  Action: string[];
  Resource: string[];
  Condition?: Record<string, Record<string, string | string[]>>;
}

/** An IAM policy document. */
export function policyDocument(statements: Statement[]): { Version: string; Statement: Statement[] } {
  return { Version: "2012-10-17", Statement: statements };
}

/** The environment of jobs that only the branch may run: its secrets are for no other branch's workflows. */
export const BRANCH_ENVIRONMENT = "trusted-branch";

/** GitHub's issuer of tokens for workflows, as IAM names it in conditions. */
export const GITHUB_ISSUER = "token.actions.githubusercontent.com";

/** Which tokens a role trusts. */
export interface Trusted {
  /** Their subject is one of these. */
  subjects: string[];
  /** The branch that their job runs on, whatever their subject says; undefined: any. */
  branch?: string | undefined;
  /** Who has not started the job; AWS reads the claim `actor` since it reads `ref`. */
  exceptActor?: string | undefined;
}

/** Dependabot's name as an actor: its pull requests bring what somebody else has just published. */
export const DEPENDABOT = "dependabot[bot]";

/**
 * Who may take a role: jobs of one repository whose token has exactly one of these subjects
 * (https://docs.github.com/en/actions/reference/security/oidc). Equality, not a pattern: a wildcard would let in other
 * branches, and with a careless one other repositories.
 *
 * A job that names an environment has that in its subject in place of the branch, and GitHub makes an environment that
 * nobody made when a job names it, without any rule. So the branch is a condition of its own: AWS reads the claim `ref`
 * since January 2026, and GitHub sends it on every plan.
 */
export function trustPolicy(providerArn: string, { subjects, branch, exceptActor }: Trusted): object {
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { Federated: providerArn },
        Action: "sts:AssumeRoleWithWebIdentity",
        Condition: {
          StringEquals: {
            [`${GITHUB_ISSUER}:aud`]: "sts.amazonaws.com",
            [`${GITHUB_ISSUER}:sub`]: subjects.length === 1 ? subjects[0] : subjects,
            ...(branch === undefined ? {} : { [`${GITHUB_ISSUER}:ref`]: `refs/heads/${branch}` }),
          },
          ...(exceptActor === undefined ? {} : { StringNotEquals: { [`${GITHUB_ISSUER}:actor`]: exceptActor } }),
        },
      },
    ],
  };
}

/** Names of what a role may do, which tell whether somebody added something by hand. */
const ROLE_POLICIES = ["iam:ListAttachedRolePolicies", "iam:ListRolePolicies"];

/**
 * What a preview without refresh asks AWS: which images and subnets there are, and which rules and policies somebody
 * added by hand.
 *
 * User data holds the machine's private key and is read by DescribeInstanceAttribute; the denial also holds when
 * somebody adds a broader policy to the role.
 */
export const PREVIEW_STATEMENTS: Statement[] = [
  {
    Sid: "LookUp",
    Effect: "Allow",
    Action: ["ec2:DescribeImages", "ec2:DescribeSecurityGroupRules", "ec2:DescribeSubnets", ...ROLE_POLICIES],
    Resource: ["*"],
  },
  { Sid: "NoUserData", Effect: "Deny", Action: ["ec2:DescribeInstanceAttribute"], Resource: ["*"] },
];

/** What an update and a refresh read of the resources of NixosInstance and SshKeyPair. */
const READ: Statement = {
  Sid: "Read",
  Effect: "Allow",
  Action: [
    "ec2:DescribeAddresses",
    "ec2:DescribeAddressesAttribute",
    "ec2:DescribeIamInstanceProfileAssociations",
    "ec2:DescribeImages",
    "ec2:DescribeInstanceAttribute",
    "ec2:DescribeInstanceCreditSpecifications",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeInstances",
    "ec2:DescribeKeyPairs",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroupRules",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeTags",
    "ec2:DescribeVolumes",
    "ec2:DescribeVolumesModifications",
    "ec2:DescribeVpcs",
  ],
  Resource: ["*"],
};

/** The machine that deployments are of. */
export interface DeployedMachine {
  /** Its tag `Name`, and that of its volume. */
  name?: string;
  /** Role of its instance profile. */
  roleArn?: string;
  /** Types that a new one may have; none: any. */
  instanceTypes: string[];
  /** The one image that a new one may start from; none: any official one of NixOS. */
  imageId?: string;
}

/**
 * What an update calls for the resources of NixosInstance and SshKeyPair, and nothing beside.
 *
 * Whoever may change an instance's user data or stop it is root on it, so with the machine's name these calls are for
 * instances and volumes of that name alone. The name is given to what is being made, and to nothing else: a tag that
 * could be put on a thing that exists would make anybody's machine this one.
 */
export function deployStatements(machine: DeployedMachine): Statement[] {
  const { name, roleArn } = machine;
  const ofMachine = name === undefined ? {} : { Condition: { StringEquals: { "aws:ResourceTag/Name": name } } };
  return [
    { ...READ, Action: [...READ.Action, ...ROLE_POLICIES] },
    {
      Sid: "Machine",
      Effect: "Allow",
      Action: [
        "ec2:AssociateIamInstanceProfile",
        "ec2:DisassociateIamInstanceProfile",
        "ec2:ModifyInstanceAttribute",
        "ec2:ModifyInstanceMetadataOptions",
        "ec2:ModifyVolume",
        "ec2:ReplaceIamInstanceProfileAssociation",
        "ec2:StartInstances",
        "ec2:StopInstances",
        "ec2:TerminateInstances",
      ],
      Resource: ["*"],
      ...ofMachine,
    },
    ...newMachine(machine),
    {
      Sid: "AddressKeyAndFirewall",
      Effect: "Allow",
      Action: [
        "ec2:AllocateAddress",
        "ec2:AssociateAddress",
        "ec2:AuthorizeSecurityGroupEgress",
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:CreateSecurityGroup",
        "ec2:DeleteKeyPair",
        "ec2:DeleteSecurityGroup",
        "ec2:DisassociateAddress",
        "ec2:ImportKeyPair",
        "ec2:ModifyNetworkInterfaceAttribute",
        "ec2:ModifySecurityGroupRules",
        "ec2:ReleaseAddress",
        "ec2:RevokeSecurityGroupEgress",
        "ec2:RevokeSecurityGroupIngress",
      ],
      Resource: ["*"],
    },
    { Sid: "Tags", Effect: "Allow", Action: ["ec2:CreateTags", "ec2:DeleteTags"], Resource: ["*"], ...ofMachine },
    ...(name === undefined ? [] : tagsOfNew(name)),
    ...(roleArn === undefined ? [] : [passRole(roleArn)]),
  ];
}

/**
 * Starting a machine is a call for each thing that it touches. Snapshots are not among them, so that no disk is made of
 * somebody's; neither are launch templates, placement groups and what else a call may name.
 */
function newMachine({ name, instanceTypes, imageId }: DeployedMachine): Statement[] {
  const run = { Effect: "Allow" as const, Action: ["ec2:RunInstances"] };
  const limits: Record<string, string | string[]> = {
    ...(name === undefined ? {} : { "aws:RequestTag/Name": name }),
    ...(instanceTypes.length === 0 ? {} : { "ec2:InstanceType": instanceTypes }),
  };
  return [
    {
      Sid: "NewMachine",
      ...run,
      Resource: ["arn:*:ec2:*:*:instance/*"],
      ...(Object.keys(limits).length === 0 ? {} : { Condition: { StringEquals: limits } }),
    },
    {
      Sid: "NewMachineImage",
      ...run,
      Resource: [`arn:*:ec2:*::image/${imageId ?? "*"}`],
      ...(imageId === undefined ? { Condition: { StringEquals: { "ec2:Owner": NIXOS_AMI_OWNER } } } : {}),
    },
    {
      Sid: "NewMachineParts",
      ...run,
      Resource: ["key-pair", "network-interface", "security-group", "subnet", "volume"].map(
        (kind) => `arn:*:ec2:*:*:${kind}/*`,
      ),
    },
  ];
}

/** Tags of things as they are made; rules of firewalls get theirs a moment later, and nothing is allowed by those. */
function tagsOfNew(name: string): Statement[] {
  const made = (CreateAction: string[]) => ({ StringEquals: { "ec2:CreateAction": CreateAction } });
  return [
    {
      Sid: "TagsOfNew",
      Effect: "Allow",
      Action: ["ec2:CreateTags"],
      Resource: ["*"],
      Condition: made(["AllocateAddress", "CreateSecurityGroup", "ImportKeyPair"]),
    },
    {
      Sid: "TagsOfNewMachine",
      Effect: "Allow",
      Action: ["ec2:CreateTags"],
      Resource: ["arn:*:ec2:*:*:instance/*", "arn:*:ec2:*:*:volume/*"],
      Condition: { StringEquals: { "ec2:CreateAction": "RunInstances", "aws:RequestTag/Name": name } },
    },
    {
      Sid: "TagsOfRules",
      Effect: "Allow",
      Action: ["ec2:CreateTags", "ec2:DeleteTags"],
      Resource: ["arn:*:ec2:*:*:security-group-rule/*"],
    },
  ];
}

/** A machine with an instance profile starts only for somebody who may hand its role to EC2. */
function passRole(roleArn: string): Statement {
  return {
    Sid: "RoleOfMachine",
    Effect: "Allow",
    Action: ["iam:PassRole"],
    Resource: [roleArn],
    Condition: { StringEquals: { "iam:PassedToService": "ec2.amazonaws.com" } },
  };
}

/**
 * What a refreshed preview reads: everything that an update of the machine reads, the parts of a BinaryCache, and the
 * roles themselves. Among it is the machine's user data, so the role must be for the branch alone.
 */
export const DRIFT_STATEMENTS: Statement[] = [
  READ,
  {
    Sid: "ReadCacheBuckets",
    Effect: "Allow",
    Action: [
      "s3:GetAccelerateConfiguration",
      "s3:GetBucketAcl",
      "s3:GetBucketCORS",
      "s3:GetBucketLocation",
      "s3:GetBucketLogging",
      "s3:GetBucketObjectLockConfiguration",
      "s3:GetBucketPolicy",
      "s3:GetBucketPublicAccessBlock",
      "s3:GetBucketRequestPayment",
      "s3:GetBucketTagging",
      "s3:GetBucketVersioning",
      "s3:GetBucketWebsite",
      "s3:GetEncryptionConfiguration",
      "s3:GetLifecycleConfiguration",
      "s3:GetReplicationConfiguration",
      "s3:ListBucket",
    ],
    Resource: ["*"],
  },
  {
    Sid: "ReadRoles",
    Effect: "Allow",
    Action: [
      "iam:GetInstanceProfile",
      "iam:GetOpenIDConnectProvider",
      "iam:GetRole",
      "iam:GetRolePolicy",
      "iam:ListAttachedRolePolicies",
      "iam:ListRolePolicies",
    ],
    Resource: ["*"],
  },
];

/** Reading and writing a binary cache as `nix copy` does. */
export function cacheWriteStatements(bucketArn: string): Statement[] {
  return [
    { Sid: "FindCache", Effect: "Allow", Action: ["s3:GetBucketLocation", "s3:ListBucket"], Resource: [bucketArn] },
    {
      Sid: "FillCache",
      Effect: "Allow",
      Action: ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"],
      Resource: [`${bucketArn}/*`],
    },
  ];
}

/** Reading a state in S3 and opening its secrets. */
export function stateReadStatements(bucketArn: string, keyArn: string): Statement[] {
  return [
    { Sid: "FindState", Effect: "Allow", Action: ["s3:GetBucketLocation", "s3:ListBucket"], Resource: [bucketArn] },
    { Sid: "ReadState", Effect: "Allow", Action: ["s3:GetObject"], Resource: [`${bucketArn}/*`] },
    { Sid: "OpenSecrets", Effect: "Allow", Action: ["kms:Decrypt"], Resource: [keyArn] },
  ];
}

/** Changing a state in S3 and closing its secrets. */
export function stateWriteStatements(bucketArn: string, keyArn: string): Statement[] {
  return [
    ...stateReadStatements(bucketArn, keyArn),
    { Sid: "WriteState", Effect: "Allow", Action: ["s3:DeleteObject", "s3:PutObject"], Resource: [`${bucketArn}/*`] },
    { Sid: "CloseSecrets", Effect: "Allow", Action: ["kms:Encrypt", "kms:GenerateDataKey"], Resource: [keyArn] },
  ];
}
