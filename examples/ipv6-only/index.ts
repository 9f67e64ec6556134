import { readFileSync } from "node:fs";
import * as ec2 from "@pulumi/aws/ec2";
import { ContinuousDeployment } from "nixos";

// The flake, and in it the file that names the repository. In a repository of your own: "./nix".
const nix = "../../nix";
const repository = JSON.parse(readFileSync(`${nix}/repository.json`, "utf8")) as { owner: string; name: string };

const vpc = new ec2.Vpc("vpc", { cidrBlock: "10.0.0.0/16", assignGeneratedIpv6CidrBlock: true });
const vpcId = vpc.id;
const gateway = new ec2.InternetGateway("gateway", { vpcId });

// GitHub has no IPv6 address. The NAT gateway speaks IPv4 for the machine, and needs an IPv4 address itself.
const natSubnet = new ec2.Subnet("nat", { vpcId, cidrBlock: "10.0.0.0/24" });
const natRoutes = new ec2.RouteTable("nat", { vpcId, routes: [{ cidrBlock: "0.0.0.0/0", gatewayId: gateway.id }] });
const natRouting = new ec2.RouteTableAssociation("nat", { subnetId: natSubnet.id, routeTableId: natRoutes.id });
const natAddress = new ec2.Eip("nat", { domain: "vpc" });
const nat = new ec2.NatGateway(
  "nat",
  { subnetId: natSubnet.id, allocationId: natAddress.id },
  { dependsOn: [natRouting] },
);

// With a private IPv4 network: NixOS's image asks for its user data at 169.254.169.254.
const subnet = new ec2.Subnet("machine", {
  vpcId,
  cidrBlock: "10.0.1.0/24",
  ipv6CidrBlock: vpc.ipv6CidrBlock.apply((block) => block.replace(/\/56$/, "/64")),
  // Answers with an address in 64:ff9b::/96 for names that have none but IPv4 ones.
  enableDns64: true,
});
const routes = new ec2.RouteTable("machine", {
  vpcId,
  routes: [
    { ipv6CidrBlock: "::/0", gatewayId: gateway.id },
    { ipv6CidrBlock: "64:ff9b::/96", natGatewayId: nat.id },
  ],
});
const routing = new ec2.RouteTableAssociation("machine", { subnetId: subnet.id, routeTableId: routes.id });

const server = new ContinuousDeployment(
  "nixos",
  {
    owner: repository.owner,
    repositoryName: repository.name,
    machine: { ipv6Only: true, subnetId: subnet.id, sshCidrBlocks: [], httpCidrBlocks: [] },
    deployment: { flake: `path:${nix}#default` },
  },
  { dependsOn: [routing] },
);

/** Address of the machine's web page. */
export const url = server.url;
/** Command that logs in, with the private key in a file id_ed25519. */
export const sshCommand = server.sshCommand;
/** Private key that logs in. Secret. */
export const loginKey = server.loginKey;
