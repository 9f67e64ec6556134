/**
 * One table of files (searchCases.ts) through both searches of a flake's folder: the deployment program's, and
 * nix/secretFiles.nix by a real Nix, which guards the evaluation. What is encrypted in it, the real sops encrypted.
 * Cannot prove: that a file of a form that nobody thought of is found.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { newAgeIdentity, recipientOfIdentity } from "../../components/keys/age";
import { readableNames, secretsProblems } from "../../components/deploy/flakeSecrets.mjs";
import { flakeFolder, nixInstantiate, nixMissing } from "../../cli/rehearse/upgrade/evaluate";
import { requireOrSkip } from "../require";
import { hasCommand } from "../../cli/rehearse/commands";
import { newKey } from "../../cli/rehearse/keys";
import { encrypted, type SearchCase, sopsCases, TEXT_CASES } from "./searchCases";

describe("the searches of a flake's folder for secrets", function () {
  let root: string;

  before(() => {
    root = fs.mkdtempSync(path.join(os.tmpdir(), "search-"));
  });
  after(() => fs.rmSync(root, { recursive: true }));

  /** The flake's folder of a project with this file in it. */
  function folderWith({ file, content, beside = {} }: SearchCase): string {
    const folder = path.join(fs.mkdtempSync(path.join(root, "project-")), "nix");
    for (const [name, text] of Object.entries({ "flake.nix": "{ }\n", ...beside, [file]: content })) {
      const place = path.join(folder, name);
      fs.mkdirSync(path.dirname(place), { recursive: true });
      fs.writeFileSync(place, text);
    }
    return folder;
  }

  /** The cases that a search judges wrongly, with what it said. */
  function wrong(cases: SearchCase[], found: string[][]): string[] {
    assert.equal(found.length, cases.length);
    return cases.flatMap(({ what, file, refused }, at) => {
      const problems = found[at]!;
      const right = refused
        ? problems.length === 1 && problems[0]!.startsWith(`${file}: `) && !problems[0]!.includes("hunter2")
        : problems.length === 0;
      return right
        ? []
        : [`${what} (${file}), ${refused ? "to be refused" : "to be taken"}: ${problems.join("; ") || "nothing"}`];
    });
  }

  const byProgram = (cases: SearchCase[]) =>
    cases.map((one) => {
      const folder = folderWith(one);
      return secretsProblems(folder).map((problem) => problem.slice(folder.length + 1));
    });

  function byNix(cases: SearchCase[]): string[][] {
    const folders = cases.map(folderWith);
    const { status, stdout, stderr } = nixInstantiate(
      `map (import ${flakeFolder}/secretFiles.nix) [ ${folders.join(" ")} ]`,
    );
    assert.equal(status, 0, stderr);
    return JSON.parse(stdout) as string[][];
  }

  const needsNix = (context: Mocha.Context) =>
    requireOrSkip(context, "nix", nixMissing() === undefined, nixMissing() ?? "");
  const needsSops = (context: Mocha.Context) =>
    requireOrSkip(context, "sops", hasCommand("sops"), "sops is not on PATH (.ci/install-sops.sh builds it)");

  it("use the same forms", () => {
    assert.equal(
      fs.readFileSync(path.join(flakeFolder, "secretForms.json"), "utf8"),
      fs.readFileSync("components/deploy/secretForms.json", "utf8"),
    );
  });

  // Fault 91
  it("find keys, tokens and passwords in every file, and nothing in what only looks like them: the program", () => {
    assert.deepEqual(wrong(TEXT_CASES, byProgram(TEXT_CASES)), []);
  });

  it("find the same: Nix", function () {
    needsNix(this);
    const cases = TEXT_CASES.filter(({ notForNix }) => notForNix !== true);
    assert.ok(cases.length > TEXT_CASES.length - 5);
    assert.deepEqual(wrong(cases, byNix(cases)), []);
  });

  // Fault 92
  it("take what sops encrypted, in each of its formats, and refuse one plain value in it: the program", function () {
    needsSops(this);
    const cases = sopsCases();
    assert.deepEqual(wrong(cases, byProgram(cases)), []);
  });

  it("take and refuse the same: Nix", function () {
    needsNix(this);
    needsSops(this);
    const cases = sopsCases();
    assert.deepEqual(wrong(cases, byNix(cases)), []);
  });

  it("run as a program, for checks that come before Nix, with an exit code", () => {
    const search = (folder: string) =>
      spawnSync(process.execPath, ["components/deploy/flakeSecrets.mjs", folder], { encoding: "utf8" });
    const [bad, good] = [TEXT_CASES.find(({ refused }) => refused)!, TEXT_CASES.find(({ refused }) => !refused)!];
    const refused = search(folderWith(bad));
    assert.deepEqual([refused.status, refused.stdout], [1, ""]);
    assert.match(refused.stderr, /backup\.bak: it holds a private key/);
    assert.equal(search(folderWith(good)).status, 0);
  });

  it("name what is left readable by its name, without refusing it", function () {
    needsSops(this);
    const text = encrypted("x.yaml", "a: b\nport_unencrypted: 80\n");
    const folder = folderWith({ what: "", file: "secrets.yaml", content: text, refused: false });
    assert.deepEqual(readableNames(folder), [`${path.join(folder, "secrets.yaml")}: port_unencrypted`]);
    assert.deepEqual(secretsProblems(folder), []);
  });

  for (const ending of ["yaml", "json", "env", "ini"]) {
    it(`know from secrets.${ending} whether the machine can open it, in key groups as well`, function () {
      needsSops(this);
      const text = { yaml: "a: b\n", json: '{"a":"b"}', env: "A=b\n", ini: "[x]\na=b\n" }[ending]!;
      const [machine, admin] = [0, 1].map(() => recipientOfIdentity(newAgeIdentity())) as [string, string];
      const problems = (rule: string) => {
        const content = encryptedUnder(`x.${ending}`, text, rule);
        return secretsProblems(folderWith({ what: "", file: `secrets.${ending}`, content, refused: false }), machine);
      };
      assert.deepEqual(problems(`age: "${admin},${machine}"`), []);
      assert.match(problems(`age: ${admin}`).join(), /the machine cannot open it: it is encrypted for age1/);
      const two = (one: string, other: string) => `key_groups: [{ age: [${one}] }, { age: [${other}] }]`;
      assert.match(
        problems(two(admin, machine)).join(),
        /for 2 key groups, of which 2 are needed together, and the machine, .*, is in 1/,
      );
      assert.deepEqual(problems(two(`${admin}, ${machine}`, machine)), []);
    });
  }

  it("names a file whose name is no text, and does not end on it", () => {
    const folder = folderWith({ what: "", file: "flake.nix", content: "{ }", refused: false });
    fs.writeFileSync(Buffer.concat([Buffer.from(`${folder}/b`), Buffer.from([0xe9])]), "x");
    const [problem = "", ...others] = secretsProblems(folder);
    assert.match(problem, /its name is not UTF-8, .* Rename it\.$/);
    assert.deepEqual(others, []);
    assert.deepEqual(readableNames(folder), []);
  });

  describe("in a flake", () => {
    const LOCKED = Buffer.concat([Buffer.from("\0GITCRYPT\0"), Buffer.alloc(200, 7)]);

    /** What Nix's search finds in a flake in the folder nix/ of a project, by a reference to it. */
    function found(reference: (project: string) => string, files: Record<string, string | Buffer>): string[] {
      const folder = folderWith({
        what: "",
        file: "flake.nix",
        content: "{ outputs = _: { found = import ./secretFiles.nix ./.; }; }",
        refused: false,
      });
      const project = path.dirname(folder);
      for (const name of ["secretFiles.nix", "secretForms.json"])
        fs.copyFileSync(path.join(flakeFolder, name), path.join(folder, name));
      for (const [name, content] of Object.entries(files)) fs.writeFileSync(path.join(project, name), content);
      const git = (...args: string[]) =>
        execFileSync("git", ["-C", project, "-c", "filter.git-crypt.clean=cat", ...args]);
      git("init", "--quiet");
      git("add", "--all");
      const { status, stdout, stderr } = spawnSync("nix", ["eval", "--json", `${reference(project)}#found`], {
        encoding: "utf8",
        env: { ...process.env, NIX_CONFIG: "experimental-features = nix-command flakes\nbuild-users-group =" },
      });
      assert.equal(status, 0, stderr);
      return (JSON.parse(stdout) as string[]).map((problem) => problem.split(":")[0]!);
    }
    const alone = (project: string) => `path:${project}/nix`;
    const whole = (project: string) => `git+file://${project}?dir=nix`;

    // Fault 97
    it("leave out what git-crypt locked, with and without the rest of the repository", function () {
      needsNix(this);
      const files = { ".gitattributes": "nix/vars.json filter=git-crypt diff=git-crypt\n", "nix/vars.json": LOCKED };
      assert.deepEqual(found(alone, files), []);
      assert.deepEqual(found(whole, files), []);
    });

    it("know the project's rules from the whole repository; of the folder alone, what is surely text", function () {
      needsNix(this);
      const files = {
        ".sops.yaml": "creation_rules:\n  - path_regex: nix/vault\\.json$\n",
        "nix/vault.json": "{}",
        "nix/backup.bak": newKey().privateKeyOpenssh,
      };
      assert.deepEqual(found(alone, files), ["backup.bak"]);
      assert.deepEqual(found(whole, files), ["backup.bak", "vault.json"]);
    });
  });
});

function encryptedUnder(name: string, text: string, rule: string): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "sops-groups-"));
  try {
    const config = path.join(folder, ".sops.yaml");
    fs.writeFileSync(config, `creation_rules:\n  - ${rule}\n`);
    const args = ["--config", config, "encrypt", "--filename-override", path.join(folder, name)];
    return execFileSync("sops", args, { input: text }).toString();
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}
