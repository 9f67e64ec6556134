import type { ResourceType } from "../provider";
import type { Properties } from "../values";
import { type Github, GithubError, type Repository } from "./service";

const call = (github: Github, repository: string, path: string) =>
  `PUT ${github.api(`/${repository}/environments/${path}`)}`;

function found(github: Github, inputs: Properties, path = ""): Repository {
  const name = inputs["repository"] as string;
  const repository = github.repositoryOr404(name, call(github, name, `${String(inputs["environment"])}${path}`));
  github.refuseArchived(repository, call(github, name, ""));
  // GitHub has environments of private repositories on paid plans only.
  github.refuseUnpaid(repository, call(github, name, ""));
  return repository;
}

/** An environment of jobs. A PUT makes it or takes over the one of that name, with these rules in place of its own. */
export function repositoryEnvironment(github: Github): ResourceType {
  const put = (inputs: Properties) => {
    const { environments } = found(github, inputs);
    const name = inputs["environment"] as string;
    const before = environments.get(name);
    environments.set(name, {
      branches: before?.branches ?? new Map<number, string>(),
      secrets: before?.secrets ?? new Map<string, string>(),
      rules: inputs,
    });
    return {};
  };
  const parts = (id: string) => id.split(":") as [repository: string, environment: string];
  const of = (id: string) => github.repository(parts(id)[0])?.environments.get(parts(id)[1]);
  return {
    inputs: {
      repository: { type: "string", required: true, replaces: true },
      environment: { type: "string", required: true, replaces: true },
      canAdminsBypass: { type: "boolean", default: true },
      preventSelfReview: { type: "boolean", default: false },
      waitTimer: { type: "number" },
      reviewers: { type: "array" },
      deploymentBranchPolicy: { type: "object" },
    },
    outputs: ["repositoryId"],
    create: (inputs) => ({
      id: `${inputs["repository"] as string}:${inputs["environment"] as string}`,
      outputs: put(inputs),
    }),
    update: (_id, _state, inputs) => put(inputs),
    read: (id) => (of(id) === undefined ? undefined : {}),
    settings: (id) => of(id)!.rules,
    delete: (id) => void github.repository(parts(id)[0])?.environments.delete(parts(id)[1]),
  };
}

/** A branch, or a pattern of branches, whose jobs may name an environment with policies of its own. */
export function environmentPolicy(github: Github): ResourceType {
  const environmentOf = (inputs: Properties) => {
    const path = "/deployment-branch-policies";
    const environment = found(github, inputs, path).environments.get(inputs["environment"] as string);
    if (environment !== undefined) return environment;
    throw new GithubError(404, "Not Found", call(github, inputs["repository"] as string, path));
  };
  return {
    inputs: {
      repository: { type: "string", required: true, replaces: true },
      environment: { type: "string", required: true, replaces: true },
      branchPattern: { type: "string" },
      tagPattern: { type: "string" },
    },
    outputs: ["policyId", "repositoryId"],
    create(inputs) {
      const policyId = github.nextNumber();
      environmentOf(inputs).branches.set(policyId, inputs["branchPattern"] as string);
      const id = [inputs["repository"], inputs["environment"], policyId].join(":");
      return { id, outputs: { policyId } };
    },
    update(_id, state, inputs) {
      environmentOf(inputs).branches.set(state["policyId"] as number, inputs["branchPattern"] as string);
      return {};
    },
    read(_id, { repository, environment, policyId }) {
      const branches = github.repository(repository as string)?.environments.get(environment as string)?.branches;
      return branches?.has(policyId as number) ? {} : undefined;
    },
    delete(_id, { repository, environment, policyId }) {
      github
        .repository(repository as string)
        ?.environments.get(environment as string)
        ?.branches.delete(policyId as number);
    },
  };
}

/** A secret for the jobs that an environment lets in. */
export function environmentSecret(github: Github): ResourceType {
  const secretsOf = ({ repository, environment }: Properties) =>
    github.repository(repository as string)?.environments.get(environment as string)?.secrets;
  const put = (inputs: Properties) => {
    const secrets = secretsOf(inputs);
    const name = inputs["secretName"] as string;
    if (secrets === undefined) {
      throw new GithubError(404, "Not Found", call(github, inputs["repository"] as string, `secrets/${name}`));
    }
    secrets.set(name, inputs["value"] as string);
    return {};
  };
  return {
    inputs: {
      repository: { type: "string", required: true, replaces: true },
      environment: { type: "string", required: true, replaces: true },
      secretName: { type: "string", required: true, replaces: true },
      value: { type: "string", required: true },
    },
    outputs: ["createdAt", "repositoryId", "updatedAt"],
    secretOutputs: ["value"],
    create: (inputs) => ({
      id: [inputs["repository"], inputs["environment"], inputs["secretName"]].join(":"),
      outputs: put(inputs),
    }),
    update: (_id, _state, inputs) => put(inputs),
    read: (_id, state) => (secretsOf(state)?.has(state["secretName"] as string) ? {} : undefined),
    delete: (_id, state) => void secretsOf(state)?.delete(state["secretName"] as string),
  };
}
