/**
 * The user data, really run: in a mount namespace of its own, over an empty /var/lib, twice, as at two boots.
 * Cannot prove: that EC2 hands it over unchanged, or that a later NixOS reads the host key as its module does now.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { renderUserData } from "../../components/keys/userData";
import { requireOrSkip } from "../require";
import { hasCommand } from "../../cli/rehearse/commands";
import { newKey, type TestKey } from "../../cli/rehearse/keys";
import { WAIT_MILLISECONDS } from "../../cli/rehearse/limits.cjs";

/** Options of unshare that give a private mount table: as root, or as root of a user namespace. */
const AS_ROOT = ["--mount", "--propagation", "private"];
const AS_USER = ["--user", "--map-root-user", ...AS_ROOT];

/**
 * Runs a bash script where /var/lib is an empty tmpfs and the folder is at /mnt. Nothing of it is left outside.
 */
function inNamespace(unshare: string[], folder: string, script: string) {
  const prepare = 'set -eu; mount --bind "$FOLDER" /mnt; mount -t tmpfs -o mode=0755 tmpfs /var/lib; cd /mnt\n';
  const { status, stdout, stderr } = spawnSync("unshare", [...unshare, "bash", "-c", prepare + script], {
    encoding: "utf8",
    env: { ...process.env, FOLDER: folder },
    timeout: WAIT_MILLISECONDS,
  });
  return { status, stdout, stderr };
}

