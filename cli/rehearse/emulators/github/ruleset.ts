import type { Failure, ResourceType } from "../provider";
import { isObject, type Properties } from "../values";
import { type Github, GithubError, type Repository } from "./service";

const words = (property: string, allowed: string[]) => (value: string) =>
  allowed.includes(value) ? undefined : `expected ${property} to be one of ${allowed.join(", ")}, got ${value}`;

/** GET of REST, as far as it lists the rulesets of a repository. */
export function getRestApi(github: Github, args: Properties): Properties {
  const endpoint = args["endpoint"] as string;
  const [, name] = /^repos\/[^/]+\/([^/]+)\/rulesets$/.exec(endpoint) ?? [];
  if (name === undefined) throw new Error(`The emulator does not answer GET ${endpoint}.`);
  const repository = github.repository(name);
  const rulesets = [...(repository?.rulesets.values() ?? [])].map(({ id, name }) => ({ id, name }));
  const body = JSON.stringify(repository === undefined ? { message: "Not Found" } : rulesets);
  return { ...args, id: endpoint, code: repository === undefined ? 404 : 200, body };
}

/** A ruleset of a repository, the newer form of branch protection. */
export function repositoryRuleset(github: Github): ResourceType {
  const put = (inputs: Properties, call: string, id: number): Repository => {
    const repository = github.repositoryOr404(inputs["repository"] as string, call);
    github.refuseArchived(repository, call);
    github.refuseUnpaid(repository, call);
    const name = inputs["name"] as string;
    if ([...repository.rulesets.values()].some((other) => other.name === name && other.id !== id)) {
      throw new GithubError(422, "Validation Failed [Name must be unique]", call);
    }
    repository.rulesets.set(id, { id, name, inputs });
    return repository;
  };
  return {
    autoName: "name",
    inputs: {
      name: { type: "string" },
      repository: { type: "string", required: true },
      target: { type: "string", required: true, problem: words("target", ["branch", "tag", "push"]) },
      enforcement: {
        type: "string",
        required: true,
        problem: words("enforcement", ["disabled", "active", "evaluate"]),
      },
      conditions: { type: "object" },
      rules: { type: "object", required: true },
      bypassActors: { type: "array" },
    },
    outputs: ["etag", "nodeId", "rulesetId"],
    validate(inputs): Failure[] {
      const condition = isObject(inputs["conditions"]) ? inputs["conditions"]["refName"] : undefined;
      return inputs["target"] === "push" || condition !== undefined
        ? []
        : [{ property: "conditions", reason: "refName is required for the targets branch and tag" }];
    },
    create(inputs) {
      const call = `POST ${github.api(`/${inputs["repository"] as string}/rulesets`)}`;
      const id = github.nextNumber();
      put(inputs, call, id);
      return { id: String(id), outputs: { etag: `W/"${id}"`, nodeId: `RRS_${id}`, rulesetId: id } };
    },
    update(id, _state, inputs) {
      put(inputs, `PUT ${github.api(`/${inputs["repository"] as string}/rulesets/${id}`)}`, Number(id));
      return {};
    },
    read: (id, state) => (github.repository(state["repository"] as string)?.rulesets.has(Number(id)) ? {} : undefined),
    delete: (id, state) => void github.repository(state["repository"] as string)?.rulesets.delete(Number(id)),
  };
}
