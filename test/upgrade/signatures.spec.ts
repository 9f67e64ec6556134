// Only signed revisions, by git: real commits, real keys of OpenSSH and GnuPG. What it cannot prove: that GitHub's own key is
// the one at https://github.com/web-flow.gpg; a key made here stands for it.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { Place } from "./scripts";

describe("a machine that wants signed revisions", () => {
  let place: Place;
  let first: string;

  beforeEach(() => {
    place = new Place();
    first = place.commit("one");
    place.push();
    place.settings["UPGRADE_ALLOWED_SIGNERS"] = path.join(place.root, "signers");
  });
  afterEach(() => place.remove());

  function newKey(name: string, type = "ed25519"): string {
    const file = path.join(place.root, name);
    execFileSync("ssh-keygen", ["-q", "-t", type, "-N", "", "-C", name, "-f", file]);
    return file;
  }

  /** As the module writes it. */
  function trust(...keys: string[]): void {
    const lines = keys.map((key) => `signer namespaces="git" ${fs.readFileSync(`${key}.pub`, "utf8")}`);
    fs.writeFileSync(place.settings["UPGRADE_ALLOWED_SIGNERS"]!, lines.join(""));
  }

  function signedBy(key: string, name: string): string {
    place.git("config", "gpg.format", "ssh");
    place.git("config", "user.signingKey", key);
    const revision = place.commit(name, "--gpg-sign");
    place.push();
    return revision;
  }

  for (const type of ["ed25519", "ecdsa", "rsa"]) {
    it(`takes a commit that is signed by a key of the list (${type})`, async () => {
      const key = newKey("mine", type);
      trust(newKey("colleague"), key);
      assert.equal(await place.signed(signedBy(key, "signed")), "yes");
    });
  }

  it("takes none that is not signed, or by a key that is not in the list", async () => {
    trust(newKey("mine"));
    assert.equal(await place.signed(first), "no");
    assert.equal(await place.signed(signedBy(newKey("other"), "other")), "no");
  });

  it("takes none where the list is empty", async () => {
    trust();
    assert.equal(await place.signed(signedBy(newKey("mine"), "signed")), "no");
  });

  it("looks at the tip: an unsigned merge of signed commits is none", async () => {
    const key = newKey("mine");
    trust(key);
    signedBy(key, "signed");
    place.git("checkout", "--quiet", "-b", "side", first);
    place.git("commit", "--quiet", "--gpg-sign", "--allow-empty", "--message", "side");
    place.git("checkout", "--quiet", "main");
    place.git("merge", "--quiet", "--no-ff", "--no-gpg-sign", "--message", "merge", "side");
    place.push();
    assert.equal(await place.signed(place.git("rev-parse", "HEAD")), "no");
  });

  it("takes no signature that was made for something else", async () => {
    const key = newKey("mine");
    trust(key);
    // A file that the person signed, of which somebody else makes a commit's signature.
    const payload = place.git("cat-file", "commit", signedBy(key, "signed")).replace(/^gpgsig .*\n(?: .*\n)*/m, "");
    const file = path.join(place.root, "payload");
    fs.writeFileSync(file, `${payload}\n`);
    execFileSync("ssh-keygen", ["-q", "-Y", "sign", "-n", "file", "-f", key, file], { stdio: "ignore" });
    const signature = fs.readFileSync(`${file}.sig`, "utf8").trim().replaceAll("\n", "\n ");
    const object = `${payload}\n`.replace("\n\n", `\ngpgsig ${signature}\n\n`);
    const revision = execFileSync("git", ["-C", place.work, "hash-object", "-w", "-t", "commit", "--stdin"], {
      input: object,
      encoding: "utf8",
    }).trim();
    place.git("reset", "--quiet", "--hard", revision);
    place.push();
    assert.equal(await place.signed(revision), "no");
  });

  it("does not take a signed commit that is on another branch", async () => {
    const key = newKey("mine");
    trust(key);
    place.git("checkout", "--quiet", "-b", "side");
    place.git("config", "gpg.format", "ssh");
    place.git("config", "user.signingKey", key);
    const side = place.commit("side", "--gpg-sign");
    place.push("refs/heads/side");
    assert.equal(await place.signed(side), "moving");
  });

  describe("and takes GitHub's own signature", () => {
    let home: string;
    const gpg = (...args: string[]) =>
      execFileSync("gpg", ["--homedir", home, "--batch", "--quiet", ...args], { stdio: ["ignore", "pipe", "ignore"] });

    beforeEach(function () {
      if (spawnSync("gpg", ["--version"]).status !== 0) this.skip();
      // Short: the agent's socket lies in it.
      home = fs.mkdtempSync("/tmp/gpg-");
      gpg("--pinentry-mode", "loopback", "--passphrase", "", "--quick-generate-key", "web-flow <w@example.invalid>");
      fs.writeFileSync(path.join(place.root, "web-flow.gpg"), gpg("--export"));
      trust();
    });
    afterEach(() => {
      spawnSync("gpgconf", ["--homedir", home, "--kill", "all"]);
      fs.rmSync(home, { recursive: true, force: true });
    });

    function mergedByGithub(): string {
      const program = path.join(place.root, "gpg");
      fs.writeFileSync(program, `#!/bin/sh\nexec gpg --homedir ${home} "$@"\n`, { mode: 0o755 });
      place.git("config", "gpg.format", "openpgp");
      place.git("config", "gpg.program", program);
      place.git("config", "user.signingKey", "w@example.invalid");
      const revision = place.commit("merge", "--gpg-sign");
      place.push();
      return revision;
    }

    it("by choice", async () => {
      const revision = mergedByGithub();
      assert.equal(await place.signed(revision), "no", "without the choice");
      const chosen = {
        UPGRADE_GITHUB_SIGNING_KEY: path.join(place.root, "web-flow.gpg"),
        UPGRADE_GPG: "gpg",
      };
      assert.equal(await place.signed(revision, chosen), "yes");
      assert.equal(await place.signed(first, chosen), "no");
      // A key that root has imported for something else is no key of GitHub's.
      const own = { GNUPGHOME: home, UPGRADE_GPG: "gpg" };
      assert.equal(await place.signed(revision, own), "no");
    });
  });
});
