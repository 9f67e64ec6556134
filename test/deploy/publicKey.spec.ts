import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { publicKeyOf, samePublicKey } from "../../components/deploy/publicKey.mjs";
import { requireOrSkip } from "../require";
import { hasCommand } from "../../cli/rehearse/commands";
import { newKey } from "../../cli/rehearse/keys";
import { temporaryFolder } from "./support";

describe("the public half of a private key", () => {
  it("is read from the private one", () => {
    const { privateKeyOpenssh, publicKeyOpenssh } = newKey();
    assert.equal(`${publicKeyOf(privateKeyOpenssh)}\n`, publicKeyOpenssh);
  });

  for (const [type, passphrase] of [
    ["ed25519", ""],
    ["ecdsa", ""],
    ["rsa", ""],
    ["ed25519", "passphrase"],
  ] as const) {
    it(`is ${passphrase === "" ? "what ssh-keygen says" : "nothing that is read"} of ${passphrase === "" ? "a" : "an encrypted"} ${type} key`, function () {
      requireOrSkip(this, "sshd", hasCommand("ssh-keygen"), "ssh-keygen is not on PATH");
      const folder = temporaryFolder();
      try {
        const file = path.join(folder, "key");
        const made = spawnSync("ssh-keygen", ["-q", "-t", type, "-N", passphrase, "-C", "comment", "-f", file]);
        assert.equal(made.status, 0, String(made.stderr));
        const expected = fs.readFileSync(`${file}.pub`, "utf8");
        const found = publicKeyOf(fs.readFileSync(file, "utf8"));
        if (passphrase === "") assert.ok(found !== undefined && samePublicKey(found, expected));
        else assert.equal(found, undefined);
      } finally {
        fs.rmSync(folder, { recursive: true });
      }
    });
  }

  it("is undefined, not an error, for any cut or other text", () => {
    const { privateKeyOpenssh } = newKey();
    fc.assert(
      fc.property(fc.nat(privateKeyOpenssh.length - 2), (length) => {
        assert.equal(publicKeyOf(privateKeyOpenssh.slice(0, length)), undefined);
      }),
    );
    fc.assert(
      fc.property(fc.base64String(), (body) => {
        publicKeyOf(`-----BEGIN OPENSSH PRIVATE KEY-----\n${body}\n-----END OPENSSH PRIVATE KEY-----\n`);
      }),
    );
  });

  it("is compared without its comment", () => {
    assert.equal(samePublicKey("ssh-ed25519 AAAA one", "ssh-ed25519 AAAA"), true);
    assert.equal(samePublicKey("ssh-ed25519 AAAA", "ssh-ed25519 AAAB"), false);
  });
});
