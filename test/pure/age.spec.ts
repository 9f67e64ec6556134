/**
 * age.ts against age itself: what it computes from an SSH key is a pair of keys that age opens files with.
 * Cannot prove: that sops-nix on the machine derives the same identity from /var/lib/id_ed25519 (it uses ssh-to-age's
 * code; compared where ssh-to-age is on PATH).
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, createPrivateKey, createPublicKey, diffieHellman } from "node:crypto";
import { bech32 } from "@scure/base";
import { ageIdentity, ageRecipient } from "../../components/age";
import { requireOrSkip } from "../require";
import { hasCommand } from "../support/commands";
import { newKey, seedOf } from "../support/keys";

describe("age keys of an SSH key", () => {
  it("have the forms that age defines", () => {
    const key = newKey();
    assert.match(ageRecipient(key.publicKeyOpenssh), /^age1[02-9ac-hj-np-z]{58}$/);
    assert.match(ageIdentity(key.privateKeyOpenssh), /^AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}$/);
  });

  it("belong together: X25519 of the identity is the recipient", () => {
    for (let round = 0; round < 5; round++) {
      const key = newKey();
      assert.equal(
        x25519PublicKey(bytesOf(ageIdentity(key.privateKeyOpenssh).toLowerCase())),
        Buffer.from(bytesOf(ageRecipient(key.publicKeyOpenssh))).toString("hex"),
      );
    }
  });

  it("have as identity the start of SHA-512 of the seed, which is how ssh-to-age and OpenSSL expand a key", () => {
    const key = newKey();
    const expected = createHash("sha512").update(seedOf(key.privateKeyOpenssh)).digest().subarray(0, 32);
    // The bits that Ed25519 and X25519 both force.
    expected.writeUInt8(expected.readUInt8(0) & 248, 0);
    expected.writeUInt8((expected.readUInt8(31) & 127) | 64, 31);
    const identity = bytesOf(ageIdentity(key.privateKeyOpenssh).toLowerCase());
    assert.equal(Buffer.from(identity).toString("hex"), expected.toString("hex"));
  });

  it("do not depend on the comment or the newline of the public key", () => {
    const publicKey = newKey().publicKeyOpenssh.trim();
    assert.equal(ageRecipient(`${publicKey} root@machine\n`), ageRecipient(publicKey));
  });

  it("are refused for keys of another type", () => {
    const key = newKey("ecdsa");
    assert.throws(() => ageRecipient(key.publicKeyOpenssh), /needs an ed25519 public key; this one is ecdsa/);
    assert.throws(() => ageIdentity(key.privateKeyOpenssh), /needs an ed25519 private key; this one is ecdsa/);
  });

  it("agree with age-keygen -y", function () {
    requireOrSkip(this, "sops", hasCommand("age-keygen"), "age-keygen is not on PATH (Debian: apt-get install age)");
    const key = newKey();
    const recipient = execFileSync("age-keygen", ["-y"], { input: `${ageIdentity(key.privateKeyOpenssh)}\n` });
    assert.equal(recipient.toString().trim(), ageRecipient(key.publicKeyOpenssh));
  });

  it("open with age what age encrypted for the recipient", function () {
    requireOrSkip(this, "sops", hasCommand("age"), "age is not on PATH (Debian: apt-get install age)");
    const key = newKey();
    const sealed = execFileSync("age", ["--recipient", ageRecipient(key.publicKeyOpenssh)], { input: "a secret" });
    // The identity goes in by a file of the shell's, never by an argument.
    const opened = execFileSync("bash", ["-c", 'age --decrypt --identity <(printf "%s\\n" "$IDENTITY")'], {
      input: sealed,
      env: { ...process.env, IDENTITY: ageIdentity(key.privateKeyOpenssh) },
    });
    assert.equal(opened.toString(), "a secret");
  });

  it("are those of ssh-to-age", function () {
    // Not one of the tools that .ci/run installs: the test of SHA-512 above is what always runs.
    if (!hasCommand("ssh-to-age")) this.skip();
    const key = newKey();
    const run = (args: string[], input: string) => execFileSync("ssh-to-age", args, { input }).toString().trim();
    assert.equal(ageRecipient(key.publicKeyOpenssh), run([], key.publicKeyOpenssh));
    assert.equal(ageIdentity(key.privateKeyOpenssh), run(["-private-key"], key.privateKeyOpenssh));
  });
});

function bytesOf(text: string): Uint8Array {
  return bech32.decodeToBytes(text).bytes;
}

/** X25519 by OpenSSL, which Node brings: an oracle that shares no code with the file under test. */
function x25519PublicKey(scalar: Uint8Array): string {
  const der = Buffer.concat([Buffer.from("302e020100300506032b656e04220420", "hex"), scalar]);
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const basePoint = Buffer.alloc(32);
  basePoint[0] = 9;
  const spki = Buffer.concat([Buffer.from("302a300506032b656e032100", "hex"), basePoint]);
  const publicKey = createPublicKey({ key: spki, format: "der", type: "spki" });
  return diffieHellman({ privateKey, publicKey }).toString("hex");
}
