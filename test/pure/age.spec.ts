/**
 * age.ts against age itself: what it computes from an SSH key is a pair of keys that age opens files with.
 * Cannot prove: that sops-nix on the machine derives the same identity from /var/lib/id_ed25519 (it uses ssh-to-age's
 * code; compared where ssh-to-age is on PATH).
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, createPrivateKey, createPublicKey, diffieHellman } from "node:crypto";
import { bech32 } from "@scure/base";
import {
  ageIdentity,
  ageRecipient,
  newAgeIdentity,
  recipientOfIdentity,
  x25519Recipient,
} from "../../components/keys/age";
import { requireOrSkip } from "../require";
import { hasCommand } from "../../cli/rehearse/commands";
import { newKey, seedOf } from "../../cli/rehearse/keys";

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

  it("have as identity the start of SHA-512 of the seed, as ssh-to-age takes it: no bit forced", () => {
    const key = newKey();
    const expected = createHash("sha512").update(seedOf(key.privateKeyOpenssh)).digest().subarray(0, 32);
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
    requireOrSkip(this, "ssh-to-age", hasCommand("ssh-to-age"), "ssh-to-age is not on PATH");
    const key = newKey();
    const run = (args: string[], input: string) => execFileSync("ssh-to-age", args, { input }).toString().trim();
    assert.equal(ageRecipient(key.publicKeyOpenssh), run([], key.publicKeyOpenssh));
    assert.equal(ageIdentity(key.privateKeyOpenssh), run(["-private-key"], key.privateKeyOpenssh));
  });
});

describe("an age key of one's own", () => {
  it("is another one each time", () => {
    assert.notEqual(newAgeIdentity(), newAgeIdentity());
  });

  it("has the recipient that age-keygen -y says", function () {
    requireOrSkip(this, "sops", hasCommand("age-keygen"), "age-keygen is not on PATH (Debian: apt-get install age)");
    const identity = newAgeIdentity();
    const recipient = execFileSync("age-keygen", ["-y"], { input: `${identity}\n` });
    assert.equal(recipientOfIdentity(identity), recipient.toString().trim());
  });

  it("is refused when it is none or mistyped, without showing it", () => {
    const identity = newAgeIdentity();
    const mistyped = identity.slice(0, -1) + (identity.endsWith("Q") ? "P" : "Q");
    for (const text of [recipientOfIdentity(identity), mistyped, ""]) {
      assert.throws(() => recipientOfIdentity(text), { message: "This is not an age identity." });
    }
  });
});

describe("an age recipient", () => {
  it("is taken in the converted form", () => {
    assert.deepEqual(x25519Recipient("recipient", ageRecipient(newKey().publicKeyOpenssh)), []);
  });

  it("is refused as a raw SSH key, with the converted form as the way out", () => {
    const { publicKeyOpenssh } = newKey();
    const [message] = x25519Recipient("recipient", publicKeyOpenssh.trim());
    assert.match(message!, /sops-nix does not open "ssh-…" recipients/);
    assert.ok(message!.endsWith(`This key's recipient is ${ageRecipient(publicKeyOpenssh)}.`), message);
  });

  it("is refused as an SSH key that has no such form", () => {
    assert.match(
      x25519Recipient("recipient", "ssh-rsa AAAAB3NzaC1yc2E=")[0]!,
      /Only ed25519 keys have an age recipient/,
    );
  });

  for (const [what, value] of [
    ["with a wrong letter", "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"],
    ["of another length", bech32.encodeFromBytes("age", new Uint8Array(31))],
    ["with another beginning", bech32.encodeFromBytes("ape", new Uint8Array(32))],
    ["with a line end", `${bech32.encodeFromBytes("age", new Uint8Array(32))}\n`],
    ["that is empty", ""],
  ] as const) {
    it(`is refused ${what}`, () => {
      assert.deepEqual(x25519Recipient("recipient", value), [
        `recipient: got ${JSON.stringify(value)}; allowed: an age recipient, "age1…" with 62 characters.`,
      ]);
    });
  }
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
