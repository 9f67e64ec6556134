import { accessBy } from "../components/deploy/access/index.cjs";
import { quote } from "../components/values/errors";

/** What is known, without asking anybody, of how far a checkout has come. */
export interface CheckoutFacts {
  /** How the machine reads the repository: `deploy-key` or `token`. */
  access: string;
  /** Whether nix/secrets.yaml is there. */
  secretsFile: boolean;
  /** Whether the branch that the machine follows was pushed to its repository, or fetched from it. */
  pushed: boolean;
  /** The branch that the machine follows, where another one is checked out. */
  follows?: string;
  /** Branches of the repository that git knows, where the one that the machine follows is not among them. */
  others?: string[];
}

/** What a person is to do after an update, in words; undefined when the machine goes on by itself. */
export function nextStep({ access, secretsFile, pushed, follows, others = [] }: CheckoutFacts): string | undefined {
  // By an update and not by a push: without its secret the machine cannot see the push.
  const { secret } = accessBy(access);
  if (secret !== undefined && !secretsFile) return secret.nextStep;
  if (pushed) return undefined;
  if (follows === undefined) return `${pushCommand()}: the machine takes it within a minute, and follows from then on.`;
  const known = others.length === 0 ? "" : `, and git knows none of that name at origin (only ${some(others)})`;
  return `${pushCommand(follows)}: the machine follows ${follows}${known}. It takes what is pushed there within a minute.`;
}

/** The command that brings what is checked out to the machine's branch; without one, where that is checked out. */
export function pushCommand(follows?: string): string {
  return follows === undefined ? "git push -u origin HEAD" : `git push -u origin HEAD:${follows}`;
}

/** A few names, in quotes. */
function some(names: string[]): string {
  const rest = names.length > 5 ? ` and ${names.length - 5} more` : "";
  return `${names.slice(0, 5).map(quote).join(", ")}${rest}`;
}
