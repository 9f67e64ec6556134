/** The lines shown before a file is written. Cannot prove: that people read them. */
import assert from "node:assert/strict";
import { changedLines } from "../../cli/common/difference";

describe("the changed lines", () => {
  for (const [what, before, after, shown] of [
    ["nothing for equal texts", "a\nb\n", "a\nb\n", ""],
    ["all of a new file", "", "a\nb\n", "  + a\n  + b"],
    ["all of a file that goes", "a\n", "", "  - a"],
    ["one line in the middle", "a\nb\nc\n", "a\nx\nc\n", "  - b\n  + x"],
    ["a line at the end", "a\n", "a\nb\n", "  + b"],
    ["a line that comes back elsewhere", "a\nb\na\n", "b\na\na\n", "  - a\n  + a"],
  ] as const) {
    it(`are ${what}`, () => {
      assert.equal(changedLines(before, after), shown);
    });
  }
});
