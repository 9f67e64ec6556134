import * as sshpk from "sshpk";

/** An ed25519 key pair in the forms that the tls provider returns: both OpenSSH texts end with a newline. */
export interface TestKey {
  privateKeyOpenssh: string;
  publicKeyOpenssh: string;
}

/** A new key pair; no key is ever stored among the tests. */
export function newKey(type: "ed25519" | "ecdsa" = "ed25519"): TestKey {
  const key = type === "ed25519" ? sshpk.generatePrivateKey("ed25519") : sshpk.generatePrivateKey("ecdsa");
  const publicKey = key.toPublic().toBuffer("rfc4253", {}).toString("base64");
  const name = type === "ed25519" ? "ssh-ed25519" : "ecdsa-sha2-nistp256";
  return {
    // The library ends lines as Unix does and, like OpenSSH, the text with a newline.
    privateKeyOpenssh: `${key.toString("openssh").trimEnd()}\n`,
    publicKeyOpenssh: `${name} ${publicKey}\n`,
  };
}

/**
 * The seed of an OpenSSH ed25519 private key without passphrase, read from the bytes of the format: the first half of
 * the 64 bytes after the last length of 64. Shares no code with the library that the components use.
 */
export function seedOf(privateKeyOpenssh: string): Buffer {
  const blob = Buffer.from(privateKeyOpenssh.replace(/-----[^-]*-----|\n/g, ""), "base64");
  const length = Buffer.from([0, 0, 0, 64]);
  const start = blob.lastIndexOf(length) + length.length;
  return blob.subarray(start, start + 32);
}
