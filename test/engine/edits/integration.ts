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
  { what: "cache", configure: { cache: "true" }, becomes: { ...each("create", CACHE), nixos: "update" } },
  {
    what: "githubActions, and whose repository it is",
    configure: { githubActions: "true", githubOwnerId: "1234" },
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
      stateBucketArn: "arn:aws:s3:::state-of-a-test",
      stateKeyArn: "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f",
    },
    becomes: {
      ...each("update", policies(ROLES)),
      ...each("create", ["nixos-preview-role-arn", "nixos-deploy-role-arn", "nixos-drift-role-arn"]),
    },
  },
  {
    what: "deployEnvironment",
    configure: { deployEnvironment: "production" },
    becomes: { "nixos-github-actions-deploy": "update", "nixos-deploy-environment": "create" },
  },
  {
    what: "githubOwnerId",
    configure: { githubOwnerId: "5678" },
    becomes: each("update", [...ROLES, "nixos-github-actions-cache"]),
  },
  {
    what: "oidcProviderArn, of another account's provider",
    configure: { oidcProviderArn: "arn:aws:iam::210987654321:oidc-provider/token.actions.githubusercontent.com" },
    becomes: {
      "nixos-github-actions": "delete",
      ...each("update", [...ROLES, "nixos-github-actions-cache"]),
    },
  },
];
