import { ed25519 } from "@noble/curves/ed25519.js";
import { bech32 } from "@scure/base";
import * as sshpk from "sshpk";

/**
 * The age recipient (`age1…`) of an OpenSSH ed25519 public key, as ssh-to-age computes it: the key's Montgomery form in
 * bech32. This form is what sops-nix opens on the machine; a recipient `ssh-ed25519 …` is another kind and does not open.
 */
export function ageRecipient(publicKeyOpenssh: string): string {
  const key = sshpk.parseKey(publicKeyOpenssh.trim(), "ssh");
  if (key.type !== "ed25519") throw new Error(`An age recipient needs an ed25519 public key; this one is ${key.type}.`);
  const point = ed25519.utils.toMontgomery(keyPart(key, "A"));
  return bech32.encodeFromBytes("age", point);
}

/** The age identity (`AGE-SECRET-KEY-1…`) of an OpenSSH ed25519 private key, as ssh-to-age -private-key computes it. */
export function ageIdentity(privateKeyOpenssh: string): string {
  const key = sshpk.parsePrivateKey(privateKeyOpenssh, "ssh-private");
  if (key.type !== "ed25519") throw new Error(`An age identity needs an ed25519 private key; this one is ${key.type}.`);
  const scalar = ed25519.utils.toMontgomerySecret(keyPart(key, "k"));
  return bech32.encodeFromBytes("age-secret-key-", scalar).toUpperCase();
}

/** The bytes of one part of a key. The library's types name the key types here, where it holds the parts. */
function keyPart(key: sshpk.Key | sshpk.PrivateKey, name: string): Uint8Array {
  const parts = key.part as unknown as Record<string, { data: Uint8Array }>;
  return parts[name]!.data;
}
