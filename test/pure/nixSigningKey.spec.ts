/**
 * Signing keys of a binary cache in Nix's text form. The real `nix` is asked where it is on PATH.
 * Cannot prove: that a store accepts the signatures (test/system/binaryCache.spec.ts does).
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { nixSigningKey, signingKeyName } from "../../components/keys/nixSigningKey";
import { requireOrSkip } from "../require";
import { newKey } from "../../cli/rehearse/keys";

describe("nixSigningKey", () => {
  it("holds the name, then the 64 bytes of seed and public key, in Base64", () => {
    const { secretKey } = nixSigningKey("cache-1", newKey().privateKeyOpenssh);
    const [name, base64] = secretKey.split(":") as [string, string];
    assert.equal(name, "cache-1");
    assert.equal(Buffer.from(base64, "base64").length, 64);
  });

  it("has the public key that belongs to the seed, by another implementation", () => {
    const { secretKey, publicKey } = nixSigningKey("cache-1", newKey().privateKeyOpenssh);
    const seed = Buffer.from(secretKey.split(":")[1]!, "base64").subarray(0, 32);
    // PKCS #8's fixed beginning for an ed25519 seed (RFC 8410).
    const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
    const derived = createPublicKey(createPrivateKey({ key: der, format: "der", type: "pkcs8" }));
    const expected = derived.export({ format: "der", type: "spki" }).subarray(-32).toString("base64");
    assert.equal(publicKey, `cache-1:${expected}`);
  });

  it("is a key that the real Nix converts to the same public key", function () {
    const { secretKey, publicKey } = nixSigningKey("cache-1", newKey().privateKeyOpenssh);
    const options = ["--extra-experimental-features", "nix-command"];
    const nix = spawnSync("nix", [...options, "key", "convert-secret-to-public"], { input: secretKey });
    requireOrSkip(this, "nix", nix.error === undefined, "no `nix` on PATH");
    assert.equal(nix.stderr.toString(), "");
    assert.equal(nix.stdout.toString().trim(), publicKey);
  });

  for (const name of ["", "cache 1", "cache:1", "cache\n1", "käse-1", "c".repeat(101)]) {
    it(`refuses the name ${JSON.stringify(name.slice(0, 12))}`, () => {
      assert.match(
        signingKeyName("signingKeyName", name).join(),
        /^signingKeyName: got ".*; allowed: a key name such as/s,
      );
    });
  }
});
