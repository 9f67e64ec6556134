// Root's authorized key follows the machine's: nix/modules/rootKey.sh with real keys.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { makeKeyPair, type KeyPair } from "../../cli/rehearse/machine/keys";
import { requireOrSkip } from "../require";
import { flakeFolder } from "../../cli/rehearse/upgrade/evaluate";

describe("root's authorized key", () => {
  let folder: string;
  let authorized: string;
  let keys: KeyPair[];

  before(async function () {
    const found = spawnSync("ssh-keygen", ["-?"]).error === undefined;
    requireOrSkip(this, "sshd", found, "there is no ssh-keygen on PATH");
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "root-key-"));
    keys = await Promise.all([1, 2, 3].map(() => makeKeyPair(folder)));
  });
  after(() => folder && fs.rmSync(folder, { recursive: true, force: true }));
  beforeEach(() => {
    for (const name of ["ssh", "state", "machine-key"])
      fs.rmSync(path.join(folder, name), { recursive: true, force: true });
    fs.mkdirSync(path.join(folder, "state"));
    authorized = path.join(folder, "ssh", "authorized_keys");
  });

  function follow(machineKey?: string): void {
    const file = path.join(folder, "machine-key");
    if (machineKey !== undefined) {
      fs.rmSync(file, { force: true });
      fs.writeFileSync(file, machineKey, { mode: 0o400 });
    }
    const { status, stderr } = spawnSync("bash", [path.join(flakeFolder, "modules/rootKey.sh")], {
      encoding: "utf8",
      env: {
        ...process.env,
        MACHINE_KEY: file,
        AUTHORIZED_KEYS: authorized,
        STATE_DIRECTORY: path.join(folder, "state"),
      },
    });
    assert.deepEqual([status, stderr], [0, ""]);
  }
  function give(...lines: string[]): void {
    fs.mkdirSync(path.dirname(authorized), { recursive: true });
    fs.writeFileSync(authorized, lines.map((line) => `${line}\n`).join(""));
  }
  const lines = () => fs.readFileSync(authorized, "utf8").trimEnd().split("\n");

  it("waits for the machine's key", () => {
    follow();
    assert.equal(fs.existsSync(authorized), false);
    follow("");
    assert.equal(fs.existsSync(authorized), false);
  });

  it("is the machine's where root has none, readable for root alone", () => {
    follow(keys[0]!.privateKey);
    assert.deepEqual(lines(), [keys[0]!.publicKey]);
    assert.equal(fs.statSync(authorized).mode & 0o777, 0o600);
    assert.equal(fs.statSync(path.dirname(authorized)).mode & 0o777, 0o700);
  });

  it("changes with it, and keeps keys from elsewhere", () => {
    give(`from="10.0.0.0/8" ${keys[0]!.publicKey} first`, `${keys[2]!.publicKey} somebody`);
    follow(keys[0]!.privateKey);
    assert.equal(lines().length, 2);
    follow(keys[1]!.privateKey);
    assert.deepEqual(lines(), [`${keys[2]!.publicKey} somebody`, keys[1]!.publicKey]);
    follow(keys[1]!.privateKey);
    assert.equal(lines().length, 2);
  });

  describe("in a file that cannot be written", () => {
    // A read-only mount, as Nix's store is: the permission bits of a file do not stop root.
    const readOnly = () => path.join(folder, "read-only");
    before(function () {
      const mounted = spawnSync("unshare", ["-m", "true"]).status === 0;
      requireOrSkip(this, "namespaces", mounted, "no mount namespaces here (they need root)");
    });
    const followReadOnly = (machineKey: string) => {
      fs.writeFileSync(path.join(folder, "machine-key"), machineKey, { mode: 0o400 });
      const script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && exec bash "$2"';
      return spawnSync(
        "unshare",
        ["-m", "sh", "-c", script, "sh", readOnly(), path.join(flakeFolder, "modules/rootKey.sh")],
        {
          encoding: "utf8",
          env: {
            ...process.env,
            MACHINE_KEY: path.join(folder, "machine-key"),
            AUTHORIZED_KEYS: authorized,
            STATE_DIRECTORY: path.join(folder, "state"),
          },
        },
      );
    };
    /** A link into the store, as home-manager makes it. */
    const giveReadOnly = (...lines: string[]) => {
      fs.rmSync(readOnly(), { recursive: true, force: true });
      fs.mkdirSync(readOnly());
      fs.writeFileSync(path.join(readOnly(), "keys"), lines.map((line) => `${line}\n`).join(""));
      fs.mkdirSync(path.dirname(authorized), { recursive: true });
      fs.symlinkSync(path.join(readOnly(), "keys"), authorized);
    };

    // Fault 89
    it("is no failure when it is there already", () => {
      giveReadOnly(keys[0]!.publicKey);
      const { status, stderr } = followReadOnly(keys[0]!.privateKey);
      assert.deepEqual([status, stderr], [0, ""]);
      assert.equal(fs.lstatSync(authorized).isSymbolicLink(), true);
      assert.deepEqual(lines(), [keys[0]!.publicKey]);
    });

    it("is named where it is missing, and the file is left as it is", () => {
      giveReadOnly(keys[0]!.publicKey);
      assert.equal(followReadOnly(keys[0]!.privateKey).status, 0);
      fs.rmSync(path.join(folder, "machine-key"));
      const { status, stderr } = followReadOnly(keys[1]!.privateKey);
      assert.equal(status, 0);
      assert.ok(stderr.includes("is read-only and left as it is") && stderr.includes(keys[1]!.publicKey), stderr);
      assert.deepEqual(lines(), [keys[0]!.publicKey]);
    });
  });

  it("is left alone where root enters with another key", () => {
    give(keys[2]!.publicKey);
    follow(keys[0]!.privateKey);
    follow(keys[1]!.privateKey);
    assert.deepEqual(lines(), [keys[2]!.publicKey]);
  });
});
