import * as pulumi from "@pulumi/pulumi";
import { ContinuousDeployment } from "nixos";

const config = new pulumi.Config();
const shared = new pulumi.StackReference(config.require("sharedStack"));

// "dev" or "prod": the name of the stack, and of one of the flake's nixosConfigurations.
const environment = pulumi.getStack();

const server = new ContinuousDeployment(environment, {
  owner: shared.requireOutput("owner") as pulumi.Output<string>,
  repositoryName: shared.requireOutput("repositoryName") as pulumi.Output<string>,
  branch: config.require("branch"),
  machine: { instanceType: config.require("instanceType"), tags: { Environment: environment } },
  repository: {
    create: false,
    // Nothing is merged anywhere that one of the environments could not build.
    requiredChecks: ["Evaluate flake.nix", "nixosConfig dev", "nixosConfig prod"],
  },
  deployment: { flake: `../nix#${environment}` },
});

/** Address of the machine's web page. */
export const url = server.url;
/** Command that logs in, with the private key in a file id_ed25519. */
export const sshCommand = server.sshCommand;
/** Private key that logs in. Secret. */
export const loginKey = server.loginKey;
