/** The file of secrets and the rules for it, relative to the project's folder. */
export const SECRETS_FILE = "nix/secrets.yaml";
export const SOPS_CONFIG = ".sops.yaml";
