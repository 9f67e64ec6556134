import { type Change, isDeployment } from "./change";

/** What a person will notice of a change, for the resources of this project; empty for all others. */
export function noticesOf(change: Change, all: Change[]): string[] {
  const changed = (path: string) => change.properties.some((property) => property.path.split(/[.[]/)[0] === path);
  const gone = change.operation === "delete" || change.operation === "forget";
  const replaced = change.operation === "replace";

  switch (change.type) {
    case "aws:ec2/instance:Instance":
      if (gone) return ["The machine is deleted, with everything on its disk."];
      if (replaced) return [replacedMachine(all)];
      if (change.operation === "update" && (changed("instanceType") || changed("userData"))) {
        return ["The machine is stopped and started: the site is away for a minute or two. Disk and address stay."];
      }
      return [];
    case "aws:ec2/eip:Eip":
      if (gone || replaced)
        return ["The address changes: every DNS record and known host that names it has to follow."];
      return [];
    case "aws:ec2/securityGroupRule:SecurityGroupRule":
    case "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule":
      return gone ? ["The networks of this rule cannot reach the port any more."] : [];
    case "tls:index/privateKey:PrivateKey":
      if (!gone && !replaced) return [];
      if (change.parents.at(-1) === "nixos:index:SshKeyPair") {
        return ["The machine's key changes: secrets must be encrypted for the new one before they can be read again."];
      }
      return ["The machine gets a new host key: SSH clients that know the old one will refuse it."];
    case "github:index/repository:Repository":
      if (gone) return ["The repository is deleted, or archived where onDestroy says so."];
      return replaced
        ? ["The repository is made anew: issues, pull requests and history of the old one are lost."]
        : [];
    case "github:index/branchProtection:BranchProtection":
    case "github:index/repositoryRuleset:RepositoryRuleset":
      if (gone) return ["The branch is not protected any more: what is pushed to it reaches the machine unchecked."];
      return [];
    case "github:index/repositoryDeployKey:RepositoryDeployKey":
      return gone ? ["The machine cannot read the repository with its own key any more, so its upgrades stop."] : [];
    default:
      return [];
  }
}

function replacedMachine(all: Change[]): string {
  const address = all.find(({ type }) => type === "aws:ec2/eip:Eip");
  const same = address === undefined || address.operation === "update";
  const deployed = all.some((change) => isDeployment(change) && change.operation !== "delete");
  return [
    `The machine is replaced: new disk, ${same ? "same address" : "new address"}.`,
    "What is only on the old disk is lost.",
    ...(deployed ? ["The system is installed on the new one in the same update."] : []),
  ].join(" ");
}
