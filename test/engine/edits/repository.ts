import type { Edit } from "./edit";

/** Each follows on the one before. */
export const REPOSITORY: Edit[] = [
  {
    what: "githubPlan and checksFrom",
    configure: { "repository.githubPlan": "unknown", "repository.checksFrom": "other" },
    becomes: {},
  },
  { what: "visibility", configure: { "repository.visibility": "public" }, becomes: { "nixos-repository": "update" } },
  {
    what: "onDestroy: delete",
    configure: { "repository.onDestroy": "delete" },
    becomes: { "nixos-repository": "update" },
  },
  {
    what: "requiredChecks, requiredReviews and enforceAdmins",
    configure: {
      "repository.requiredChecks": '["Evaluate flake.nix"]',
      "repository.requiredReviews": "1",
      "repository.enforceAdmins": "true",
    },
    becomes: { "nixos-repository-protection": "update" },
  },
  {
    what: "branchProtection: ruleset",
    configure: { "repository.branchProtection": "ruleset" },
    becomes: { "nixos-repository-protection": "delete", "nixos-repository-ruleset": "create" },
  },
  {
    what: "the same of a ruleset",
    configure: {
      "repository.requiredChecks": '["nixosConfig default"]',
      "repository.requiredReviews": "2",
      "repository.enforceAdmins": "false",
    },
    becomes: { "nixos-repository-ruleset": "update" },
  },
  {
    what: "branchProtection: off, and with it auto-merge",
    configure: { "repository.branchProtection": "off" },
    becomes: { "nixos-repository-ruleset": "delete", "nixos-repository": "update" },
  },
  {
    what: "branchProtection: branch",
    configure: { "repository.branchProtection": "branch" },
    becomes: { "nixos-repository-protection": "create", "nixos-repository": "update" },
  },
  {
    what: "the repository's name",
    edit: (stack) => stack.editRepositoryFile({ name: "renamed" }),
    becomes: {
      "nixos-repository": "update",
      "nixos-repository-deploy-key": "replace",
      "nixos-deployment": "replace",
    },
    deployments: 1,
  },
  {
    what: "the branch",
    edit: (stack) => stack.editRepositoryFile({ branch: "production" }),
    becomes: { "nixos-repository-protection": "update", "nixos-deployment": "replace" },
    deployments: 1,
  },
  {
    what: "access: token",
    edit: (stack) => stack.editRepositoryFile({ access: "token" }),
    becomes: { "nixos-repository-deploy-key": "delete", "nixos-deployment": "replace" },
    deployments: 1,
  },
  {
    what: "access: deploy-key",
    edit: (stack) => stack.editRepositoryFile({ access: "deploy-key" }),
    becomes: { "nixos-repository-deploy-key": "create", "nixos-deployment": "replace" },
    deployments: 1,
  },
  {
    what: "onDestroy: retain, which is an option of the engine",
    configure: { "repository.onDestroy": "retain" },
    becomes: {},
  },
  {
    what: "create: false",
    configure: { "repository.create": "false" },
    becomes: { "nixos-repository": "delete" },
  },
];

/** Each follows on the one before. */
export const DEPLOYMENT: Edit[] = [
  {
    what: "a page in the flake",
    edit: (stack) => stack.editSystem(),
    becomes: { "nixos-deployment": "replace" },
    deployments: 1,
  },
  {
    what: "buildOn, substitute, confirmSeconds and allowDirty",
    configure: {
      "deployment.buildOn": "local",
      "deployment.substitute": "false",
      "deployment.confirmSeconds": "30",
      "deployment.allowDirty": "true",
    },
    becomes: { "nixos-deployment": "update" },
    deployments: 1,
  },
  {
    what: "flake, another attribute",
    configure: { "deployment.flake": "path:./nix#other" },
    becomes: { "nixos-deployment": "replace" },
    deployments: 1,
  },
  {
    what: "evaluate, with a Nix that always gives the same derivation",
    configure: { "deployment.evaluate": "true" },
    edit: (stack) => stack.deployments.install("nix", `#!/bin/sh\necho ${DERIVATION}\n`),
    becomes: { "nixos-deployment": "replace" },
    deployments: 1,
  },
  { what: "a page, which that Nix does not see", edit: (stack) => stack.editSystem(), becomes: {} },
];

const DERIVATION = `/nix/store/${"a".repeat(32)}-nixos-system.drv`;
