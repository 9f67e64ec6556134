import type { Github } from "../common/github";
import { failed, type Result } from "../common/result";

/** What the first update of a stack would find on GitHub, and be refused by half-way. */
export interface Planned {
  owner: string;
  name: string;
  branch: string;
  /** Whether the repository is to be created, rather than adopted. */
  create: boolean;
  protection: string;
  /** Whether there is a repository of the name. */
  exists: boolean;
  stack: string;
  /** What the stack has, as `stackResources` lists it; undefined: it could not be asked. */
  has: string[] | undefined;
}

/**
 * Finds what is there already and the stack does not have: left by a destroy, or of a second stack in the same checkout.
 * Nothing is said where the stack could not be asked.
 */
export async function checkExisting(client: Github, planned: Planned): Promise<Result[]> {
  const { owner, name, branch, create, protection, exists, stack, has } = planned;
  if (!exists || has === undefined) return [];
  const fullName = `${owner}/${name}`;
  const results: Result[] = [];
  if (create && !has.some((one) => one.toLowerCase() === `github:index/repository:Repository ${name}`.toLowerCase())) {
    results.push(
      failed(
        "repository",
        `${fullName} is to be created, but is there, and stack ${stack} does not have it: it was left by a destroy, or another stack has it`,
        `Use it: npm run setup -- --adopt. Or manage it from this stack: npm run adopt -- nixos-repository=${name}. Or choose another name. An update would end half-way with "name already exists on this account".`,
      ),
    );
  }
  if (protection !== "branch" || has.includes(`github:index/branchProtection:BranchProtection ${branch}`))
    return results;
  const rule = await client.get(`/repos/${owner}/${name}/branches/${encodeURIComponent(branch)}/protection`);
  if (rule.status === 200) {
    results.push(
      failed(
        "protection",
        `${branch} of ${fullName} is protected by a rule already, and stack ${stack} does not have it`,
        `Manage it from this stack: npm run adopt -- nixos-repository-protection=${name}:${branch}. Or leave it to the other stack: npm run setup -- --branch-protection off. An update would end half-way with "Name already protected: ${branch}".`,
      ),
    );
  }
  return results;
}
