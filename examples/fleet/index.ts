import { readFileSync } from "node:fs";
import { ContinuousDeployment, type MachineSettings, ProtectedRepository } from "nixos";

const { owner, name } = JSON.parse(readFileSync("nix/repository.json", "utf8")) as { owner: string; name: string };

// Each name is one of the flake's nixosConfigurations.
const machines: Record<string, MachineSettings> = {
  web: { instanceType: "t3.small" },
  // Nobody reaches it but by SSH.
  worker: { instanceType: "t3.medium", httpPorts: [] },
};

// Once, and not by one of the machines: each of them can then be replaced or removed alone.
const repository = new ProtectedRepository("fleet", {
  owner,
  name,
  requiredChecks: ["Evaluate flake.nix", ...Object.keys(machines).map((machine) => `nixosConfig ${machine}`)],
});

const servers = Object.entries(machines).map(([machineName, machine]) => {
  const server = new ContinuousDeployment(machineName, {
    owner,
    repositoryName: repository.repositoryName,
    machine,
    // There by now, and protected; what each machine adds is a deploy key of its own.
    repository: { create: false, branchProtection: "off" },
    deployment: { flake: `./nix#${machineName}` },
  });
  return [machineName, server] as const;
});

/** Commands that log in, with the machine's private key in a file id_ed25519. */
export const sshCommands = Object.fromEntries(servers.map(([machineName, server]) => [machineName, server.sshCommand]));
/** Private keys that log in. Secret. */
export const loginKeys = Object.fromEntries(servers.map(([machineName, server]) => [machineName, server.loginKey]));
/** Address of the web server's page. */
export const url = Object.fromEntries(servers)["web"]?.url;
