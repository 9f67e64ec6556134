import { matching } from "../values/rules";
import type { ValueRule } from "../values/errors";
import { ed25519Parts } from "./openssh";

/** The name in a signing key; Nix compares it as a text, and by custom it ends in a number that a new key raises. */
export const signingKeyName: ValueRule<string> = matching(
  /^[A-Za-z0-9._-]{1,100}$/,
  'a key name such as "cache.example.com-1": letters, digits, dots, hyphens and underscores',
);

/** A key pair in the text form of `nix key generate-secret`: `<name>:<Base64>`. */
export interface NixSigningKey {
  /** Seed and public key, 64 bytes. Secret. */
  secretKey: string;
  /** Public key, 32 bytes: what `trusted-public-keys` takes. */
  publicKey: string;
}

/** The Nix signing key with the same ed25519 key as an OpenSSH private key. */
export function nixSigningKey(name: string, privateKeyOpenssh: string): NixSigningKey {
  const { seed, publicKey } = ed25519Parts(privateKeyOpenssh);
  return {
    secretKey: `${name}:${Buffer.concat([seed, publicKey]).toString("base64")}`,
    publicKey: `${name}:${publicKey.toString("base64")}`,
  };
}
