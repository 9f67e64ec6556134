/**
 * Who can open a SOPS file, as it is read from its block without opening it, against the real sops and gpg: one group and
 * several, thresholds, recipients of other kinds beside age, in each format. "Listed" is not "can open".
 * Cannot prove: what a key service answers (KMS, Vault): its entries are put into a file that was made for a PGP key.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { hasCommand } from "../../cli/rehearse/commands";
import { accessIn } from "../../cli/secrets/sopsConfig";
import { secretsProblems } from "../../components/deploy/flakeSecrets.mjs";
import { accessOf, opens, sameAccess } from "../../components/deploy/sopsFile.mjs";
import { newAgeIdentity, recipientOfIdentity } from "../../components/keys/age";
import { requireOrSkip } from "../require";

const CONTENT = {
  yaml: "password: x\n",
  json: '{"password": "x"}',
  env: "password=x\n",
  ini: "[web]\npassword=x\n",
} as const;
type Format = keyof typeof CONTENT;
const FORMATS = Object.keys(CONTENT) as Format[];

// M is the machine, A the admin, P a PGP key, K a key service.
const LAYOUTS: [groups: string[], threshold: number | undefined, opensAlone: boolean][] = [
  [["MA"], undefined, true],
  [["MAP"], undefined, true],
  [["PM"], undefined, true],
  [["P"], undefined, false],
  [["AP"], undefined, false],
  [["M", "P"], undefined, false],
  [["P", "M"], undefined, false],
  [["M", "P"], 2, false],
  [["P", "A", "M"], 2, false],
  [["M", "A", "P"], 2, false],
  [["MP", "MA"], undefined, true],
  [["MP", "P", "MA"], 2, true],
  [["P", "MP", "P"], undefined, false],
  [["M", "K"], undefined, false],
  [["K", "M"], undefined, false],
  [["MK"], undefined, true],
  [["MK", "MP"], undefined, true],
];

describe("who can open a SOPS file", () => {
  const identities = { M: newAgeIdentity(), A: newAgeIdentity() };
  const machine = recipientOfIdentity(identities.M);
  let place: string;
  let gnupg: string;
  let fingerprint: string;

  before(function () {
    requireOrSkip(this, "sops", hasCommand("sops"), "sops is not on PATH (.ci/install-sops.sh builds it)");
    requireOrSkip(this, "gpg", hasCommand("gpg"), "gpg is not on PATH (Debian: apt-get install gnupg)");
    place = fs.mkdtempSync(path.join(os.tmpdir(), "groups-"));
    gnupg = path.join(place, "gnupg");
    fs.mkdirSync(gnupg, { mode: 0o700 });
    const name = ["--quick-generate-key", "test@example.invalid", "rsa2048", "encrypt", "never"];
    const options = ["--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback"];
    const env = { ...process.env, GNUPGHOME: gnupg };
    execFileSync("gpg", [...options, ...name], { env, stdio: "pipe" });
    const listed = execFileSync("gpg", ["--list-keys", "--with-colons"], { env, stdio: "pipe" }).toString();
    fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(listed)![1]!;
  });
  after(() => {
    if (!place) return;
    spawnSync("gpgconf", ["--kill", "all"], { env: { ...process.env, GNUPGHOME: gnupg } });
    fs.rmSync(place, { recursive: true, force: true });
  });

  function rule(groups: string[], threshold: number | undefined, extension: string): string {
    const group = (letters: string) => ({
      age: [...letters].flatMap((letter) =>
        letter === "M" || letter === "A" ? [recipientOfIdentity(identities[letter])] : [],
      ),
      // A key service cannot be asked here, and gets its place in the file later.
      pgp: /[PK]/.test(letters) ? [fingerprint] : [],
    });
    return JSON.stringify({
      creation_rules: [
        {
          path_regex: `secrets\\.${extension}$`,
          key_groups: groups.map(group),
          ...(threshold === undefined ? {} : { shamir_threshold: threshold }),
        },
      ],
    });
  }

  /** A service's entry in place of PGP's, in its own words. */
  function withService(text: string): string {
    const entry = { arn: "arn:aws:kms:eu-west-1:000000000000:key/00000000-0000-0000-0000-000000000000" };
    const file = JSON.parse(text) as { sops: Record<string, unknown> & { key_groups?: Record<string, unknown>[] } };
    for (const group of file.sops.key_groups ?? [file.sops]) {
      if (!("pgp" in group)) continue;
      delete group["pgp"];
      group["kms"] = [{ ...entry, created_at: "2026-01-01T00:00:00Z", enc: "AQI=", aws_profile: "" }];
    }
    return JSON.stringify(file, null, "\t");
  }

  for (const [groups, threshold, expected] of LAYOUTS) {
    const hasService = groups.join("").includes("K");
    for (const format of hasService ? (["json"] as const) : FORMATS) {
      const limit = threshold === undefined ? "" : `, of which ${threshold} are needed`;
      it(`is said of ${groups.join(" | ")}${limit} as sops does it, in ${format}`, () => {
        const folder = fs.mkdtempSync(path.join(place, "nix-"));
        const file = path.join(folder, `secrets.${format}`);
        const config = path.join(folder, ".sops.yaml");
        const rules = rule(groups, threshold, format);
        fs.writeFileSync(config, rules);
        const env = { PATH: process.env["PATH"], HOME: folder, GNUPGHOME: gnupg };
        const args = ["--config", config, "encrypt", "--filename-override", file];
        const made = execFileSync("sops", args, { env, input: CONTENT[format], stdio: "pipe" }).toString();
        const text = hasService ? withService(made) : made;
        fs.writeFileSync(file, text);

        const alone = { ...env, GNUPGHOME: path.join(folder, "nobody"), SOPS_AGE_KEY: identities.M };
        const really = spawnSync("sops", ["decrypt", file], { env: alone }).status === 0;
        assert.equal(really, expected, "the table is wrong about sops");

        const access = accessOf(text, format);
        assert.equal(opens(access, [machine]).enough, expected);
        assert.deepEqual(secretsProblems(folder, machine).length, expected ? 0 : 1);
        // The rule says the same; it is read for the YAML file alone.
        if (format === "yaml") {
          const ruled = accessIn(rules.replace("secrets\\\\.yaml$", ""));
          assert.equal(opens(ruled, [machine]).enough, expected);
          assert.ok(sameAccess(ruled, access), JSON.stringify([ruled, access]));
        }
      });
    }
  }
});
