// Lines as deployments and reports build them. What is shown of strange characters: also test/preview/escaping.spec.ts.
import assert from "node:assert/strict";
import { columns, sanitizeLines, inSeconds, oldAndNew } from "../../components/deploy/text.mjs";

describe("plain text", () => {
  it("keeps the lines of another program and nothing that moves the cursor, colours or hides", () => {
    assert.equal(
      sanitizeLines("\u001b[31mred\u001b[0m\r\n\ttab\rback\u001b[2J\u202eevil"),
      "red\n  tab\\rback\\u{1b}[2J\\u{202e}evil",
    );
  });

  it("puts old and new value below each other, and leaves out what is not there", () => {
    assert.deepEqual(oldAndNew("a", "b", "x: "), ["- x: a", "+ x: b"]);
    assert.deepEqual(oldAndNew(undefined, "b"), ["+ b"]);
    assert.deepEqual(oldAndNew("a", undefined), ["- a"]);
  });

  it("aligns the cells of a table, numbers at their ends, and leaves no space behind", () => {
    assert.deepEqual(
      columns([
        ["1", "create", "1.0 s", "a"],
        ["10", "go", "12.5 s", ""],
      ]),
      [" 1  create   1.0 s  a", "10  go      12.5 s"],
    );
    assert.deepEqual(columns([]), []);
  });

  it("gives seconds with one digit behind the point", () => {
    assert.deepEqual([0, 949, 12_345].map(inSeconds), ["0.0 s", "0.9 s", "12.3 s"]);
  });
});
