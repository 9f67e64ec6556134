import { createHash, randomBytes } from "node:crypto";
import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { bech32 } from "@scure/base";
import * as sshpk from "sshpk";
import { type ValueRule, problem, quote } from "../values/errors";

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
  // Not clamped, as ssh-to-age leaves it; X25519 forces those bits itself, so that both forms open the same files.
  const secret = createHash("sha512").update(keyPart(key, "k")).digest().subarray(0, 32);
  return bech32.encodeFromBytes("age-secret-key-", secret).toUpperCase();
}

/** A new age identity (`AGE-SECRET-KEY-1…`), as age-keygen makes one. */
export function newAgeIdentity(): string {
  return bech32.encodeFromBytes("age-secret-key-", randomBytes(32)).toUpperCase();
}

/** The recipient (`age1…`) of an age identity, as `age-keygen -y` says it. */
export function recipientOfIdentity(identity: string): string {
  // The strict decoder's error would quote the identity.
  const bytes = bytesOf("age-secret-key-", identity.trim().toLowerCase());
  if (bytes === undefined) throw new Error("This is not an age identity.");
  return bech32.encodeFromBytes("age", x25519.getPublicKey(bytes));
}

/** An age recipient of the kind that a machine opens with its SSH key. */
export const x25519Recipient: ValueRule<string> = (property, value) => {
  if (bytesOf("age", value) !== undefined) return [];
  const allowed = 'an age recipient, "age1…" with 62 characters';
  if (!value.startsWith("ssh-")) return [problem(property, quote(value), allowed)];
  return [problem(property, quote(value), allowed, `sops-nix does not open "ssh-…" recipients.${converted(value)}`)];
};

function converted(publicKeyOpenssh: string): string {
  try {
    return ` This key's recipient is ${ageRecipient(publicKeyOpenssh)}.`;
  } catch {
    return " Only ed25519 keys have an age recipient.";
  }
}

/** The 32 bytes of a bech32 text with this beginning, or undefined when it is none. */
function bytesOf(prefix: string, text: string): Uint8Array | undefined {
  const decoded = bech32.decodeUnsafe(text);
  if (decoded === undefined || decoded.prefix !== prefix) return undefined;
  const bytes = bech32.fromWordsUnsafe(decoded.words);
  return bytes instanceof Uint8Array && bytes.length === 32 ? bytes : undefined;
}

/** The bytes of one part of a key. The library's types name the key types here, where it holds the parts. */
function keyPart(key: sshpk.Key | sshpk.PrivateKey, name: string): Uint8Array {
  const parts = key.part as unknown as Record<string, { data: Uint8Array }>;
  return parts[name]!.data;
}
