/** Where the machine reads its configuration from: its repository, a branch, and the way in. */
export interface UpgradeSource {
  owner: string;
  name: string;
  branch: string;
  /** `deploy-key`: by SSH with the machine's own key; `token`: by HTTPS with a token from the SOPS file. */
  access: string;
}

/** The flake reference of `system.autoUpgrade` for a repository whose flake is in `nix/`. */
export function upgradeFlake(source: UpgradeSource): string {
  const { owner, name, branch, access } = source;
  return access === "token"
    ? // With heads/: GitHub would take a tag that is called like the branch.
      `github:${owner}/${name}/heads/${branch}?dir=nix#default`
    : `git+ssh://git@github.com/${owner}/${name}?ref=${branch}&dir=nix#default`;
}
