import { readFileSync } from "node:fs";
import { getZoneOutput, Record as DnsRecord } from "@pulumi/aws/route53";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { NixosDeployment, NixosInstance, ProtectedRepository, SshKeyPair } from "nixos";

const read = (file: string) => JSON.parse(readFileSync(file, "utf8")) as Record<string, string>;
const { owner, name } = read("nix/repository.json") as { owner: string; name: string };
// The name that the page is served under; the machine reads it from the same file.
const { host } = read("nix/site.json") as { host: string };

// The parts of ContinuousDeployment, wired by hand: here something comes between the machine and its deployment.
const key = new SshKeyPair("nixos-key");
const hostKey = new tls.PrivateKey("nixos-host-key", { algorithm: "ED25519" });

const repository = new ProtectedRepository("nixos-repository", { owner, name, deployPublicKey: key.publicKeyOpenssh });

const machine = new NixosInstance("nixos", {
  keyName: key.keyName,
  machineKey: key.privateKeyOpenssh,
  hostKey: hostKey.privateKeyOpenssh,
  httpPorts: [80, 443],
});

const { zoneId } = getZoneOutput({ name: new pulumi.Config().require("zone") });
const record = new DnsRecord("name", { zoneId, name: host, type: "A", ttl: 300, records: [machine.publicIp] });

const deployment = new NixosDeployment(
  "nixos-deployment",
  {
    host: machine.publicIp,
    hostPublicKey: machine.hostPublicKey,
    loginKey: key.privateKeyOpenssh,
    instanceId: machine.instanceId,
    repository: `${owner}/${name}`,
    flake: "./nix#default",
  },
  // Let's Encrypt looks the name up while the first system starts.
  { dependsOn: record },
);

/** Address of the page, once it is served. */
export const url = deployment.systemPath.apply(() => `https://${host}`);
/** Page of the repository. */
export const repositoryUrl = repository.httpUrl;
/** Private key that logs in. Secret. */
export const loginKey = key.privateKeyOpenssh;
