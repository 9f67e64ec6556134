import { type Check, problem, shown } from "./errors";

/** What a flake reference for a NixOS system may look like. */
const ALLOWED = 'one flake and one attribute, "<flake>#<attribute>", such as "path:./nix#default"';

/** The parts of `<flake>#<attribute>`. */
export interface FlakeRef {
  flake: string;
  attribute: string;
}

/**
 * A flake reference that is safe as an argument and names one system of `nixosConfigurations`.
 *
 * Nix would also take spaces and quotes in some places. They are refused, because the reference also travels through
 * ssh and systemd units, where each of them has another meaning.
 */
export const flakeRef: Check<string> = (property, value) => {
  const refused = (remedy: string) => [problem(property, shown(value), ALLOWED, remedy)];
  if (typeof value !== "string" || value === "") return refused("It is empty.");
  const parts = value.split("#");
  if (parts.length === 1) return refused(`The attribute is missing: write ${shown(`${value}#default`)}.`);
  if (parts.length > 2) return refused("It has more than one #.");
  const [flake, attribute] = parts as [string, string];
  if (attribute === "") return refused("Empty flake attribute paths not supported.");
  if (flake === "") return refused('The flake is missing before the #: write "path:./nix#…".');
  if (flake.startsWith("-")) return refused("It starts with -, which would be taken for an option.");
  const illegal = /[^A-Za-z0-9._~:/?=&%+@,-]/u.exec(flake)?.[0] ?? /[^A-Za-z0-9_.-]/u.exec(attribute)?.[0];
  if (illegal !== undefined) return refused(`The character ${shown(illegal)} is not allowed in it.`);
  if (!/^[A-Za-z_]/.test(attribute)) return refused("The attribute must start with a letter or _.");
  return [];
};

/** Splits a checked flake reference. */
export function parseFlakeRef(reference: string): FlakeRef {
  const [flake, attribute] = reference.split("#") as [string, string];
  return { flake, attribute };
}

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
    ? `github:${owner}/${name}/${encodeURIComponent(branch)}?dir=nix#default`
    : `git+ssh://git@github.com/${owner}/${name}?ref=${branch}&dir=nix#default`;
}
