import { randomBytes } from "node:crypto";
import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { bech32 } from "@scure/base";
import * as sshpk from "sshpk";
import { type Check, problem, shown } from "./errors";

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

/** A new age identity (`AGE-SECRET-KEY-1…`), as age-keygen makes one. */
export function newAgeIdentity(): string {
  return bech32.encodeFromBytes("age-secret-key-", randomBytes(32)).toUpperCase();
}

/** The recipient (`age1…`) of an age identity, as `age-keygen -y` says it. */
export function recipientOfIdentity(identity: string): string {
  const { prefix, bytes } = bech32.decodeToBytes(identity.trim().toLowerCase());
  if (prefix !== "age-secret-key-" || bytes.length !== 32) throw new Error("This is not an age identity.");
  return bech32.encodeFromBytes("age", x25519.getPublicKey(bytes));
}

/** An age recipient of the kind that a machine opens with its SSH key. */
export const x25519Recipient: Check<string> = (property, value) => {
  if (isX25519Recipient(value)) return [];
  const allowed = 'an age recipient, "age1…" with 62 characters';
  if (!value.startsWith("ssh-")) return [problem(property, shown(value), allowed)];
  return [problem(property, shown(value), allowed, `sops-nix does not open "ssh-…" recipients.${converted(value)}`)];
};

function converted(publicKeyOpenssh: string): string {
  try {
    return ` This key's recipient is ${ageRecipient(publicKeyOpenssh)}.`;
  } catch {
    return " Only ed25519 keys have an age recipient.";
  }
}

function isX25519Recipient(value: string): boolean {
  const decoded = bech32.decodeUnsafe(value);
  return decoded?.prefix === "age" && bech32.fromWordsUnsafe(decoded.words)?.length === 32;
}

/** The bytes of one part of a key. The library's types name the key types here, where it holds the parts. */
function keyPart(key: sshpk.Key | sshpk.PrivateKey, name: string): Uint8Array {
  const parts = key.part as unknown as Record<string, { data: Uint8Array }>;
  return parts[name]!.data;
}
