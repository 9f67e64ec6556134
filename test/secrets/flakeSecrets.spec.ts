/**
 * The search for secrets in a flake's folder, on folders made for it; and that nix/secretFiles.nix, which the machine's
 * own evaluation asks, refuses the same files.
 * Cannot prove: that sops writes what is taken for encrypted here (test/system/secrets.spec.ts does, with the real one).
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { ageRecipient, newAgeIdentity, recipientOfIdentity } from "../../components/keys/age";
import { recipientsOf, secretsProblems } from "../../components/deploy/flakeSecrets.mjs";
import { requireOrSkip } from "../require";
import { hasCommand } from "../../cli/rehearse/commands";
import { newKey } from "../../cli/rehearse/keys";

const MACHINE = ageRecipient(newKey().publicKeyOpenssh);
const ADMIN = recipientOfIdentity(newAgeIdentity());
const ENC = "ENC[AES256_GCM,data:kA==,iv:mDWTtpzxE3KqtaXyZNXPJ7vDXdElnWs6XsSD21JWCaI=,tag:Z6NTcbtgmu+MnA==,type:str]";

/** What sops writes, with its block style and its own block at the end. */
function sopsFile(content: string, recipients = [MACHINE, ADMIN]): string {
  const entries = recipients.map(
    (recipient) =>
      `        - enc: |\n            -----BEGIN AGE ENCRYPTED FILE-----\n            YWdl\n            -----END AGE ENCRYPTED FILE-----\n          recipient: ${recipient}`,
  );
  return `${content}sops:\n    age:\n${entries.join("\n")}\n    lastmodified: "2026-01-01T00:00:00Z"\n    mac: ${ENC}\n    unencrypted_suffix: _unencrypted\n    version: 3.13.3\n`;
}

