/**
 * A project that is made as `pulumi new` makes it, without Pulumi: every file copied, another name, no template section.
 * Cannot prove: that Pulumi does it so (test/engine/template.spec.ts has the real one make it).
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { parseDocument } from "yaml";
import { requireCommands } from "../require";
import { exportRepository, rehearse } from "../support/template";

describe("a project made from the template", () => {
  let folder: string;
  before(function () {
    requireCommands(this, "git", "git");
    folder = realpathSync(mkdtempSync(path.join(tmpdir(), "template-")));
  });
  after(() => folder && rmSync(folder, { recursive: true, force: true }));

  it("rehearses under its own name", async () => {
    const project = path.join(folder, "my-server");
    exportRepository(project);
    const file = path.join(project, "Pulumi.yaml");
    const document = parseDocument(readFileSync(file, "utf8"));
    document.set("name", "my-server");
    document.delete("template");
    // What `pulumi new` adds, among the keys that the program knows.
    document.setIn(["config", "pulumi:tags"], { value: { "pulumi:template": "https://example.com/template" } });
    writeFileSync(file, document.toString());
    const { code, stdout, stderr } = await rehearse(project, folder);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /^\d+ held, /m);
  });
});
