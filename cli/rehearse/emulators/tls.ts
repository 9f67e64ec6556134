import * as sshpk from "sshpk";
import type { Provider, ResourceType } from "./provider";

/** A real ed25519 key pair in all the forms that the real provider returns. */
const privateKey: ResourceType = {
  inputs: {
    algorithm: {
      type: "string",
      required: true,
      problem: (value: string) =>
        ["RSA", "ECDSA", "ED25519"].includes(value)
          ? value === "ED25519"
            ? undefined
            : `the emulator makes ED25519 keys only, not ${value}`
          : `expected algorithm to be one of ["RSA" "ECDSA" "ED25519"], got ${value}`,
    },
  },
  outputs: [
    "ecdsaCurve",
    "privateKeyOpenssh",
    "privateKeyPem",
    "privateKeyPemPkcs8",
    "publicKeyFingerprintMd5",
    "publicKeyFingerprintSha256",
    "publicKeyOpenssh",
    "publicKeyPem",
    "rsaBits",
  ],
  secretOutputs: ["privateKeyOpenssh", "privateKeyPem", "privateKeyPemPkcs8"],
  create() {
    const key = sshpk.generatePrivateKey("ed25519");
    const publicKey = key.toPublic();
    // The provider's own id: the SHA-1 of the public key, here any text that is the key's alone.
    const id = publicKey.fingerprint("sha256").toString("hex").replaceAll(":", "").slice(0, 40);
    const pem = oneNewline(key.toString("pkcs8"));
    return {
      id,
      outputs: {
        ecdsaCurve: "P224",
        rsaBits: 2048,
        // Like the real ones, both OpenSSH forms end with a newline.
        privateKeyOpenssh: oneNewline(key.toString("openssh")),
        publicKeyOpenssh: `ssh-ed25519 ${publicKey.toBuffer("rfc4253", {}).toString("base64")}\n`,
        privateKeyPem: pem,
        privateKeyPemPkcs8: pem,
        publicKeyPem: oneNewline(publicKey.toString("pkcs8")),
        publicKeyFingerprintMd5: publicKey.fingerprint("md5").toString("hex"),
        publicKeyFingerprintSha256: publicKey.fingerprint("sha256").toString("base64"),
      },
    };
  },
};

function oneNewline(text: string): string {
  return `${text.trimEnd()}\n`;
}

/** The tls provider: keys live in the stack's state only, so there is no service behind it. */
export function tlsProvider(): Provider {
  return {
    name: "tls",
    version: "5.6.1",
    bridged: true,
    resources: { "tls:index/privateKey:PrivateKey": privateKey },
    functions: {},
  };
}
