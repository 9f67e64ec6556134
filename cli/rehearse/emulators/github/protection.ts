import { randomBytes } from "node:crypto";
import type { Input, ResourceType } from "../provider";
import { isObject, type Properties } from "../values";
import { type Github, GithubError, type Repository } from "./service";

const flag: Input = { type: "boolean", default: false };

/** Branch protection by pattern; the branch need not exist yet. */
export function branchProtection(github: Github): ResourceType {
  const call = "POST https://api.github.com/graphql";
  return {
    inputs: {
      repositoryId: { type: "string", required: true, replaces: true },
      pattern: { type: "string", required: true },
      allowsDeletions: flag,
      allowsForcePushes: flag,
      enforceAdmins: flag,
      lockBranch: flag,
      requireConversationResolution: flag,
      requireSignedCommits: flag,
      requiredLinearHistory: flag,
      forcePushBypassers: { type: "array" },
      requiredStatusChecks: { type: "array", problem: statusChecksProblem },
      requiredPullRequestReviews: { type: "array", problem: reviewsProblem },
      restrictPushes: { type: "array" },
    },
    outputs: [],
    create(inputs) {
      const repository = repositoryOf(github, inputs["repositoryId"] as string, call);
      github.refuseArchived(repository, call);
      github.refuseUnpaid(repository, call);
      refusePattern(repository, inputs["pattern"] as string, call);
      const id = `BPR_${randomBytes(9).toString("base64url")}`;
      repository.protections.set(id, { id, pattern: inputs["pattern"] as string, inputs });
      return { id, outputs: {} };
    },
    update(id, _state, inputs) {
      const repository = repositoryOf(github, inputs["repositoryId"] as string, call);
      github.refuseArchived(repository, call);
      refusePattern(repository, inputs["pattern"] as string, call, id);
      repository.protections.set(id, { id, pattern: inputs["pattern"] as string, inputs });
      return {};
    },
    importId(named) {
      const [name = "", pattern] = named.split(":");
      const protections = [...(github.repository(name)?.protections.values() ?? [])];
      return protections.find((protection) => protection.pattern === pattern)?.id;
    },
    settings: (id) =>
      all(github)
        .find(({ protections }) => protections.has(id))!
        .protections.get(id)!.inputs,
    read: (id) => (all(github).some(({ protections }) => protections.has(id)) ? {} : undefined),
    delete: (id) => all(github).forEach(({ protections }) => protections.delete(id)),
  };
}

/** Patterns of a repository's rules. */
export function getBranchProtectionRules(github: Github, args: Properties): Properties {
  const repository = repositoryOf(github, args["repository"] as string, "POST https://api.github.com/graphql");
  return {
    ...args,
    id: repository.nodeId,
    rules: [...repository.protections.values()].map(({ pattern }) => ({ pattern })),
  };
}

function all(github: Github): Repository[] {
  return [...github.repositories.values()];
}

/** The provider takes a node id, or a name that it looks up. */
function repositoryOf(github: Github, idOrName: string, call: string): Repository {
  const found = all(github).find(({ nodeId }) => nodeId === idOrName) ?? github.repository(idOrName);
  if (found !== undefined) return found;
  throw new GithubError(404, `Could not resolve to a Repository with the name '${github.owner}/${idOrName}'.`, call);
}

function refusePattern(repository: Repository, pattern: string, call: string, except?: string): void {
  const taken = [...repository.protections.values()].some((other) => other.pattern === pattern && other.id !== except);
  if (taken) throw new GithubError(422, `Name already protected: ${pattern}`, call);
}

function statusChecksProblem(value: Properties[]): string | undefined {
  if (value.length > 1) return "at most one block of requiredStatusChecks is allowed";
  const unknown = Object.keys(value[0] ?? {}).find((key) => !["contexts", "strict"].includes(key));
  return unknown === undefined ? undefined : `requiredStatusChecks has no property "${unknown}"`;
}

function reviewsProblem(value: Properties[]): string | undefined {
  const count = isObject(value[0]) ? value[0]["requiredApprovingReviewCount"] : undefined;
  if (count === undefined || (Number.isInteger(count) && (count as number) >= 0 && (count as number) <= 6))
    return undefined;
  return `expected required_approving_review_count to be in the range (0 - 6), got ${JSON.stringify(count)}`;
}