describe("the user data, run", () => {
  let folder: string;
  let unshare: string[];

  before(function () {
    folder = mkdtempSync(path.join(tmpdir(), "user-data-spec-"));
    const usable = [AS_ROOT, AS_USER].find((options) => inNamespace(options, folder, "true").status === 0);
    const reason = "needs ssh-keygen, and root or user namespaces for a /var/lib of its own";
    requireOrSkip(this, "namespaces", usable !== undefined && hasCommand("ssh-keygen"), reason);
    unshare = usable!;
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Writes the user data of two keys into the folder, as a name. */
  function write(name: string, identity: TestKey, host: TestKey): void {
    const keys = { machineKey: identity.privateKeyOpenssh, hostKey: host.privateKeyOpenssh };
    writeFileSync(path.join(folder, name), renderUserData(keys), { mode: 0o600 });
  }

  /** Runs a script that must succeed, and gives its standard output. */
  function run(script: string): string {
    const { status, stdout, stderr } = inNamespace(unshare, folder, script);
    assert.equal(status, 0, stderr);
    return stdout;
  }

  const identity = newKey();
  const host = newKey();

  it("writes the key, byte by byte, for root alone", () => {
    write("first", identity, host);
    run("bash first; cp /var/lib/id_ed25519 written; stat -c '%a %u %F' /var/lib/id_ed25519 >facts");
    assert.equal(readFileSync(path.join(folder, "written"), "utf8"), identity.privateKeyOpenssh);
    assert.equal(readFileSync(path.join(folder, "facts"), "utf8"), "400 0 regular file\n");
  });

  it("writes a key that ssh-keygen opens, with the right public half", () => {
    write("first", identity, host);
    const publicKey = run("bash first; ssh-keygen -y -f /var/lib/id_ed25519");
    assert.equal(publicKey.trim().split(" ").slice(0, 2).join(" "), identity.publicKeyOpenssh.trim());
  });

  it("does the same at the second boot, over the read-only file", () => {
    write("first", identity, host);
    run("bash first; bash first; cp /var/lib/id_ed25519 twice; stat -c %a /var/lib/id_ed25519 >facts");
    assert.equal(readFileSync(path.join(folder, "twice"), "utf8"), identity.privateKeyOpenssh);
    assert.equal(readFileSync(path.join(folder, "facts"), "utf8"), "400\n");
  });

  it("brings a changed key at the next boot", () => {
    const other = newKey();
    write("first", identity, host);
    write("second", other, host);
    run("bash first; bash second; cp /var/lib/id_ed25519 changed");
    assert.equal(readFileSync(path.join(folder, "changed"), "utf8"), other.privateKeyOpenssh);
  });

  it("leaves nothing else behind, in /var/lib or on its output", () => {
    write("first", identity, host);
    assert.equal(run("bash first 2>&1; ls -A /var/lib"), "id_ed25519\n");
  });

  it("recovers from a boot that was cut off while it wrote", () => {
    write("first", identity, host);
    run("echo half >/var/lib/id_ed25519.new; chmod 0400 /var/lib/id_ed25519.new; bash first; ls -A /var/lib >left");
    assert.equal(readFileSync(path.join(folder, "left"), "utf8"), "id_ed25519\n");
  });

  it("is not led astray by a link in its way", () => {
    write("first", identity, host);
    run("ln -s /var/lib/elsewhere /var/lib/id_ed25519.new; bash first; test ! -e /var/lib/elsewhere");
  });

  it("never shows a reader a part of a key, while it runs again and again", () => {
    const other = newKey();
    write("first", identity, host);
    write("second", other, host);
    // The reader opens the file as often as it can; whatever it reads must be one of the two keys, whole.
    const script = `
      bash first; cp /var/lib/id_ed25519 one; bash second; cp /var/lib/id_ed25519 two
      (for _ in $(seq 40); do bash first; bash second; done; touch done) &
      reads=0; torn=0
      until [[ -e done ]]; do
        content=$(cat /var/lib/id_ed25519) || torn=$((torn + 1))
        [[ $content == "$(<one)" ]] || [[ $content == "$(<two)" ]] || torn=$((torn + 1))
        reads=$((reads + 1))
      done
      wait
      rm done
      echo "$reads $torn"`;
    const [reads, torn] = run(script).trim().split(" ").map(Number);
    assert.ok(reads! > 50, `only ${reads} reads`);
    assert.equal(torn, 0);
  });

  it("fails rather than leave another key, when it cannot write", () => {
    write("first", identity, host);
    const { status } = inNamespace(unshare, folder, "mount -o remount,ro /var/lib; bash first");
    assert.notEqual(status, 0);
  });

  describe("as NixOS reads the host key out of it", () => {
    /**
     * What the module ec2-data of nixpkgs does with user data: newlines come back for vertical bars, and a line is kept
     * when anything at all was replaced in it (sed's t), not only the label.
     */
    const read = `
      key=$(sed -e 's/|/\\n/g' -e 's/SSH_HOST_ED25519_KEY://' -e t -e d "$1")
      public_key=$(sed -e 's/SSH_HOST_ED25519_KEY_PUB://' -e t -e d "$1")
      rm -f host_key host_key.pub
      (umask 077; echo "$key" >host_key)
      echo "$public_key" >host_key.pub`;

    function hostKeyFrom(name: string) {
      mkdirSync(path.join(folder, "host"), { recursive: true });
      chmodSync(path.join(folder, "host"), 0o700);
      const script = `cd host; set -- ../${name}\n${read}\nssh-keygen -y -f host_key`;
      return { ...inNamespace(unshare, folder, script), file: path.join(folder, "host", "host_key") };
    }

    it("is a key that ssh-keygen opens, with the right public half", () => {
      write("first", identity, host);
      const { status, stdout, stderr, file } = hostKeyFrom("first");
      assert.equal(status, 0, stderr);
      assert.equal(stdout.trim().split(" ").slice(0, 2).join(" "), host.publicKeyOpenssh.trim());
      assert.equal(readFileSync(file, "utf8"), host.privateKeyOpenssh);
      assert.equal(readFileSync(`${file}.pub`, "utf8"), host.publicKeyOpenssh);
    });

    // Shows that the rules of userData.ts are needed, and that the test above can fail.
    for (const [what, from, to] of [
      ["an earlier line with a vertical bar", "set -eu\n", "set -eu\ntrue || true\n"],
      ["a comment before the label", "\nSSH_HOST_ED25519_KEY:", "\n# SSH_HOST_ED25519_KEY:"],
    ] as const) {
      it(`would be broken by ${what}`, () => {
        write("first", identity, host);
        const text = readFileSync(path.join(folder, "first"), "utf8");
        assert.ok(text.includes(from));
        writeFileSync(path.join(folder, "broken"), text.replace(from, to));
        const { status, file } = hostKeyFrom("broken");
        assert.notEqual(status, 0);
        assert.notEqual(readFileSync(file, "utf8"), host.privateKeyOpenssh);
      });
    }
  });
});
