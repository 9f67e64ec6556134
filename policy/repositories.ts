import { resourceRule } from "./rule";

export const repositoryPrivate = resourceRule({
  name: "repository-private",
  description: "The repository should be private: it tells how the machine is configured",
  // Free plans protect branches of public repositories only.
  enforcementLevel: "advisory",
  severity: "medium",
  remediationSteps:
    "`pulumi config set --path repository.visibility private`, or visibility of the repository. Secrets belong in neither.",
  url: "https://docs.github.com/en/repositories/creating-and-managing-repositories/about-repositories#about-repository-visibility",
  types: ["github:index/repository:Repository"],
  check: ({ props }, report) => {
    const visibility: unknown = props["visibility"] ?? (props["private"] === true ? "private" : "public");
    if (visibility === "public") report(`visibility is ${JSON.stringify(visibility)}.`);
  },
});

export const deployKeysReadOnly = resourceRule({
  name: "deploy-keys-read-only",
  description: "Deploy keys should only read: whoever takes over a machine must not change what others install",
  enforcementLevel: "mandatory",
  severity: "critical",
  remediationSteps: "Set readOnly to true.",
  url: "https://docs.github.com/en/authentication/connecting-to-github-with-ssh/managing-deploy-keys",
  types: ["github:index/repositoryDeployKey:RepositoryDeployKey"],
  check: ({ props }, report) => {
    if (props["readOnly"] !== true) report(`readOnly is ${JSON.stringify(props["readOnly"] ?? null)}.`);
  },
});
