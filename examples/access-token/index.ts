import { readFileSync } from "node:fs";
import { ContinuousDeployment } from "nixos";

// Its "access" says "token": the machine reads the same file, and takes the token from nix/secrets.yaml.
const repository = JSON.parse(readFileSync("nix/repository.json", "utf8")) as Record<
  "owner" | "name" | "access",
  string
>;

const server = new ContinuousDeployment("nixos", {
  owner: repository.owner,
  repositoryName: repository.name,
  access: repository.access,
  // The key in user data then opens the secrets and logs in nowhere.
  separateMachineKey: true,
  deployment: { flake: "./nix#default" },
});

/** Address of the machine's web page. */
export const url = server.url;
/** age recipient of the machine: what `npm run secrets` encrypts the token for. */
export const ageRecipient = server.ageRecipient;
/** Command that logs in, with the private key in a file id_ed25519. */
export const sshCommand = server.sshCommand;
/** Private key that logs in. Secret. */
export const loginKey = server.loginKey;
