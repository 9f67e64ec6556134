/**
 * What is a branch's plain name, wherever one is configured: nix/repository.json and the arguments of components, the
 * option of the NixOS module, and Git itself, over one table. Cannot prove: that GitHub takes each of those names.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { parseRepositoryFile } from "../program/repositoryFile";
import { branchName } from "../components/values/repositoryNames";
import { evaluateModules, nixMissing } from "../cli/rehearse/upgrade/evaluate";
import { requireOrSkip } from "./require";

const { taken, refused } = JSON.parse(readFileSync(path.join(__dirname, "branches.json"), "utf8")) as {
  taken: string[];
  refused: string[];
};

describe("a branch's name", () => {
  for (const branch of taken) {
    it(`is ${branch}`, () => assert.deepEqual(branchName("branch", branch), []));
  }
  for (const branch of refused) {
    it(`is not ${JSON.stringify(branch)}, and is refused in nix/repository.json`, () => {
      assert.equal(branchName("branch", branch).length, 1);
      const file = JSON.stringify({ owner: "octo", name: "server", branch, access: "token" });
      assert.match(parseRepositoryFile(file).problems.join(), /branch: .*plain name/);
    });
  }

  it("that is taken is one for Git too", () => {
    for (const branch of taken) {
      const { status, stdout } = spawnSync("git", ["check-ref-format", "--branch", branch], { encoding: "utf8" });
      assert.deepEqual([status, stdout], [0, `${branch}\n`], branch);
    }
  });

  it("is the same for the module of NixOS", function () {
    const reason = nixMissing();
    requireOrSkip(this, "nix", reason === undefined, reason ?? "");
    // A string of Nix holds no NUL.
    const names = [...taken, ...refused].filter((name) => !name.includes("\0"));
    const check = `map e.options.pulumiNixos.repository.branch.type.check (builtins.fromJSON ${nixText(names)})`;
    assert.deepEqual(
      evaluateModules(check),
      names.map((name) => taken.includes(name)),
    );
  });
});

function nixText(value: unknown): string {
  return `''${JSON.stringify(value).replaceAll("$", "''$")}''`;
}
