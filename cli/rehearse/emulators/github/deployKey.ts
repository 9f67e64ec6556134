import * as sshpk from "sshpk";
import type { ResourceType } from "../provider";
import { type Github, GithubError } from "./service";

/** A deploy key. GitHub cannot change one, so every change makes a new one; a key can be in use only once. */
export function deployKey(github: Github): ResourceType {
  return {
    inputs: {
      repository: { type: "string", required: true },
      key: { type: "string", required: true, same: sameKey },
      title: { type: "string", required: true },
      readOnly: { type: "boolean", default: true },
    },
    outputs: ["etag"],
    create(inputs) {
      const call = `POST ${github.api(`/${inputs["repository"] as string}/keys`)}`;
      const repository = github.repositoryOr404(inputs["repository"] as string, call);
      github.refuseArchived(repository, call);
      if (!github.deployKeysAllowed) throw new GithubError(422, "Deploy keys are disabled for this repository", call);
      const key = essence(inputs["key"] as string);
      if (key === undefined) {
        throw new GithubError(422, "key is invalid. You must supply a key in OpenSSH public key format", call);
      }
      const used = [...github.repositories.values()].flatMap(({ deployKeys }) => [...deployKeys.values()]);
      if (used.some((other) => other.key === key)) throw new GithubError(422, "key is already in use", call);
      const id = github.nextNumber();
      repository.deployKeys.set(id, {
        id,
        key,
        title: inputs["title"] as string,
        readOnly: inputs["readOnly"] !== false,
      });
      return { id: `${repository.name}:${id}`, outputs: { etag: `W/"${id}"` } };
    },
    read: (id) => (keyOf(github, id) === undefined ? undefined : {}),
    settings(id) {
      const { key, title, readOnly } = keyOf(github, id)!;
      return { repository: id.split(":")[0], key, title, readOnly };
    },
    delete(id) {
      const [name, number] = id.split(":");
      github.repository(name!)?.deployKeys.delete(Number(number));
    },
  };
}

/** By an id such as `site:1001`. */
function keyOf(github: Github, id: string) {
  const [name, number] = id.split(":");
  return github.repository(name!)?.deployKeys.get(Number(number));
}

/** Type and material of a public key, without its comment; undefined when it is none. */
function essence(publicKey: string): string | undefined {
  try {
    return sshpk.parseKey(publicKey.trim(), "ssh").toString("ssh").split(" ").slice(0, 2).join(" ");
  } catch {
    return undefined;
  }
}

function sameKey(old: unknown, current: unknown): boolean {
  const words = (value: unknown) =>
    typeof value === "string" ? value.trim().split(/\s+/).slice(0, 2).join(" ") : value;
  return words(old) === words(current);
}
