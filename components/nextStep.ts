/** What is known, without asking anybody, of how far a checkout has come. */
export interface CheckoutFacts {
  /** How the machine reads the repository: `deploy-key` or `token`. */
  access: string;
  /** Whether nix/secrets.yaml is there. */
  secretsFile: boolean;
  /** Whether something was pushed to the repository that the machine follows, or fetched from it. */
  pushed: boolean;
}

/** What a person is to do after an update, in words; undefined when the machine goes on by itself. */
export function nextStep({ access, secretsFile, pushed }: CheckoutFacts): string | undefined {
  if (access === "token" && !secretsFile) {
    // By an update and not by a push: without its token the machine cannot see the push.
    return "Give the machine its token: npm run secrets -- init, npm run secrets -- token, commit, npx pulumi up.";
  }
  return pushed
    ? undefined
    : "git push -u origin HEAD: the machine takes it within a minute, and follows from then on.";
}
