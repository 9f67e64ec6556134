// What the report says of skipped tests: each counted once under one reason, whatever it was skipped from, and in
// parallel too.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { output } from "../../cli/rehearse/processes";

const REQUIRE = JSON.stringify(path.resolve(__dirname, "../require"));

/** Suites that skip from every place there is. */
const SPEC = `
import { requireOrSkip } from ${REQUIRE};
describe("a suite", () => {
  before(function () { requireOrSkip(this, "nix", false, "no Nix\\nat all"); });
  it("one", () => {});
  it("two", () => {});
  describe("with another", () => {
    it("three", () => {});
    it("four", function () { this.skip(); });
  });
});
describe("a suite that runs", () => {
  it("passes", () => {});
  it("skips itself", function () { requireOrSkip(this, "sops", false, "no sops"); });
  it("skips itself too", function () { requireOrSkip(this, "sops", false, "no sops"); });
  describe("around one that does not", () => {
    before(function () { requireOrSkip(this, "go", false, "no Go"); });
    it("five", () => {});
  });
  describe("around one whose tests do not", () => {
    beforeEach(function () { requireOrSkip(this, "python", false, "no Python"); });
    it("six", () => {});
    it("seven", () => {});
  });
  it("gives no reason", function () { this.skip(); });
  it.skip("is switched off");
});
`;

const REASONS = {
  "nix: no Nix at all": 4,
  "sops: no sops": 2,
  "go: no Go": 1,
  "python: no Python": 2,
  "a reason: a suite that runs gives no reason": 1,
  "a reason: a suite that runs is switched off": 1,
};

describe("the report of the tests", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "reporter-spec-"));
    writeFileSync(path.join(folder, "skips.spec.ts"), SPEC);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  for (const parallel of [false, true]) {
    it(`gives reasons that add up to the tests that were skipped${parallel ? ", in parallel too" : ""}`, async () => {
      const counts = path.join(folder, "counts.json");
      const mocha = path.join(path.dirname(require.resolve("mocha/package.json")), "bin/mocha.js");
      const args = ["--no-config", "--require", "tsx/cjs", "--reporter", path.resolve(__dirname, "reporter.cjs")];
      const printed = await output(
        process.execPath,
        [mocha, ...args, ...(parallel ? ["--parallel"] : []), path.join(folder, "skips.spec.ts")],
        { env: { ...process.env, REQUIRE: "", MOCHA_COUNTS: counts } },
      );
      const lines = printed.split("\n");
      assert.equal(lines.at(-1), "1 passed, 0 failed, 11 skipped");
      assert.deepEqual(
        lines.filter((line) => line.startsWith("skipped for want of ")).sort(),
        Object.entries(REASONS)
          .map(([reason, count]) => `skipped for want of ${reason} (${count})`)
          .sort(),
      );
      const told = JSON.parse(readFileSync(counts, "utf8")) as { reasons: Record<string, number> };
      assert.deepEqual(told, { passed: 1, failed: 0, skipped: 11, standIns: 0, reasons: REASONS, failures: [] });
    });
  }
});
