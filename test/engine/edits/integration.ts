import type { Changes } from "../stack";
import type { Edit } from "./edit";

const each = (change: Changes[string], names: string[]): Changes =>
  Object.fromEntries(names.map((name) => [name, change]));

const CACHE = [
  "nixos-cache",
  "nixos-cache-encryption",
  "nixos-cache-public-access",
  "nixos-cache-policy",
  "nixos-cache-lifecycle",
  "nixos-cache-signing-key",
  "nixos-cache-reader",
  "nixos-cache-reader-policy",
  "nixos-cache-reader-profile",
];
const ROLES = ["preview", "deploy", "drift"].map((role) => `nixos-github-actions-${role}`);
const CACHE_ACCESS = [
  "nixos-github-actions-cache",
  "nixos-github-actions-cache-policy",
  "nixos-cache-role-arn",
  "nixos-cache-substituter",
  "nixos-cache-signing-key",
];
const policies = (roles: string[]) => roles.map((role) => `${role}-policy`);

/** Each follows on the one before. */
export const INTEGRATION: Edit[] = [
  { what: "cache", configure: { "integration.cache": "true" }, becomes: { ...each("create", CACHE), nixos: "update" } },
  {
    what: "githubActionsRoles, and whose repository it is",
    configure: { "integration.githubActionsRoles": "true", "integration.ownerId": "1234" },
    becomes: each("create", [
      "nixos-github-actions",
      ...ROLES,
      ...policies(ROLES),
      ...CACHE_ACCESS,
      "nixos-aws-region",
    ]),
  },
  {
    what: "stateBucketArn and stateKeyArn",
    configure: {
      "integration.stateBucketArn": "arn:aws:s3:::state-of-a-test",
      "integration.stateKeyArn": "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f",
    },
    becomes: {
      ...each("update", policies(ROLES)),
      ...each("create", ["nixos-preview-role-arn", "nixos-deploy-role-arn", "nixos-drift-role-arn"]),
    },
  },
  {
    what: "previews without the state",
    configure: { "integration.previews": "cloud" },
    becomes: {
      // Dependabot's jobs are trusted then.
      "nixos-github-actions-preview": "update",
      "nixos-github-actions-preview-policy": "update",
      "nixos-previews": "create",
    },
  },
  {
    what: "no previews",
    configure: { "integration.previews": "none" },
    becomes: each("delete", [
      "nixos-github-actions-preview",
      "nixos-github-actions-preview-policy",
      "nixos-previews",
      "nixos-preview-role-arn",
    ]),
  },
  {
    what: "previews of the state again",
    configure: { "integration.previews": "state" },
    becomes: each("create", [
      "nixos-github-actions-preview",
      "nixos-github-actions-preview-policy",
      "nixos-preview-role-arn",
    ]),
  },
  {
    what: "deployInstanceTypes",
    configure: { "integration.deployInstanceTypes": '["t3.small", "t3.medium"]' },
    becomes: { "nixos-github-actions-deploy-policy": "update" },
  },
  {
    what: "environments: the signing key moves into that of the branch",
    configure: { "integration.environments": "true" },
    becomes: {
      ...each("create", ["nixos-branch-environment", "nixos-branch-environment-policy"]),
      "nixos-cache-signing-key-of-branch": "create",
      "nixos-cache-signing-key": "delete",
    },
  },
  {
    what: "deployEnvironment and deployReviewers",
    configure: { "integration.deployEnvironment": "approved", "integration.deployReviewers": "[7]" },
    becomes: {
      "nixos-github-actions-deploy": "update",
      ...each("create", ["nixos-deploy-environment", "nixos-deploy-approval", "nixos-deploy-approval-policy"]),
    },
  },
  {
    what: "deployEnvironment, another",
    configure: { "integration.deployEnvironment": "production" },
    becomes: {
      "nixos-github-actions-deploy": "update",
      "nixos-deploy-environment": "update",
      ...each("replace", ["nixos-deploy-approval", "nixos-deploy-approval-policy"]),
    },
  },
  {
    what: "ownerId",
    configure: { "integration.ownerId": "5678" },
    becomes: each("update", [...ROLES, "nixos-github-actions-cache"]),
  },
  {
    what: "oidcProviderArn, of another account's provider",
    configure: {
      "integration.oidcProviderArn": "arn:aws:iam::210987654321:oidc-provider/token.actions.githubusercontent.com",
    },
    becomes: {
      "nixos-github-actions": "delete",
      ...each("update", [...ROLES, "nixos-github-actions-cache"]),
    },
  },
];
