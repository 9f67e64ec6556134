import type { Edit } from "./edit";

/** Each follows on the one before. */
export const REPOSITORY: Edit[] = [
  { what: "plan and ci", configure: { plan: "unknown", ci: "other" }, becomes: {} },
  { what: "visibility", configure: { visibility: "public" }, becomes: { "nixos-repository": "update" } },
  { what: "onDestroy: delete", configure: { onDestroy: "delete" }, becomes: { "nixos-repository": "update" } },
  {
    what: "requiredChecks, requiredReviews and enforceAdmins",
    configure: { requiredChecks: '["Evaluate flake.nix"]', requiredReviews: "1", enforceAdmins: "true" },
    becomes: { "nixos-repository-protection": "update" },
  },
  {
    what: "protection: ruleset",
    configure: { protection: "ruleset" },
    becomes: { "nixos-repository-protection": "delete", "nixos-repository-ruleset": "create" },
  },
  {
    what: "the same of a ruleset",
    configure: { requiredChecks: '["nixosConfig default"]', requiredReviews: "2", enforceAdmins: "false" },
    becomes: { "nixos-repository-ruleset": "update" },
  },
  {
    what: "protection: off, and with it auto-merge",
    configure: { protection: "off" },
    becomes: { "nixos-repository-ruleset": "delete", "nixos-repository": "update" },
  },
  {
    what: "protection: branch",
    configure: { protection: "branch" },
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
  { what: "onDestroy: retain, which is an option of the engine", configure: { onDestroy: "retain" }, becomes: {} },
  {
    what: "createRepository: false",
    configure: { createRepository: "false" },
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
    configure: { buildOn: "local", substitute: "false", confirmSeconds: "30", allowDirty: "true" },
    becomes: { "nixos-deployment": "update" },
    deployments: 1,
  },
  {
    what: "flake, another attribute",
    configure: { flake: "path:./nix#other" },
    becomes: { "nixos-deployment": "replace" },
    deployments: 1,
  },
  {
    what: "evaluate, with a Nix that always gives the same derivation",
    configure: { evaluate: "true" },
    edit: (stack) => stack.deployments.install("nix", `#!/bin/sh\necho ${DERIVATION}\n`),
    becomes: { "nixos-deployment": "replace" },
    deployments: 1,
  },
  { what: "a page, which that Nix does not see", edit: (stack) => stack.editSystem(), becomes: {} },
];

const DERIVATION = `/nix/store/${"a".repeat(32)}-nixos-system.drv`;
