/** How findings of scanners and the list of accepted ones are compared. Cannot prove: that a scanner finds anything. */
import assert from "node:assert/strict";
import { type Accepted, type Finding, problems } from "./findings";

const finding: Finding = { scanner: "gitleaks", rule: "generic-api-key", file: "a/b.ts", line: 7, text: "key = 12345" };
const accepted: Accepted = {
  scanner: "gitleaks",
  rule: "generic-api-key",
  files: "a/*",
  text: "12345",
  reason: "It is the number of a test.",
};

describe("accepted findings", () => {
  it("accept what matches in scanner, rule, file and text", () => {
    assert.deepEqual(problems([finding], [accepted]), []);
  });

  for (const [part, value] of Object.entries({ scanner: "zizmor", rule: "other", file: "c.ts", text: "key = 6789" })) {
    it(`do not accept another ${part}, and are stale then`, () => {
      const found = problems([{ ...finding, [part]: value }], [accepted]);
      assert.equal(found.length, 2);
      assert.match(found[0]!, /reports/);
      assert.match(found[1]!, /no longer found/);
    });
  }

  it("take a dot in a file's name for a dot", () => {
    assert.equal(problems([{ ...finding, file: "abXts" }], [{ ...accepted, files: "ab.ts" }]).length, 2);
  });

  it("need a reason", () => {
    assert.deepEqual(problems([finding], [{ ...accepted, reason: " " }]), [
      "no reason is given for gitleaks generic-api-key in a/*",
    ]);
  });

  it("never print what was found", () => {
    assert.ok(!problems([finding], []).join().includes("12345"));
  });
});
