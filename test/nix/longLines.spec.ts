// The search of nix/secretFiles.nix, which guards every merge, on lines without end: Nix's regular expressions take the
// square of the time or more where a careless pattern lets them. A limit of the processor's time, and not of the clock.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { requireOrSkip } from "../require";
import { flakeFolder, nixMissing } from "../../cli/rehearse/upgrade/evaluate";

describe("the search for secrets, by Nix, in a line without end", () => {
  let folder: string;
  before(function () {
    requireOrSkip(this, "nix", nixMissing() === undefined, nixMissing() ?? "");
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "long-lines-"));
  });
  after(() => folder && fs.rmSync(folder, { recursive: true }));

  for (const part of [" ", "\t", "- ", "a", ":", "a:", " :", "- a:", "ENC[", '"', "[", "_unencrypted"]) {
    it(`ends in time: ${JSON.stringify(part)}`, () => {
      const line = part.repeat(60_000 / part.length);
      fs.writeFileSync(
        path.join(folder, "secrets.yaml"),
        `a: x\n${line}x\nb:${line}\nsops:\n    mac: ENC[AES256_GCM,x]\n`,
      );
      fs.writeFileSync(path.join(folder, "other.yaml"), `${line}\n`);
      const expression = `import ${path.join(flakeFolder, "secretFiles.nix")} (/. + ${JSON.stringify(folder)})`;
      const script = 'ulimit -t 60; exec nix-instantiate --eval --strict --expr "$1"';
      const { status, stdout, stderr } = spawnSync("bash", ["-c", script, "bash", expression], { encoding: "utf8" });
      assert.equal(status, 0, stderr);
      assert.match(stdout, /secrets\.yaml: it holds a value that is not encrypted/);
    });
  }
});