describe("secrets in a flake's folder", () => {
  let folder: string;

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "flake-secrets-"));
    fs.writeFileSync(path.join(folder, "flake.nix"), "{ }\n");
  });
  afterEach(() => fs.rmSync(folder, { recursive: true }));

  function put(file: string, text: string): string {
    const place = path.join(folder, file);
    fs.mkdirSync(path.dirname(place), { recursive: true });
    fs.writeFileSync(place, text);
    return place;
  }

  /** The one problem, without the path at its beginning. */
  function problem(file: string, machine?: string): string {
    const problems = secretsProblems(folder, machine);
    assert.equal(problems.length, 1, problems.join("\n"));
    const beginning = `${path.join(folder, file)}: `;
    assert.ok(problems[0]!.startsWith(beginning), problems[0]);
    return problems[0]!.slice(beginning.length);
  }

  it("are none in a folder without any", () => {
    assert.deepEqual(secretsProblems(folder, MACHINE), []);
  });

  it("are taken when they are encrypted for the machine", () => {
    put("secrets.yaml", sopsFile(`password: ${ENC}\n`));
    assert.deepEqual(secretsProblems(folder, MACHINE), []);
  });

  it("are taken without comparing when the machine is not known", () => {
    put("secrets.yaml", sopsFile(`password: ${ENC}\n`, [ADMIN]));
    assert.deepEqual(secretsProblems(folder), []);
  });

  it("may be in groups and lists, empty, commented, or left readable by their names", () => {
    put(
      "secrets.yaml",
      sopsFile(
        `#${ENC}\ngroup:\n    inner: ${ENC}\nlist:\n    - ${ENC}\n    - two: ${ENC}\nempty: ""\nnothing: null\nnone: []\nport_unencrypted: 80\n`,
      ),
    );
    assert.deepEqual(secretsProblems(folder, MACHINE), []);
  });

  it("are refused in plain text", () => {
    put("secrets.yaml", "password: hunter2\n");
    assert.match(
      problem("secrets.yaml"),
      /^it is not encrypted: SOPS's own block is missing\. Encrypt it with `npm run secrets -- init`/,
    );
  });

  for (const [what, content] of [
    ["a value", `other: ${ENC}\npassword: hunter2\n`],
    ["a text of several lines", "password: |\n    hunter2\n"],
    ["a value in a list", "password:\n    - hunter2\n"],
    ["a comment", `# hunter2\nother: ${ENC}\n`],
    ["a value on the line after its name", "password:\n    hunter2\n"],
  ] as const) {
    it(`are refused when only ${what} is in plain text, without showing it`, () => {
      put("secrets.yaml", sopsFile(content));
      const text = problem("secrets.yaml", MACHINE);
      assert.match(text, /^it holds a value that is not encrypted \(("password"|a line without a name)\)/);
      assert.ok(!text.includes("hunter2"));
    });
  }

  it("are refused when a value was added after SOPS's own block", () => {
    put("secrets.yaml", `${sopsFile(`other: ${ENC}\n`)}password: hunter2\n`);
    assert.match(problem("secrets.yaml"), /"password"/);
  });

  it("are refused when the machine is not among the recipients", () => {
    put("secrets.yaml", sopsFile(`password: ${ENC}\n`, [ADMIN]));
    assert.equal(
      problem("secrets.yaml", MACHINE),
      `the machine cannot open it: it is encrypted for ${ADMIN}, and not for the machine, ${MACHINE}. Run \`npm run secrets -- init --recipient ${MACHINE}\`, and commit.`,
    );
  });

  it("are refused when the machine's key is a recipient in its raw form, with the reason", () => {
    put("secrets.yaml", sopsFile(`password: ${ENC}\n`, [newKey().publicKeyOpenssh.trim()]));
    assert.match(problem("secrets.yaml", MACHINE), /A recipient "ssh-ed25519 …" does not open there/);
  });

  for (const [what, file, text] of [
    ["an SSH key under any name", "notes.txt", `see below\n${newKey().privateKeyOpenssh}`],
    ["an age key", "modules/admin", `# created\n${newAgeIdentity()}\n`],
  ] as const) {
    it(`are refused as ${what}, without showing it`, () => {
      put(file, text);
      const found = problem(file);
      assert.match(found, /^it holds a private key/);
      assert.ok(!/BEGIN|AGE-SECRET/.test(found));
    });
  }

  for (const file of ["id_ed25519", "keys/id_rsa", "admin.age-key", "keys.txt"]) {
    it(`are refused as ${file}, by its name`, () => {
      put(file, "");
      assert.match(problem(file), /^it looks like a private key, by its name/);
    });
  }

  it("are not looked for in git's own folder, nor behind links", () => {
    const outside = fs.mkdtempSync(path.join(os.tmpdir(), "flake-secrets-outside-"));
    fs.writeFileSync(path.join(outside, "id_ed25519"), newKey().privateKeyOpenssh);
    put(".git/objects/id_ed25519", newKey().privateKeyOpenssh);
    fs.symlinkSync(outside, path.join(folder, "result"));
    assert.deepEqual(secretsProblems(folder), []);
    fs.rmSync(outside, { recursive: true });
  });

  it("are reported all at once", () => {
    put("id_ed25519", newKey().privateKeyOpenssh);
    put("secrets.yaml", "password: hunter2\n");
    assert.equal(secretsProblems(folder, MACHINE).length, 2);
  });

  it("does not take a public key, or the words of one, for a private one", () => {
    put("id_ed25519.pub", newKey().publicKeyOpenssh);
    put("check.nix", 'match "-----BEGIN OPENSSH PRIVATE KEY-----" text\n');
    assert.deepEqual(secretsProblems(folder), []);
  });

  it("are refused by the machine's own evaluation as well: the same files", function () {
    requireOrSkip(
      this,
      "nix",
      hasCommand("nix-instantiate"),
      "nix-instantiate is not on PATH (Debian: apt-get install nix-bin)",
    );
    const taken = [
      sopsFile(`password: ${ENC}\n`),
      sopsFile(`g:\n    - a: ${ENC}\n    - ${ENC}\nempty: ""\nport_unencrypted: 80\n`),
    ];
    const refused = [
      "password: hunter2\n",
      sopsFile("password: hunter2\n"),
      sopsFile("password: |\n    hunter2\n"),
      sopsFile("list:\n    - hunter2\n"),
    ];
    taken.forEach((text, index) => put(`taken${index}/secrets.yaml`, text));
    refused.forEach((text, index) => put(`refused${index}/secrets.yaml`, text));
    put("keys/id_ed25519", "");
    put("keys/notes.txt", newKey().privateKeyOpenssh);
    put("keys/age", newAgeIdentity());
    put("keys/id_ed25519.pub", newKey().publicKeyOpenssh);

    const expression = `import ${path.resolve("nix/secretFiles.nix")} ${folder}`;
    const output = execFileSync("nix-instantiate", ["--eval", "--strict", "--json", "--expr", expression], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const byNix = (JSON.parse(output.toString()) as string[]).map((text) => text.split(":")[0]!);
    const byUs = secretsProblems(folder).map((text) => path.relative(folder, text.split(": ")[0]!));
    assert.deepEqual(byUs.sort(), byNix.sort());
    assert.equal(byUs.length, refused.length + 3);
  });
});

describe("the recipients of a SOPS file", () => {
  it("are those of its own block, in their order", () => {
    assert.deepEqual(recipientsOf(sopsFile(`a: ${ENC}\n`, [ADMIN, MACHINE])), [ADMIN, MACHINE]);
  });

  it("are none where there is no such block, whatever else is named so", () => {
    assert.deepEqual(recipientsOf(`x:\n    recipient: ${ADMIN}\n`), []);
  });
});
