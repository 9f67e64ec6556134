// @ts-check
// By HTTPS, with a personal access token out of the encrypted secrets: for accounts that forbid deploy keys.

const COMMANDS = ["npm run secrets -- init", "npm run secrets -- token"];

/** @type {import("./index.cjs").Access} */
module.exports = {
  // With heads/: GitHub would take a tag that is called like the branch.
  flake: ({ owner, name, branch }) => `github:${owner}/${name}/heads/${branch}?dir=nix#default`,
  needsDeployKey: false,
  fetches: "tarball",
  sshInputRefused: () => "it is read by SSH, and the machine has a token and no key for it",
  secret: {
    name: "github-access-token",
    what: "a token",
    store: COMMANDS,
    // Trouble that another token would end; what the network or GitHub is to blame for counts against no system.
    troubles: ["token", "sso", "ip-list", "policy", "not-found"],
    // The token reaches the machine by a second update: without it the machine cannot see a push.
    afterUpdate: [
      COMMANDS.join(" && "),
      "git add .sops.yaml nix/secrets.yaml && git commit -m 'Add the token'",
      "npx pulumi up",
    ],
    nextStep: `Give the machine its token: ${COMMANDS.join(", ")}, commit, npx pulumi up.`,
    inPlaceOfDeployKeys:
      "The organization forbids deploy keys, so the machine will read the repository with a token: `npm run secrets -- token`, after the first `pulumi up`.",
    trouble: "docs/trouble/expired-token.md",
  },
};
