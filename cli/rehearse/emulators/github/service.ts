import { randomBytes } from "node:crypto";
import type { Properties } from "../values";

/** What GitHub answers when it refuses a call. */
export class GithubError extends Error {
  constructor(status: number, message: string, call: string) {
    super(`${call}: ${status} ${message} []`);
  }
}

export interface DeployKey {
  id: number;
  key: string;
  title: string;
  readOnly: boolean;
}

export interface Protection {
  id: string;
  pattern: string;
  inputs: Properties;
}

export interface Ruleset {
  id: number;
  name: string;
  inputs: Properties;
}

export interface Environment {
  rules: Properties;
  /** Patterns of the branches whose jobs may name it, by the number of the policy. */
  branches: Map<number, string>;
  secrets: Map<string, string>;
}

export interface Repository {
  name: string;
  nodeId: string;
  id: number;
  visibility: string;
  archived: boolean;
  settings: Properties;
  deployKeys: Map<number, DeployKey>;
  protections: Map<string, Protection>;
  rulesets: Map<number, Ruleset>;
  /** Values of the workflows' variables and secrets, by name. */
  variables: Map<string, string>;
  secrets: Map<string, string>;
  environments: Map<string, Environment>;
}

export interface GithubOptions {
  owner?: string;
  /** `free`: GitHub refuses protection on private repositories. */
  plan?: "free" | "paid";
  /** False for organizations that forbid deploy keys, as new ones do. */
  deployKeysAllowed?: boolean;
}

/** The emulated GitHub account. Its state lives as long as the process. */
export class Github {
  owner: string;
  readonly plan: "free" | "paid";
  readonly deployKeysAllowed: boolean;
  readonly repositories = new Map<string, Repository>();
  /** What repositories were called before; GitHub answers under these names too, until another repository takes one. */
  readonly formerNames = new Map<string, Repository>();
  private last = 1000;

  constructor({ owner = "example", plan = "paid", deployKeysAllowed = true }: GithubOptions = {}) {
    this.owner = owner;
    this.plan = plan;
    this.deployKeysAllowed = deployKeysAllowed;
  }

  /** A repository that was there before Pulumi, as one that is adopted. */
  addRepository(name: string, settings: Properties): Repository {
    const repository: Repository = {
      name,
      nodeId: `R_${randomBytes(9).toString("base64url")}`,
      id: this.nextNumber(),
      visibility: (settings["visibility"] as string | undefined) ?? "public",
      archived: settings["archived"] === true,
      settings,
      deployKeys: new Map(),
      protections: new Map(),
      rulesets: new Map(),
      variables: new Map(),
      secrets: new Map(),
      environments: new Map(),
    };
    this.repositories.set(name.toLowerCase(), repository);
    return repository;
  }

  /** By name, in any case, or by a former name, as GitHub finds them. */
  repository(name: string): Repository | undefined {
    return this.repositories.get(name.toLowerCase()) ?? this.formerNames.get(name.toLowerCase());
  }

  repositoryOr404(name: string, call: string): Repository {
    const repository = this.repository(name);
    if (repository === undefined) throw new GithubError(404, "Not Found", call);
    return repository;
  }

  /** Free accounts protect public repositories only. */
  refuseUnpaid(repository: Repository, call: string): void {
    if (this.plan === "paid" || repository.visibility === "public") return;
    throw new GithubError(403, "Upgrade to GitHub Pro or make this repository public to enable this feature.", call);
  }

  refuseArchived(repository: Repository, call: string): void {
    if (repository.archived) throw new GithubError(403, "Repository was archived so is read-only.", call);
  }

  nextNumber(): number {
    this.last += 1;
    return this.last;
  }

  api(path: string): string {
    return `https://api.github.com/repos/${this.owner}${path}`;
  }
}
