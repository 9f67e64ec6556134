import type { Input, ResourceType } from "../provider";
import type { Properties } from "../values";
import { ACCOUNT, AwsError, tagsAll } from "./ec2";

interface Role {
  /** Inline policies by name. */
  policies: Map<string, string>;
  /** ARNs of managed policies, which somebody attached by hand: no resource here does. */
  attached: string[];
}

/** The emulated IAM of one account. */
export class Iam {
  readonly roles = new Map<string, Role>();
  /** Instance profiles, with the role of each. */
  readonly profiles = new Map<string, string | undefined>();
  /** OIDC providers, by their ARN. */
  readonly providers = new Set<string>();

  role(name: string, operation: string): Role {
    const role = this.roles.get(name);
    if (role !== undefined) return role;
    throw new AwsError("NoSuchEntity", `The role with name ${name} cannot be found.`, operation);
  }
}

const named: Input = {
  type: "string",
  replaces: true,
  problem: (value: string) => (/^[\w+=,.@-]{1,64}$/.test(value) ? undefined : `invalid name ${value}`),
};
const json: Input = { type: "string", required: true, problem: jsonProblem };
const arn = (resource: string) => `arn:aws:iam::${ACCOUNT}:${resource}`;

/** A role. Like IAM, it cannot go while a policy or an instance profile has it. */
export function role(iam: Iam): ResourceType {
  return {
    autoName: "name",
    inputs: {
      name: named,
      assumeRolePolicy: json,
      description: { type: "string" },
      maxSessionDuration: { type: "number", default: 3600 },
      forceDetachPolicies: { type: "boolean", default: false },
      path: { type: "string", replaces: true, default: "/" },
      tags: { type: "object" },
    },
    outputs: ["arn", "createDate", "uniqueId", "tagsAll"],
    create(inputs) {
      const name = inputs["name"] as string;
      if (iam.roles.has(name)) {
        const message = `Role with name ${name} already exists.`;
        throw new AwsError("EntityAlreadyExists", message, `creating IAM Role (${name})`);
      }
      iam.roles.set(name, { policies: new Map(), attached: [] });
      return { id: name, outputs: { arn: arn(`role/${name}`), uniqueId: `AROA${name}`, ...tagsAll(inputs) } };
    },
    update: (_id, _state, inputs) => tagsAll(inputs),
    read: (id) => (iam.roles.has(id) ? {} : undefined),
    delete(id) {
      const attached = [...iam.profiles.values()].includes(id) || (iam.roles.get(id)?.policies.size ?? 0) > 0;
      if (attached) {
        const message = "Cannot delete entity, must remove roles from instance profile and delete policies first.";
        throw new AwsError("DeleteConflict", message, `deleting IAM Role (${id})`);
      }
      iam.roles.delete(id);
    },
  };
}

/** ListRolePolicies: names of a role's inline policies. */
export function getRolePolicies(iam: Iam, args: Properties): Properties {
  const { policies } = iam.role(args["roleName"] as string, "reading IAM Role Policies");
  return { ...args, policyNames: [...policies.keys()] };
}

/** ListAttachedRolePolicies. */
export function getRolePolicyAttachments(iam: Iam, args: Properties): Properties {
  const { attached } = iam.role(args["roleName"] as string, "reading IAM Role Policy Attachments");
  const attachedPolicies = attached.map((policyArn) => ({ policyArn, policyName: policyArn.split("/").at(-1) }));
  return { ...args, attachedPolicies };
}

/** An identity provider by its address. */
export function getOpenIdConnectProvider(iam: Iam, args: Properties): Properties {
  const id = arn(`oidc-provider/${(args["url"] as string).replace("https://", "")}`);
  if (!iam.providers.has(id)) {
    throw new Error(
      `reading IAM OIDC Provider: finding IAM OIDC Provider by url (${args["url"] as string}): not found`,
    );
  }
  return { ...args, id, arn: id };
}

/** A policy that belongs to one role. */
export function rolePolicy(iam: Iam): ResourceType {
  const put = (inputs: Properties) => {
    const name = inputs["name"] as string;
    const owner = iam.role(inputs["role"] as string, `putting IAM Role Policy (${name})`);
    owner.policies.set(name, inputs["policy"] as string);
    return {};
  };
  const parts = (id: string) => id.split(":") as [role: string, name: string];
  return {
    autoName: "name",
    inputs: { name: named, role: { type: "string", required: true, replaces: true }, policy: json },
    outputs: [],
    create: (inputs) => ({ id: `${inputs["role"] as string}:${inputs["name"] as string}`, outputs: put(inputs) }),
    update: (_id, _state, inputs) => put(inputs),
    read(id) {
      const [owner, name] = parts(id);
      return iam.roles.get(owner)?.policies.has(name) ? {} : undefined;
    },
    delete(id) {
      const [owner, name] = parts(id);
      iam.roles.get(owner)?.policies.delete(name);
    },
  };
}

/** What a machine has a role by. */
export function instanceProfile(iam: Iam): ResourceType {
  const attach = (name: string, given: unknown) => {
    if (given !== undefined) iam.role(given as string, `adding role to IAM Instance Profile (${name})`);
    iam.profiles.set(name, given as string | undefined);
  };
  return {
    autoName: "name",
    inputs: {
      name: named,
      role: { type: "string" },
      path: { type: "string", replaces: true, default: "/" },
      tags: { type: "object" },
    },
    outputs: ["arn", "createDate", "uniqueId", "tagsAll"],
    create(inputs) {
      const name = inputs["name"] as string;
      attach(name, inputs["role"]);
      const outputs = { arn: arn(`instance-profile/${name}`), uniqueId: `AIPA${name}`, ...tagsAll(inputs) };
      return { id: name, outputs };
    },
    update(id, _state, inputs) {
      attach(id, inputs["role"]);
      return tagsAll(inputs);
    },
    read: (id) => (iam.profiles.has(id) ? {} : undefined),
    delete: (id) => void iam.profiles.delete(id),
  };
}

/** An identity provider whose tokens roles can trust; an account has one for each address. */
export function openIdConnectProvider(iam: Iam): ResourceType {
  return {
    inputs: {
      url: { type: "string", required: true, replaces: true },
      clientIdLists: { type: "array", required: true },
      thumbprintLists: { type: "array" },
      tags: { type: "object" },
    },
    outputs: ["arn", "tagsAll"],
    create(inputs) {
      const id = arn(`oidc-provider/${(inputs["url"] as string).replace("https://", "")}`);
      if (iam.providers.has(id)) {
        const message = `Provider with url ${inputs["url"] as string} already exists.`;
        throw new AwsError("EntityAlreadyExists", message, "creating IAM OIDC Provider");
      }
      iam.providers.add(id);
      return { id, outputs: { arn: id, ...tagsAll(inputs) } };
    },
    update: (_id, _state, inputs) => tagsAll(inputs),
    read: (id) => (iam.providers.has(id) ? {} : undefined),
    delete: (id) => void iam.providers.delete(id),
  };
}

function jsonProblem(value: string): string | undefined {
  try {
    JSON.parse(value);
    return undefined;
  } catch {
    return "contains an invalid JSON policy";
  }
}
