/**
 * The person's own age key: where it is looked for, how it is made, that it is never written over.
 * Cannot prove: that sops on macOS looks in the same place (the places are those of its source).
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { adminKeys, keyFile, keyFileProblems, makeAdminKey } from "../../cli/secrets/ageKeys";
import { newAgeIdentity, recipientOfIdentity } from "../../components/keys/age";

describe("the place of a person's age key", () => {
  for (const [what, platform, env, place] of [
    ["on Linux", "linux", { HOME: "/home/a" }, "/home/a/.config/sops/age/keys.txt"],
    ["with XDG_CONFIG_HOME", "linux", { HOME: "/home/a", XDG_CONFIG_HOME: "/c" }, "/c/sops/age/keys.txt"],
    ["on macOS", "darwin", { HOME: "/Users/a" }, "/Users/a/Library/Application Support/sops/age/keys.txt"],
    ["on macOS with XDG_CONFIG_HOME", "darwin", { HOME: "/Users/a", XDG_CONFIG_HOME: "/c" }, "/c/sops/age/keys.txt"],
    ["with SOPS_AGE_KEY_FILE", "linux", { HOME: "/home/a", SOPS_AGE_KEY_FILE: "/k/mine" }, "/k/mine"],
  ] as const) {
    it(`is sops's own ${what}`, () => {
      assert.equal(keyFile({ platform, env }), place);
    });
  }
});

describe("a person's age key", () => {
  let home: string;
  let context: { env: NodeJS.ProcessEnv; platform: NodeJS.Platform; folder: string };
  const file = () => keyFile(context);

  beforeEach(() => {
    home = fs.mkdtempSync(path.join(os.tmpdir(), "age-keys-"));
    context = { env: { HOME: home }, platform: "linux", folder: path.join(home, "project") };
  });
  afterEach(() => fs.rmSync(home, { recursive: true }));

  function put(text: string, mode = 0o600): void {
    fs.mkdirSync(path.dirname(file()), { recursive: true });
    fs.writeFileSync(file(), text, { mode });
  }

  it("is made readable for the person alone, file and folders", () => {
    makeAdminKey(context);
    assert.equal(fs.statSync(file()).mode & 0o777, 0o600);
    for (const folder of [".config", ".config/sops", ".config/sops/age"]) {
      assert.equal(fs.statSync(path.join(home, folder)).mode & 0o777, 0o700, folder);
    }
  });

  it("is found after it is made", () => {
    const made = makeAdminKey(context);
    assert.deepEqual(adminKeys(context), [made]);
    assert.deepEqual(keyFileProblems(context), []);
  });

  it("is never written over", () => {
    put("# a key on paper\n");
    assert.throws(() => makeAdminKey(context), { name: "UserError", message: /is there, but holds no age key/ });
    assert.equal(fs.readFileSync(file(), "utf8"), "# a key on paper\n");
  });

  it("is not made inside the project", () => {
    context.env["SOPS_AGE_KEY_FILE"] = path.join(context.folder, "nix", "key");
    assert.throws(() => makeAdminKey(context), { name: "UserError", message: /inside the project's folder/ });
    assert.ok(!fs.existsSync(file()));
  });

  it("is found in SOPS_AGE_KEY first, and beside others in one file", () => {
    const [given, first, second] = [newAgeIdentity(), newAgeIdentity(), newAgeIdentity()];
    context.env["SOPS_AGE_KEY"] = given;
    put(`# public key: ${recipientOfIdentity(first)}\n${first}\n\n${second}\n`);
    assert.deepEqual(
      adminKeys(context).map(({ recipient }) => recipient),
      [given, first, second].map(recipientOfIdentity),
    );
  });

  it("may be on hardware, which tells its recipient in a comment", () => {
    put("#       Recipient: age1yubikey1q0000\nAGE-PLUGIN-YUBIKEY-1QQQQ\n");
    assert.deepEqual(adminKeys(context), [{ recipient: "age1yubikey1q0000", place: file() }]);
  });

  it("is none where there is no file", () => {
    assert.deepEqual(adminKeys(context), []);
  });

  it("is refused when it is mistyped, without showing it", () => {
    put(`${newAgeIdentity().slice(0, -3)}QQQ\n`);
    assert.throws(() => adminKeys(context), {
      name: "UserError",
      message: `${file()}: a line that begins "AGE-SECRET-KEY-1" is not an age key; sops would refuse the file.`,
    });
  });

  it("is objected to when others can read it", () => {
    put(`${newAgeIdentity()}\n`, 0o644);
    assert.deepEqual(keyFileProblems(context), [
      `${file()}: others on this computer can read it (mode 0644). Run: chmod 600 "${file()}"`,
    ]);
  });
});
