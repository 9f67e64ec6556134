// @ts-check
// With the machine's own SSH key, which its repository knows as a read-only deploy key.

/** @type {import("./index.cjs").Access} */
module.exports = {
  flake: ({ owner, name, branch }) => `git+ssh://git@github.com/${owner}/${name}?ref=${branch}&dir=nix#default`,
  needsDeployKey: true,
  fetches: "commit",
  sshInputRefused: (isOwn) =>
    isOwn ? undefined : "it is read by SSH, and the machine's deploy key opens its own repository alone",
};
