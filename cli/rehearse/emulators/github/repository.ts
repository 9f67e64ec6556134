import type { Input, ResourceType } from "../provider";
import type { Properties } from "../values";
import { type Github, GithubError, type Repository } from "./service";

const flag = (value?: boolean): Input =>
  value === undefined ? { type: "boolean" } : { type: "boolean", default: value };
const text = (value?: string): Input => (value === undefined ? { type: "string" } : { type: "string", default: value });

/** A repository. Deleting one that is to be archived keeps it, read-only. */
export function repository(github: Github): ResourceType {
  return {
    autoName: "name",
    inputs: {
      name: {
        type: "string",
        problem: (value: string) =>
          /^[-a-zA-Z0-9_.]{1,100}$/.test(value)
            ? undefined
            : "must include only alphanumeric characters, underscores or hyphens and consist of 100 characters or less",
      },
      visibility: {
        type: "string",
        problem: (value: string) =>
          ["public", "private", "internal"].includes(value)
            ? undefined
            : `expected visibility to be one of ["public" "private" "internal"], got ${value}`,
      },
      description: text(),
      homepageUrl: text(),
      topics: { type: "array" },
      archived: flag(false),
      archiveOnDestroy: flag(),
      autoInit: flag(),
      hasIssues: flag(),
      hasWiki: flag(),
      hasProjects: flag(),
      hasDiscussions: flag(),
      allowAutoMerge: flag(false),
      allowMergeCommit: flag(true),
      allowRebaseMerge: flag(true),
      allowSquashMerge: flag(true),
      allowUpdateBranch: flag(false),
      deleteBranchOnMerge: flag(false),
      mergeCommitTitle: text("MERGE_MESSAGE"),
      mergeCommitMessage: text("PR_TITLE"),
      squashMergeCommitTitle: text("COMMIT_OR_PR_TITLE"),
      squashMergeCommitMessage: text("COMMIT_MESSAGES"),
      webCommitSignoffRequired: flag(),
    },
    outputs: [
      "etag",
      "fullName",
      "gitCloneUrl",
      "htmlUrl",
      "httpCloneUrl",
      "nodeId",
      "repoId",
      "sshCloneUrl",
      "svnUrl",
      "visibility",
    ],
    create(inputs) {
      const name = inputs["name"] as string;
      if (github.repositories.has(name.toLowerCase())) {
        const call = `POST https://api.github.com/user/repos`;
        throw new GithubError(422, "Repository creation failed. name already exists on this account", call);
      }
      const created = github.addRepository(name, inputs);
      return { id: name, outputs: repositoryOutputs(github, created) };
    },
    update(id, _state, inputs) {
      const call = `PATCH ${github.api(`/${id}`)}`;
      const current = github.repositoryOr404(id, call);
      if (inputs["archived"] !== true) github.refuseArchived(current, call);
      const name = inputs["name"] as string;
      const taken = github.repositories.get(name.toLowerCase());
      if (taken !== undefined && taken !== current) {
        throw new GithubError(422, "Repository update failed. name already exists on this account", call);
      }
      github.repositories.delete(current.name.toLowerCase());
      github.formerNames.set(current.name.toLowerCase(), current);
      github.repositories.set(name.toLowerCase(), current);
      const visibility = (inputs["visibility"] as string | undefined) ?? current.visibility;
      Object.assign(current, { name, settings: inputs, visibility, archived: inputs["archived"] === true });
      return repositoryOutputs(github, current);
    },
    read(id) {
      const current = github.repository(id);
      return current && repositoryOutputs(github, current);
    },
    settings(id) {
      const { name, settings, visibility, archived } = github.repository(id)!;
      return { ...settings, name, visibility, archived };
    },
    delete(id, state) {
      const current = github.repository(id);
      if (current === undefined) return;
      if (state["archiveOnDestroy"] === true) current.archived = true;
      else github.repositories.delete(current.name.toLowerCase());
    },
  };
}

/** What both the resource and the lookup return. */
function repositoryOutputs(github: Github, current: Repository): Properties {
  const fullName = `${github.owner}/${current.name}`;
  return {
    etag: `W/"${current.nodeId}"`,
    fullName,
    gitCloneUrl: `git://github.com/${fullName}.git`,
    htmlUrl: `https://github.com/${fullName}`,
    httpCloneUrl: `https://github.com/${fullName}.git`,
    nodeId: current.nodeId,
    repoId: current.id,
    sshCloneUrl: `git@github.com:${fullName}.git`,
    svnUrl: `https://github.com/${fullName}`,
    visibility: current.visibility,
  };
}

/** An existing repository, by `name` or `fullName`. Like the real lookup, a missing one is no error: its id is empty. */
export function getRepository(github: Github, args: Properties): Properties {
  const fullName = (args["fullName"] as string | undefined) ?? `${github.owner}/${String(args["name"])}`;
  const [owner, name] = fullName.split("/");
  if (args["name"] === undefined && args["fullName"] === undefined) {
    throw new Error('one of "fullName" or "name" has to be provided');
  }
  const found = owner === github.owner ? github.repository(name!) : undefined;
  if (found === undefined) return { ...args, id: "" };
  return {
    ...args,
    ...repositoryOutputs(github, found),
    id: found.name,
    name: found.name,
    archived: found.archived,
    private: found.visibility !== "public",
    defaultBranch: "main",
    description: found.settings["description"] ?? "",
  };
}
