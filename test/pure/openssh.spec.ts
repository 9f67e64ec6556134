/**
 * openssh.ts against keys of OpenSSH and of Node's own crypto.
 * Cannot prove: that the machine's OpenSSH takes a key (test/system/userData.spec.ts asks ssh-keygen).
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import * as sshpk from "sshpk";
import { ed25519PrivateKey, publicKeyOf } from "../../components/keys/openssh";
import { requireOrSkip } from "../require";
import { hasCommand } from "../../cli/rehearse/commands";
import { newKey, seedOf } from "../../cli/rehearse/keys";

const ALLOWED = "an ed25519 private key in OpenSSH format without a passphrase, with Unix line ends";
const message = (got: string) => [`hostKey: got ${got}; allowed: ${ALLOWED}.`];

describe("ed25519PrivateKey", () => {
  it("takes a key, with and without a newline at its end", () => {
    const { privateKeyOpenssh } = newKey();
    assert.deepEqual(ed25519PrivateKey("hostKey", privateKeyOpenssh), []);
    assert.deepEqual(ed25519PrivateKey("hostKey", privateKeyOpenssh.trimEnd()), []);
  });

  it("refuses CRLF line ends", () => {
    const windows = newKey().privateKeyOpenssh.replaceAll("\n", "\r\n");
    assert.deepEqual(ed25519PrivateKey("hostKey", windows), message("a key with carriage returns (CRLF)"));
  });

  it("refuses an empty text", () => {
    assert.deepEqual(ed25519PrivateKey("hostKey", ""), message("an empty text"));
    assert.deepEqual(ed25519PrivateKey("hostKey", " \n"), message("an empty text"));
  });

  it("refuses a key of another type, naming it", () => {
    assert.deepEqual(ed25519PrivateKey("hostKey", newKey("ecdsa").privateKeyOpenssh), message("a key of type ecdsa"));
  });

  it("refuses the public key", () => {
    assert.deepEqual(ed25519PrivateKey("hostKey", newKey().publicKeyOpenssh), message("a text of another form"));
  });

  it("refuses another format", () => {
    const pem = sshpk.parsePrivateKey(newKey().privateKeyOpenssh, "ssh-private").toString("pkcs8");
    assert.deepEqual(ed25519PrivateKey("hostKey", pem), message("a text of another form"));
  });

  it("refuses two keys, and anything after the key", () => {
    const { privateKeyOpenssh } = newKey();
    for (const text of [privateKeyOpenssh.repeat(2), `${privateKeyOpenssh}IDENTITY\nid\n`, `\n${privateKeyOpenssh}`]) {
      assert.deepEqual(ed25519PrivateKey("hostKey", text), message("a text of another form"));
    }
  });

  it("refuses a key that was cut short", () => {
    const rows = newKey().privateKeyOpenssh.split("\n");
    rows.splice(3, 1);
    assert.deepEqual(ed25519PrivateKey("hostKey", rows.join("\n")), message("a key that cannot be read"));
  });

  it("never shows what it refuses", () => {
    const { privateKeyOpenssh } = newKey();
    const row = privateKeyOpenssh.split("\n")[2]!;
    for (const text of [
      privateKeyOpenssh.replaceAll("\n", "\r\n"),
      privateKeyOpenssh.repeat(2),
      `x${privateKeyOpenssh}`,
    ]) {
      assert.ok(!ed25519PrivateKey("hostKey", text)[0]!.includes(row));
    }
  });

  it("refuses a key with a passphrase", function () {
    requireOrSkip(this, "sshd", hasCommand("ssh-keygen"), "ssh-keygen is not on PATH");
    withKeyFile(["-N", "correct horse"], (file) => {
      const [problem] = ed25519PrivateKey("hostKey", readFileSync(file, "utf8"));
      assert.equal(problem, message("a key that cannot be read")[0]);
    });
  });
});

describe("publicKeyOf", () => {
  it("is the public half that was made with the key, without comment and newline", () => {
    const key = newKey();
    assert.equal(publicKeyOf(key.privateKeyOpenssh), key.publicKeyOpenssh.trim());
  });

  it("is what Node's crypto computes from the private half", () => {
    const { privateKeyOpenssh } = newKey();
    const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seedOf(privateKeyOpenssh)]);
    const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
    const { x } = createPublicKey(privateKey).export({ format: "jwk" });
    const blob = Buffer.from(publicKeyOf(privateKeyOpenssh).split(" ")[1]!, "base64");
    assert.equal(blob.subarray(-32).toString("base64url"), x);
  });

  it("is what ssh-keygen wrote beside a key of its own", function () {
    requireOrSkip(this, "sshd", hasCommand("ssh-keygen"), "ssh-keygen is not on PATH");
    withKeyFile(["-N", ""], (file) => {
      const text = readFileSync(file, "utf8");
      assert.deepEqual(ed25519PrivateKey("hostKey", text), []);
      const [type, blob] = readFileSync(`${file}.pub`, "utf8").split(" ");
      assert.equal(publicKeyOf(text), `${type} ${blob}`);
    });
  });
});

/** Runs a test with a key file that OpenSSH made. */
function withKeyFile(args: string[], test: (file: string) => void): void {
  const folder = mkdtempSync(path.join(tmpdir(), "openssh-spec-"));
  try {
    const file = path.join(folder, "key");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-C", "a comment", ...args, "-f", file]);
    test(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
