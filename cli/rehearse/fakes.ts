import { Ec2, Iam, awsProvider } from "./emulators/aws";
import { commandProvider, type CommandOptions } from "./emulators/command";
import { Github, githubProvider } from "./emulators/github";
import { Operations } from "./emulators/operations";
import { tlsProvider } from "./emulators/tls";

/** The emulated outside world of one rehearsal: its services, and the providers in front of them. */
export interface Fakes {
  ec2: Ec2;
  iam: Iam;
  github: Github;
  /** By package name. */
  providers: Record<string, Operations>;
  stop: () => void;
}

/** A world in which nothing exists yet. */
export function createFakes(owner: string, commands: CommandOptions): Fakes {
  const [ec2, iam] = [new Ec2(), new Iam()];
  // A paid plan: free accounts cannot protect private repositories, which the repository is by default.
  const github = new Github({ owner, plan: "paid" });
  const command = commandProvider(commands);
  const all = [awsProvider(ec2, iam), githubProvider(github), tlsProvider(), command];
  return {
    ec2,
    iam,
    github,
    providers: Object.fromEntries(all.map((provider) => [provider.name, new Operations(provider)])),
    stop: () => command.stop(),
  };
}
