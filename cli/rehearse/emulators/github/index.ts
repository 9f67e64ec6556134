import type { Provider } from "../provider";
import { actionsEntry } from "./actions";
import { deployKey } from "./deployKey";
import { environmentPolicy, environmentSecret, repositoryEnvironment } from "./environment";
import { branchProtection, getBranchProtectionRules } from "./protection";
import { getRepository, repository } from "./repository";
import { getRestApi, repositoryRuleset } from "./ruleset";
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
      "github:index/actionsEnvironmentSecret:ActionsEnvironmentSecret": environmentSecret(github),
      "github:index/actionsSecret:ActionsSecret": actionsEntry(github, "secretName"),
      "github:index/actionsVariable:ActionsVariable": actionsEntry(github, "variableName"),
      "github:index/branchProtection:BranchProtection": branchProtection(github),
      "github:index/repository:Repository": repository(github),
      "github:index/repositoryDeployKey:RepositoryDeployKey": deployKey(github),
      "github:index/repositoryEnvironment:RepositoryEnvironment": repositoryEnvironment(github),
      "github:index/repositoryEnvironmentDeploymentPolicy:RepositoryEnvironmentDeploymentPolicy":
        environmentPolicy(github),
      "github:index/repositoryRuleset:RepositoryRuleset": repositoryRuleset(github),
    },
    functions: {
      "github:index/getBranchProtectionRules:getBranchProtectionRules": (args) =>
        getBranchProtectionRules(github, args),
      "github:index/getRepository:getRepository": (args) => getRepository(github, args),
      "github:index/getRestApi:getRestApi": (args) => getRestApi(github, args),
    },
  };
}
