import * as sshpk from "sshpk";
import { type ValueRule, problem } from "../values/errors";

const ALLOWED = "an ed25519 private key in OpenSSH format without a passphrase, with Unix line ends";

/** An ed25519 private key in OpenSSH format. The value never appears in the message. */
export const ed25519PrivateKey: ValueRule<string> = (property, value) => {
  if (value === undefined) return [problem(property, "nothing", ALLOWED)];
  if (typeof value !== "string" || value.trim() === "") return [problem(property, "an empty text", ALLOWED)];
  // bash on the machine would carry the carriage return into the key file, and sshd would refuse it.
  if (value.includes("\r")) return [problem(property, "a key with carriage returns (CRLF)", ALLOWED)];
  if (!/^-----BEGIN OPENSSH PRIVATE KEY-----\n[A-Za-z0-9+/=\n]+-----END OPENSSH PRIVATE KEY-----\n?$/.test(value)) {
    return [problem(property, "a text of another form", ALLOWED)];
  }
  try {
    const { type } = sshpk.parsePrivateKey(value, "ssh-private");
    return type === "ed25519" ? [] : [problem(property, `a key of type ${type}`, ALLOWED)];
  } catch {
    return [problem(property, "a key that cannot be read", ALLOWED)];
  }
};

/** The public half (`ssh-ed25519 AAAA…`, no comment, no newline) of a checked OpenSSH private key. */
export function publicKeyOf(privateKeyOpenssh: string): string {
  const blob = sshpk.parsePrivateKey(privateKeyOpenssh, "ssh-private").toPublic().toBuffer("rfc4253", {});
  return `ssh-ed25519 ${blob.toString("base64")}`;
}

/** The two halves of a checked ed25519 private key, 32 bytes each. */
export function ed25519Parts(privateKeyOpenssh: string): { seed: Buffer; publicKey: Buffer } {
  const { part } = sshpk.parsePrivateKey(privateKeyOpenssh, "ssh-private");
  // The library's types name the key types here, where it holds the parts: A is the public point, k the seed.
  const parts = part as unknown as { A: { data: Buffer }; k: { data: Buffer } };
  return { seed: parts.k.data.subarray(0, 32), publicKey: parts.A.data };
}
