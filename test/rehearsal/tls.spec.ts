import assert from "node:assert/strict";
import * as sshpk from "sshpk";
import { ProviderClient } from "../../cli/rehearse/client";
import { tlsProvider } from "../../cli/rehearse/emulators/tls";
import { UNKNOWN, withoutSecretMarkers } from "../../cli/rehearse/emulators/values";

const KEY = "tls:index/privateKey:PrivateKey";

describe("emulated tls provider", () => {
  let tls: ProviderClient;
  before(async () => {
    tls = await ProviderClient.of(tlsProvider());
  });
  after(() => tls.stop());

  it("makes a real ed25519 key, whose halves belong together in every form", async () => {
    const state = withoutSecretMarkers((await tls.create(KEY, { algorithm: "ED25519" })).state) as Record<
      string,
      string
    >;
    const key = sshpk.parsePrivateKey(state["privateKeyOpenssh"]!, "ssh-private");
    assert.equal(key.type, "ed25519");
    const fingerprint = key.fingerprint("sha256").toString();
    assert.equal(sshpk.parseKey(state["publicKeyOpenssh"]!, "ssh").fingerprint("sha256").toString(), fingerprint);
    assert.equal(sshpk.parsePrivateKey(state["privateKeyPem"]!, "pkcs8").fingerprint("sha256").toString(), fingerprint);
    assert.equal(sshpk.parseKey(state["publicKeyPem"]!, "pkcs8").fingerprint("sha256").toString(), fingerprint);
    assert.equal(state["publicKeyFingerprintSha256"], fingerprint);
    assert.notEqual(
      (await tls.create(KEY, { algorithm: "ED25519" })).state["publicKeyOpenssh"],
      state["publicKeyOpenssh"],
    );
  });

  it("ends both OpenSSH forms with one newline, and writes no comment, like the real one", async () => {
    const state = withoutSecretMarkers((await tls.create(KEY, { algorithm: "ED25519" })).state) as Record<
      string,
      string
    >;
    assert.match(state["publicKeyOpenssh"]!, /^ssh-ed25519 [A-Za-z0-9+/]{68}\n$/);
    assert.match(
      state["privateKeyOpenssh"]!,
      /^-----BEGIN OPENSSH PRIVATE KEY-----\n[A-Za-z0-9+/=\n]+-----END OPENSSH PRIVATE KEY-----\n$/,
    );
  });

  it("marks the private forms secret, and nothing else", async () => {
    const { state } = await tls.create(KEY, { algorithm: "ED25519" });
    const secrets = Object.keys(state).filter((property) => typeof state[property] === "object");
    assert.deepEqual(secrets.sort(), ["privateKeyOpenssh", "privateKeyPem", "privateKeyPemPkcs8"]);
    assert.doesNotMatch(
      JSON.stringify(Object.values(state).filter((value) => typeof value === "string")),
      /PRIVATE KEY/,
    );
  });

  it("has unknown keys in a preview", async () => {
    const { state } = await tls.create(KEY, { algorithm: "ED25519" }, true);
    assert.equal(state["publicKeyOpenssh"], UNKNOWN);
  });

  it("refuses other algorithms", async () => {
    await assert.rejects(tls.create(KEY, { algorithm: "DSA" }), /expected algorithm to be one of/);
    await assert.rejects(tls.create(KEY, { algorithm: "RSA" }), /makes ED25519 keys only/);
    await assert.rejects(tls.create(KEY, {}), /algorithm: Missing required property/);
    await assert.rejects(tls.create("tls:index/certRequest:CertRequest", {}), /no resource type/);
  });

  it("makes a new key for any change", async () => {
    const key = await tls.create(KEY, { algorithm: "ED25519" });
    assert.deepEqual((await tls.diff(KEY, key, { ...key.inputs, algorithm: "RSA" })).replaces, ["algorithm"]);
    assert.equal((await tls.diff(KEY, key, key.inputs)).changed, false);
  });
});
