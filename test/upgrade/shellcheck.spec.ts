// The programs of the upgrade as nixpkgs' writeShellApplication writes them, before the check with which it refuses to build
// them: one finding there, and no machine gets a system. What it cannot prove: that the shellcheck of nixpkgs, which may be
// of another version, finds nothing else.
import { spawnSync } from "node:child_process";
import assert from "node:assert/strict";
import { evaluateModules, nixMissing } from "../../cli/rehearse/upgrade/evaluate";
import { asPrograms, script } from "../../cli/rehearse/upgrade/programs";
import { requireCommands, requireOrSkip } from "../require";

describe("the programs of the upgrade", () => {
  it("pass the check that they are built with", function () {
    requireCommands(this, "command", "shellcheck");
    const missing = nixMissing();
    requireOrSkip(this, "nix", missing === undefined, missing ?? "");
    const applications = evaluateModules(
      "map (program: program.application) (builtins.attrValues e.config.pulumiNixos.upgrade.programs)",
    ) as { name: string; excludeShellChecks: string[] }[];
    assert.ok(applications.length > 5);
    for (const [at, program] of asPrograms(applications).entries()) {
      const exclude = applications[at]!.excludeShellChecks.flatMap((check) => ["--exclude", check]);
      const input = script(program, {});
      const { status, stdout, stderr } = spawnSync("shellcheck", [...exclude, "-"], { input, encoding: "utf8" });
      assert.equal(status, 0, `${program.name}: ${stdout}${stderr}`);
    }
  });
});
