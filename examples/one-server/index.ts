import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { ContinuousDeployment } from "nixos";

// The flake, and in it the file that names the repository. In a repository of your own: "./nix".
const nix = "../../nix";
const repository = JSON.parse(readFileSync(`${nix}/repository.json`, "utf8")) as { owner: string; name: string };

const config = new pulumi.Config();

const server = new ContinuousDeployment("nixos", {
  owner: repository.owner,
  repositoryName: repository.name,
  machine: {
    instanceType: config.require("instanceType"),
    sshCidrBlocks: config.requireObject<string[]>("sshCidrBlocks"),
  },
  deployment: { flake: `path:${nix}#default` },
});

/** Address of the machine's web page. */
export const url = server.url;
/** Command that logs in, with the private key in a file id_ed25519. */
export const sshCommand = server.sshCommand;
/** Private key that logs in. Secret. */
export const loginKey = server.loginKey;
