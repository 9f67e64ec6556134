/**
 * Which keys the option pulumiNixos.upgrade.signatures.allowedSigners takes: a public key and nothing that would
 * change what the line of the list says, as options, other principals, or another line. Cannot prove: that the key is one.
 */
import assert from "node:assert/strict";
import { requireOrSkip } from "../require";
import { configured, evaluateModules, nixMissing, nixString } from "../../cli/rehearse/upgrade/evaluate";

const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB0Q1w";

const taken = [
  KEY,
  `${KEY} octocat`,
  `${KEY} octo cat, "quoted" # and * more`,
  "ssh-rsa AAAAB3NzaC1yc2E=",
  "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY=",
  "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29t",
  "sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20=",
];

const refused = [
  "",
  "octocat",
  "*",
  `* ${KEY}`,
  `octocat ${KEY}`,
  ` ${KEY}`,
  `#${KEY}`,
  `${KEY}\n* ${KEY}`,
  `${KEY}\r* ${KEY}`,
  `${KEY}\n`,
  `cert-authority ${KEY}`,
  `namespaces="file" ${KEY}`,
  `namespaces="git",cert-authority ${KEY}`,
  `valid-before="20200101" ${KEY}`,
  `restrict,command="id" ${KEY}`,
  "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQ",
  "ssh-ed25519",
  "ssh-ed25519 ",
  "ssh-ed25519  AAAA",
  "ssh-ed25519 AAAA$(id)",
  "-----BEGIN OPENSSH PRIVATE KEY-----",
  "https://github.com/octocat.keys",
];

describe("a key that commits may be signed with", () => {
  before(function () {
    const reason = nixMissing();
    requireOrSkip(this, "nix", reason === undefined, reason ?? "");
  });

  it("is a public key of OpenSSH, with or without a comment, and nothing before or after it", () => {
    const keys = [...taken, ...refused];
    const type = "e.options.pulumiNixos.upgrade.signatures.allowedSigners.type";
    const checked = evaluateModules(
      `map (key: ${type}.check [ key ]) (builtins.fromJSON ${nixString(JSON.stringify(keys))})`,
    );
    assert.deepEqual(
      keys.filter((_, at) => (checked as boolean[])[at]),
      taken,
    );
  });

  it("is all that counts, unless GitHub's own is chosen: then its key must be named", () => {
    const settings = (signatures: object) =>
      evaluateModules(
        `let s = e.config.pulumiNixos.upgrade.settings; in {
           signers = s.UPGRADE_ALLOWED_SIGNERS != ""; key = s.UPGRADE_GITHUB_SIGNING_KEY; gpg = s.UPGRADE_GPG != "false";
           refused = map (a: a.message) (builtins.filter (a: !a.assertion) e.config.assertions); }`,
        { pulumiNixos: { ...configured.pulumiNixos, upgrade: { signatures } } },
      ) as { signers: boolean; key: string; gpg: boolean; refused: string[] };
    assert.deepEqual(settings({}), { signers: false, key: "", gpg: false, refused: [] });
    const githubKey = __filename;
    // A key that is named and not chosen opens nothing.
    assert.deepEqual(settings({ githubKey, allowedSigners: [KEY] }), {
      signers: true,
      key: "",
      gpg: false,
      refused: [],
    });
    assert.match(settings({ allowGithubMerge: true }).refused.join(), /needs GitHub's key/);
    const chosen = settings({ allowGithubMerge: true, githubKey });
    assert.deepEqual([chosen.signers, chosen.key !== "", chosen.gpg, chosen.refused], [true, true, true, []]);
  });
});
