/**
 * One table of files (searchCases.ts) through both searches of a flake's folder: the deployment program's, and
 * nix/secretFiles.nix by a real Nix, which guards the evaluation. What is encrypted in it, the real sops encrypted.
 * Cannot prove: that a file of a form that nobody thought of is found.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { secretsProblems } from "../../components/deploy/flakeSecrets.mjs";
import { flakeFolder, nixInstantiate, nixMissing } from "../nix/evaluate";
import { requireOrSkip } from "../require";
import { hasCommand } from "../support/commands";
import { type SearchCase, sopsCases, TEXT_CASES } from "./searchCases";

describe("the searches of a flake's folder for secrets", function () {
  this.timeout(300_000);
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

  // Fault 170
  it("find keys, tokens and passwords in every file, and nothing in what only looks like them: the program", () => {
    assert.deepEqual(wrong(TEXT_CASES, byProgram(TEXT_CASES)), []);
  });

  it("find the same: Nix", function () {
    needsNix(this);
    const cases = TEXT_CASES.filter(({ notForNix }) => notForNix !== true);
    assert.ok(cases.length > TEXT_CASES.length - 5);
    assert.deepEqual(wrong(cases, byNix(cases)), []);
  });

  // Fault 171
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

  it("name a file that Nix cannot read, and the way out", function () {
    needsNix(this);
    const folder = folderWith(TEXT_CASES.find(({ what, notForNix }) => notForNix && /git-crypt/.test(what))!);
    const { status, stderr } = nixInstantiate(`import ${flakeFolder}/secretFiles.nix ${folder}`);
    assert.equal(status, 1);
    assert.match(stderr, /vars\.json/);
  });
});
