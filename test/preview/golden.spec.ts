/**
 * Compares whole comments with golden/*.md, which are read and looked at (docs/previews.md shows five of them as
 * pictures). `UPDATE_GOLDEN=1` writes them anew. What the machine's packages would be is made up here: see
 * packages.spec.ts and system/packages.spec.ts for where that comes from.
 */
import * as assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import type { PackageComparison } from "../../cli/preview/packages";
import { readPreview } from "../../cli/preview/read";
import { previewReport } from "../../cli/preview/report";
import { toMarkdown } from "../../cli/render/markdown";
import { toTerminal } from "../../cli/render/terminal";
import { RECORDINGS, recordedDigest, recordedEvents } from "./recordings";

const RUN = { url: "https://github.com/example/server/actions/runs/1", commit: "0123456789abcdef" };

const COMPARISONS = new Map<string, PackageComparison>([
  [
    "nixos-deployment",
    { kind: "compared", basis: "derivations", added: [], removed: [], bumped: [], units: ["nginx.service"] },
  ],
]);

function comment(text: string): string {
  return toMarkdown(previewReport(readPreview(text), COMPARISONS, RUN));
}

function assertGolden(name: string, actual: string): void {
  const file = path.join(__dirname, "golden", name);
  if (process.env["UPDATE_GOLDEN"] !== undefined) writeFileSync(file, actual);
  assert.equal(actual, readFileSync(file, "utf8"));
}

/** Both formats tell the same, but not in the same order. */
function sortedLines(text: string): string[] {
  return text.split("\n").sort();
}

describe("the comment of a recorded preview", () => {
  for (const name of RECORDINGS) {
    it(`is the golden one: ${name}`, () => assertGolden(`${name}.md`, comment(recordedDigest(name))));

    it(`says the same from the engine's events: ${name}`, () => {
      assert.deepEqual(sortedLines(comment(recordedEvents(name))), sortedLines(comment(recordedDigest(name))));
    });
  }

  it("is the golden one: policies", () => assertGolden("policies.md", comment(recordedEvents("policies"))));

  it("is the same text in a terminal", () => {
    const report = previewReport(readPreview(recordedDigest("replace")), COMPARISONS, RUN);
    assertGolden("replace.txt", toTerminal(report, { colours: false }));
  });
});
