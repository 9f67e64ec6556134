/** What happens to one resource, in words that do not depend on where they were read. */
export type Operation = "create" | "update" | "replace" | "delete" | "import" | "read" | "forget";

/** One property that changes. The values are texts that may be shown: secrets are hidden, long ones are cut. */
export interface PropertyChange {
  path: string;
  kind: "add" | "update" | "delete";
  before?: string;
  after?: string;
  /** Whether it forces the replacement of its resource. */
  replaces: boolean;
}

export interface Change {
  urn: string;
  /** Type token, such as `aws:ec2/instance:Instance`. */
  type: string;
  name: string;
  /** Type tokens of the components around it, the outermost first. */
  parents: string[];
  operation: Operation;
  properties: PropertyChange[];
  /** The properties that force a replacement; empty when a person asked for it. */
  because: string[];
}

/** Takes types and name from a URN. */
export function partsOfUrn(
  urn: string,
): Pick<Change, "type" | "name" | "parents"> & { stack: string; project: string } {
  const [stack = "", project = "", types = "", ...name] = urn.replace(/^urn:pulumi:/, "").split("::");
  const parents = types.split("$");
  return { stack, project, type: parents.pop()!, parents, name: name.join("::") };
}

/** A type token as people write it in a program: `aws:ec2/instance:Instance` is `aws.ec2.Instance`. */
export function typeName(token: string): string {
  const [pkg = "", module = "", type = ""] = token.split(":");
  if (type === "") return token;
  return [pkg, ...module.split("/").slice(0, 1), type].filter((part) => part !== "index").join(".");
}

/** Whether the resource is the run of the deployment program, which "replaces" nothing that a person has. */
export function isDeployment({ type, parents }: Pick<Change, "type" | "parents">): boolean {
  return type === "command:local:Command" && parents.at(-1) === "nixos:index:NixosDeployment";
}
