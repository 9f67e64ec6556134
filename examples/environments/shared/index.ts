import { readFileSync } from "node:fs";
import { ProtectedRepository } from "nixos";

const repository = JSON.parse(readFileSync("../nix/repository.json", "utf8")) as { owner: string; name: string };

const shared = new ProtectedRepository("repository", {
  owner: repository.owner,
  name: repository.name,
  // Each environment protects the branch that it follows.
  branchProtection: "off",
  // Environments come and go; what they are made from stays.
  onDestroy: "retain",
});

/** Owner of the repository, for the stacks of the environments. */
export const owner = repository.owner;
/** Name of the repository, for the stacks of the environments. */
export const repositoryName = shared.repositoryName;
/** Page of the repository. */
export const repositoryUrl = shared.httpUrl;
