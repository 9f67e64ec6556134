/** A statement of an IAM policy. */
export interface Statement {
  Sid: string;
  Effect: "Allow" | "Deny";
  Action: string[];
  Resource: string[];
  Condition?: { StringEquals: Record<string, string | string[]> };
}

/** An IAM policy document. */
export function policyDocument(statements: Statement[]): { Version: string; Statement: Statement[] } {
  return { Version: "2012-10-17", Statement: statements };
}

/** GitHub's issuer of tokens for workflows, as IAM names it in conditions. */
export const GITHUB_ISSUER = "token.actions.githubusercontent.com";

/**
 * Who may take a role: jobs of one repository whose token has exactly this subject
 * (https://docs.github.com/en/actions/reference/security/oidc). Equality, not a pattern: a wildcard would let in other
 * branches, and with a careless one other repositories.
 */
export function trustPolicy(providerArn: string, subject: string): object {
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { Federated: providerArn },
        Action: "sts:AssumeRoleWithWebIdentity",
        Condition: {
          StringEquals: { [`${GITHUB_ISSUER}:aud`]: "sts.amazonaws.com", [`${GITHUB_ISSUER}:sub`]: subject },
        },
      },
    ],
  };
}

/**
 * What a preview without refresh asks AWS: which images and subnets there are.
 *
 * User data holds the machine's private key and is read by DescribeInstanceAttribute; the denial also holds when
 * somebody adds a broader policy to the role.
 */
export const PREVIEW_STATEMENTS: Statement[] = [
  { Sid: "LookUp", Effect: "Allow", Action: ["ec2:DescribeImages", "ec2:DescribeSubnets"], Resource: ["*"] },
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
}

/**
 * What an update calls for the resources of NixosInstance and SshKeyPair, and nothing beside.
 *
 * Whoever may change an instance's user data or stop it is root on it, so with the machine's name these calls are for
 * instances and volumes of that name alone, and no other instance can be given the name.
 */
export function deployStatements({ name, roleArn }: DeployedMachine): Statement[] {
  const ofMachine = name === undefined ? {} : { Condition: { StringEquals: { "aws:ResourceTag/Name": name } } };
  return [
    READ,
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
    {
      Sid: "NewMachineAddressKeyAndFirewall",
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
        "ec2:RunInstances",
      ],
      Resource: ["*"],
    },
    { Sid: "Tags", Effect: "Allow", Action: ["ec2:CreateTags", "ec2:DeleteTags"], Resource: ["*"], ...ofMachine },
    ...(name === undefined ? [] : TAGS_OF_NEW),
    ...(roleArn === undefined ? [] : [passRole(roleArn)]),
  ];
}

/** What has no tags yet: things as they are made, and the root volume, which AWS's provider tags a moment later. */
const TAGS_OF_NEW: Statement[] = [
  {
    Sid: "TagsOfNew",
    Effect: "Allow",
    Action: ["ec2:CreateTags"],
    Resource: ["*"],
    Condition: {
      StringEquals: {
        "ec2:CreateAction": ["AllocateAddress", "CreateSecurityGroup", "ImportKeyPair", "RunInstances"],
      },
    },
  },
  { Sid: "TagsOfVolumes", Effect: "Allow", Action: ["ec2:CreateTags"], Resource: ["arn:*:ec2:*:*:volume/*"] },
];

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
