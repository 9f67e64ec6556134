import type { Provider } from "../provider";
import { actionsEntry } from "./actions";
import { deployKey } from "./deployKey";
import { branchProtection } from "./protection";
import { getRepository, repository } from "./repository";
import { repositoryRuleset } from "./ruleset";
import { Github } from "./service";

export { Github } from "./service";

/** The github provider on an emulated GitHub account. */
export function githubProvider(github: Github = new Github()): Provider {
  return {
    name: "github",
    version: "6.15.0",
    bridged: true,
    configure({ owner }) {
      if (typeof owner === "string" && owner !== "") github.owner = owner;
    },
    resources: {
      "github:index/actionsSecret:ActionsSecret": actionsEntry(github, "secretName"),
      "github:index/actionsVariable:ActionsVariable": actionsEntry(github, "variableName"),
      "github:index/branchProtection:BranchProtection": branchProtection(github),
      "github:index/repository:Repository": repository(github),
      "github:index/repositoryDeployKey:RepositoryDeployKey": deployKey(github),
      "github:index/repositoryRuleset:RepositoryRuleset": repositoryRuleset(github),
    },
    functions: { "github:index/getRepository:getRepository": (args) => getRepository(github, args) },
  };
}
