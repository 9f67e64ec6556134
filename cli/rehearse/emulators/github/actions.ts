import type { ResourceType } from "../provider";
import type { Properties } from "../values";
import { type Github, GithubError } from "./service";

/** A variable or a secret of the repository's workflows, under the property that names it. */
export function actionsEntry(github: Github, nameProperty: "variableName" | "secretName"): ResourceType {
  const kind = nameProperty === "variableName" ? "variables" : "secrets";
  const entries = (repository: string) => {
    const call = `PUT ${github.api(`/${repository}/actions/${kind}`)}`;
    const found = github.repositoryOr404(repository, call);
    github.refuseArchived(found, call);
    return { call, entries: found[kind] };
  };
  const parts = (id: string) => id.split(":") as [repository: string, name: string];
  const put = (inputs: Properties) => {
    entries(inputs["repository"] as string).entries.set(inputs[nameProperty] as string, inputs["value"] as string);
    return {};
  };
  return {
    inputs: {
      repository: { type: "string", required: true, replaces: true },
      [nameProperty]: {
        type: "string",
        required: true,
        replaces: true,
        problem: (value: string) =>
          /^(?!GITHUB_|[0-9])\w+$/.test(value) ? undefined : `invalid name of a variable or secret: ${value}`,
      },
      value: { type: "string", required: true },
    },
    outputs: ["createdAt", "repositoryId", "updatedAt"],
    secretOutputs: kind === "secrets" ? ["value"] : [],
    create(inputs) {
      const [repository, name] = [inputs["repository"] as string, inputs[nameProperty] as string];
      const { call, entries: present } = entries(repository);
      // A variable is posted, which fails when it is there; a secret is put.
      if (kind === "variables" && present.has(name)) throw new GithubError(409, "Already exists", call);
      return { id: `${repository}:${name}`, outputs: put(inputs) };
    },
    update: (_id, _state, inputs) => put(inputs),
    read(id) {
      const [repository, name] = parts(id);
      return github.repository(repository)?.[kind].has(name) ? {} : undefined;
    },
    delete(id) {
      const [repository, name] = parts(id);
      github.repository(repository)?.[kind].delete(name);
    },
  };
}
