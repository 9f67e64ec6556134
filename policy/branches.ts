import type { PolicyResource } from "@pulumi/policy";
import { refersTo } from "./references";
import { eachKnown, type Properties, stackRule, supplyChain } from "./rule";

const REPOSITORY = "github:index/repository:Repository";
const RULESET = "github:index/repositoryRuleset:RepositoryRuleset";
/** Each kind of protection, and its property that names the repository. */
const KINDS: Record<string, string> = {
  "github:index/branchProtection:BranchProtection": "repositoryId",
  "github:index/branchProtectionV3:BranchProtectionV3": "repository",
  [RULESET]: "repository",
};
const PROTECTION = "https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository";
const ABOUT_PROTECTION = `${PROTECTION}/managing-protected-branches/about-protected-branches`;

/** Protections of which one branch has all: a rule for branches, and the rulesets of its repository. */
interface Guard {
  about: PolicyResource;
  layers: PolicyResource[];
}

export const repositoryProtected = stackRule({
  name: "repository-protected",
  description: "A repository that machines install from should have a protected branch",
  // Free plans do not protect branches of private repositories.
  enforcementLevel: "advisory",
  severity: "high",
  remediationSteps:
    "`pulumi config set --path repository.branchProtection branch` (or ruleset), or add a BranchProtection or RepositoryRuleset to the program.",
  url: ABOUT_PROTECTION,
  check: (resources, report) => {
    const protections = resources.filter(isProtection);
    const repositories = resources.filter(({ type, props }) => type === REPOSITORY && props["archived"] !== true);
    eachKnown(repositories, (repository) => {
      if (!protections.some((protection) => protects(protection, repository)))
        report(repository, "Nothing protects a branch of it.");
    });
  },
});

export const checksRequired = stackRule({
  name: "checks-required",
  description: "A protected branch should take only what its checks have passed",
  enforcementLevel: "advisory",
  severity: "high",
  framework: supplyChain("1.1.9", "Ensure all checks have passed before merging new code"),
  remediationSteps:
    "Name the checks that your CI reports in requiredChecks; a check that nobody reports locks the branch.",
  url: ABOUT_PROTECTION,
  check: (resources, report) =>
    eachGuard(resources, ({ about, layers }) => {
      if (!layers.some(requiresChecks)) report(about, "No status check is required.");
    }),
});

export const administratorsBound = stackRule({
  name: "administrators-bound",
  description: "The protection of a branch should bind administrators too",
  // The first push of a new repository needs the exception.
  enforcementLevel: "disabled",
  severity: "medium",
  framework: supplyChain("1.1.14", "Ensure branch protection rules are enforced on administrators"),
  remediationSteps:
    "After the first push: `pulumi config set --path repository.enforceAdmins true`, or no bypassActors of a ruleset.",
  url: ABOUT_PROTECTION,
  check: (resources, report) =>
    eachGuard(resources, ({ about, layers }) => {
      const bound = ({ type, props }: PolicyResource) =>
        type === RULESET ? ((props["bypassActors"] ?? []) as unknown[]).length === 0 : props["enforceAdmins"] === true;
      if (!layers.some(bound)) report(about, "Some may go past the protection.");
    }),
});

/** Rulesets that are only evaluated, or that are about tags, protect no branch. */
function isProtection({ type, props }: PolicyResource): boolean {
  if (type === RULESET) return props["target"] === "branch" && props["enforcement"] === "active";
  return type in KINDS;
}

function protects(protection: PolicyResource, repository: PolicyResource): boolean {
  return refersTo(protection, KINDS[protection.type]!, repository, "nodeId", "name");
}

/** GitHub applies one rule for branches to a branch, and all the rulesets of the repository. */
function eachGuard(resources: PolicyResource[], visit: (guard: Guard) => void): void {
  const protections = resources.filter(isProtection);
  const repositories = resources.filter(({ type }) => type === REPOSITORY);
  const allOrNone = (one: PolicyResource, other: PolicyResource) =>
    repositories.some((repository) => protects(one, repository) && protects(other, repository)) ||
    (one.type === other.type && one.props[KINDS[one.type]!] === other.props[KINDS[other.type]!]);
  eachKnown(protections, (about) => {
    const rulesets = protections.filter(
      (other) => other.type === RULESET && other !== about && allOrNone(about, other),
    );
    if (about.type !== RULESET) return visit({ about, layers: [about, ...rulesets] });
    // One message for all the rulesets of a repository, and none where a rule for branches has it.
    const first = protections.find((other) => other === about || allOrNone(about, other));
    if (first === about) visit({ about, layers: [about, ...rulesets] });
  });
}

function requiresChecks({ type, props }: PolicyResource): boolean {
  const rules = (type === RULESET ? props["rules"] : props) as Properties;
  // One block, or a list of at most one.
  return [(rules["requiredStatusChecks"] ?? []) as Properties | Properties[]]
    .flat()
    .some(({ contexts, checks, requiredChecks }) => [contexts, checks, requiredChecks].flat().some(Boolean));
}
