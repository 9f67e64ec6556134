/**
 * userData.ts: the text that a machine is given.
 * Cannot prove: that the script works (test/system/userData.spec.ts runs it) or that EC2 and NixOS treat it as assumed.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { publicKeyOf } from "../../components/keys/openssh";
import { MACHINE_KEY_PATH, renderUserData, USER_DATA_LIMIT } from "../../components/keys/userData";
import { newKey } from "../../cli/rehearse/keys";

const identity = newKey().privateKeyOpenssh;
const host = newKey();
const userData = renderUserData({ machineKey: identity, hostKey: host.privateKeyOpenssh });
const lines = userData.split("\n");

describe("renderUserData", () => {
  it("starts with #!, or NixOS would take it for a Nix expression", () => assert.equal(userData.slice(0, 2), "#!"));
  it("has no carriage return", () => assert.ok(!userData.includes("\r")));
  it("stays under EC2's limit", () => assert.ok(Buffer.byteLength(userData) <= USER_DATA_LIMIT / 4));

  it("holds the identity key, whole, in a quoted here-document", () => {
    const start = lines.findIndex((line) => line.endsWith("<<'IDENTITY'"));
    const end = lines.indexOf("IDENTITY");
    assert.equal(`${lines.slice(start + 1, end).join("\n")}\n`, identity);
  });

  it("names the place of the key that the modules of nix/ read", () => {
    assert.equal(MACHINE_KEY_PATH, "/var/lib/id_ed25519");
    assert.ok(userData.includes(`mv -f "$new" ${MACHINE_KEY_PATH}\n`));
  });

  it("holds each of the host key's lines once, at the start of a line", () => {
    assert.deepEqual(
      lines.filter((line) => line.includes("SSH_HOST_ED25519_KEY")),
      [
        `SSH_HOST_ED25519_KEY:${host.privateKeyOpenssh.trimEnd().replaceAll("\n", "|")}`,
        `SSH_HOST_ED25519_KEY_PUB:${host.publicKeyOpenssh.trim()}`,
      ],
    );
  });

  it("has no vertical bar anywhere but in the host key's line", () => {
    const others = lines.filter((line) => !line.startsWith("SSH_HOST_ED25519_KEY:"));
    assert.ok(!others.join("\n").includes("|"));
  });

  it("is the same for keys with and without a newline at their ends", () => {
    const bare = { machineKey: identity.trimEnd(), hostKey: host.privateKeyOpenssh.trimEnd() };
    assert.equal(renderUserData(bare), userData);
  });

  it("keeps all of this for every pair of keys", () => {
    fc.assert(
      fc.property(fc.constant(null), () => {
        const [machineKey, hostKey] = [newKey().privateKeyOpenssh, newKey().privateKeyOpenssh];
        const text = renderUserData({ machineKey, hostKey });
        assert.ok(text.startsWith("#!"));
        assert.ok(text.includes(`<<'IDENTITY'\n${machineKey}IDENTITY\n`));
        assert.ok(text.includes(`\nSSH_HOST_ED25519_KEY_PUB:${publicKeyOf(hostKey)}\nHOST_KEY\n`));
        assert.equal(text.indexOf("|") > text.indexOf("\nSSH_HOST_ED25519_KEY:"), true);
        assert.ok(!text.includes("\r"));
      }),
      { numRuns: 30 },
    );
  });

  // These values never pass the checks of NixosInstance; the text itself refuses them too.
  it("refuses a key with carriage returns", () => {
    const windows = identity.replaceAll("\n", "\r\n");
    assert.throws(() => renderUserData({ machineKey: windows, hostKey: host.privateKeyOpenssh }), /carriage return/);
  });

  it("refuses a vertical bar before the host key", () => {
    const barred = identity.replace("PRIVATE", "PRI|VATE");
    assert.throws(() => renderUserData({ machineKey: barred, hostKey: host.privateKeyOpenssh }), /vertical bar/);
  });

  it("refuses what is too long for EC2, with both numbers", () => {
    const long = `${identity}${"x".repeat(USER_DATA_LIMIT)}`;
    assert.throws(
      () => renderUserData({ machineKey: long, hostKey: host.privateKeyOpenssh }),
      /^Error: User data has \d+ bytes; EC2 takes 16384 at most\.$/,
    );
  });

  it("shows no key in its messages", () => {
    for (const machineKey of [identity.replaceAll("\n", "\r\n"), identity.repeat(60)]) {
      assert.throws(
        () => renderUserData({ machineKey, hostKey: host.privateKeyOpenssh }),
        (error: Error) => !error.message.includes(identity.split("\n")[2]!),
      );
    }
  });
});
