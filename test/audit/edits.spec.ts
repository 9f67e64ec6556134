/**
 * Every key of the configuration beside the edits of the engine's suite. Cannot prove: what an edit changes; the suite
 * does, where there is an engine.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { CONFIG_KEYS } from "../../program/configKeys";
import { INTEGRATION } from "../engine/edits/integration";
import { MACHINE } from "../engine/edits/machine";
import { DEPLOYMENT, REPOSITORY } from "../engine/edits/repository";

/** Keys that are set before the first update or not at all, with the tests that set them. */
const BEFORE_THE_FIRST_UPDATE: Record<string, string> = {
  adoptedKey: "test/engine/fromTerraform.spec.ts",
  adoptedHostKey: "test/engine/fromTerraform.spec.ts",
};

describe("the edits of the engine's suite", () => {
  const edits = [MACHINE, REPOSITORY, DEPLOYMENT, INTEGRATION].flat();
  const edited = new Set(edits.flatMap(({ configure = {} }) => Object.keys(configure)));

  it("change every key of the configuration, and none that it does not have", () => {
    const elsewhere = Object.keys(BEFORE_THE_FIRST_UPDATE);
    assert.deepEqual([...edited, ...elsewhere].sort(), Object.keys(CONFIG_KEYS).sort());
  });

  for (const [key, file] of Object.entries(BEFORE_THE_FIRST_UPDATE)) {
    it(`leave ${key} to ${file}`, () => assert.ok(existsSync(file) && readFileSync(file, "utf8").includes(key)));
  }

  it("say what they edit, each once", () => {
    const named = edits.map(({ what }) => what);
    assert.deepEqual(named, [...new Set(named)]);
  });
});
