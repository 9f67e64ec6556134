// What the evaluation refuses in the flake's folder: nix/secretFiles.nix by a real Nix.
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { makeKeyPair } from "../../cli/rehearse/machine/keys";
import { requireOrSkip } from "../require";
import { flakeFolder, nixInstantiate, nixMissing } from "../../cli/rehearse/upgrade/evaluate";

const block = `sops:
    age:
        - recipient: age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq
          enc: |
            -----BEGIN AGE ENCRYPTED FILE-----
            YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOQ==
            -----END AGE ENCRYPTED FILE-----
    lastmodified: "2026-01-01T00:00:00Z"
    mac: ENC[AES256_GCM,data:AAAA,iv:AAAA,tag:AAAA,type:str]
    version: 3.10.2
`;
const encrypted = "ENC[AES256_GCM,data:AAAA,iv:AAAA,tag:AAAA,type:str]";

describe("secrets in the flake's folder", () => {
  let folder: string;
  before(function () {
    requireOrSkip(this, "nix", nixMissing() === undefined, nixMissing() ?? "");
  });
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "secret-files-"));
  });
  afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

  function problems(files: Record<string, string | Buffer>): string[] {
    for (const [name, content] of Object.entries(files)) {
      fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
      fs.writeFileSync(path.join(folder, name), content);
    }
    const { status, stdout, stderr } = nixInstantiate(`import ${flakeFolder}/secretFiles.nix ${folder}`);
    assert.equal(status, 0, stderr);
    return JSON.parse(stdout) as string[];
  }

  it("are not there in the flake as it comes", () => {
    const { stdout } = nixInstantiate(`import ${flakeFolder}/secretFiles.nix ${flakeFolder}`);
    assert.deepEqual(JSON.parse(stdout), []);
  });

  it("may be there encrypted: values, lists, maps, comments, empty and openly named ones", () => {
    assert.deepEqual(
      problems({
        "secrets.yaml": `github-access-token: ${encrypted}
#${encrypted}
database:
    password: ${encrypted}
    hosts:
        - ${encrypted}
        - name: ${encrypted}
    nothing: ""
    none: null
region_unencrypted: eu-west-1
${block}`,
        "www/logo.png": Buffer.from([0x89, 0x50, 0, 1, 2]),
      }),
      [],
    );
  });

  for (const [what, content] of Object.entries({
    "nothing encrypted": "token: abc\n",
    "one value left in plain text": `token: ${encrypted}\nother: abc\n${block}`,
    "a list entry left in plain text": `tokens:\n    - ${encrypted}\n    - abc\n${block}`,
    "a text over several lines": `token: |\n    abc\n${block}`,
    "an empty file": "",
  })) {
    it(`are refused with ${what}, without showing a value`, () => {
      const [problem = "", ...more] = problems({ "secrets.yaml": content });
      assert.match(problem, /^secrets\.yaml: .*(npm run secrets|out of the folder)/);
      assert.deepEqual(more, []);
      assert.doesNotMatch(problem, /ghp_|"abc"|: abc/);
    });
  }

  it("are refused as key files, by name and by content, in any folder", async () => {
    const { privateKey, publicKey } = await makeKeyPair(folder);
    const found = problems({
      "keys/id_ed25519": "",
      "notes.txt": `before\n${privateKey}`,
      "deploy/secret-of-age.txt": `AGE-SECRET-KEY-1${"Q".repeat(58)}\n`,
      "machine.age-key": "",
      "public.pub": publicKey,
    });
    assert.deepEqual(
      found.map((problem) => problem.split(":")[0]),
      ["deploy/secret-of-age.txt", "keys/id_ed25519", "machine.age-key", "notes.txt"],
    );
  });

  it("are looked for in large files too", async () => {
    const { privateKey } = await makeKeyPair(folder);
    const large = "x".repeat(2_000_000);
    const sops = `page: ENC[AES256_GCM,data:${"A".repeat(2_000_000)},iv:AAAA,tag:AAAA,type:str]\n${block}`;
    assert.deepEqual(problems({ "www/app.js": large, "secrets.yaml": sops }), []);
    fs.rmSync(path.join(folder, "secrets.yaml"));
    const found = problems({ "www/app.js": large + privateKey, "secrets.yaml": `page: ${large}\n${block}` });
    assert.deepEqual(
      found.map((problem) => problem.split(":")[0]),
      ["secrets.yaml", "www/app.js"],
    );
  });
});
