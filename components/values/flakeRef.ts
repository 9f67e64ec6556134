import { accessBy } from "../deploy/access/index.cjs";

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
  return accessBy(access).flake({ owner, name, branch });
}
