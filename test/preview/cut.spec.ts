import * as assert from "node:assert/strict";
import fc from "fast-check";
import { readPreview } from "../../cli/preview/read";
import { previewReport } from "../../cli/preview/report";
import { GITHUB_LIMIT, toMarkdown } from "../../cli/render/markdown";
import { code, fold, type Item, lines, paragraph, type Report, text } from "../../cli/render/document";
import { digestOf, step } from "./builders";

const LIMIT = 2000;

function itemOf(name: string, size: number): Item {
  const line = paragraph(code(name));
  return {
    blocks: [line, fold([text("values")], lines("diff", Array<string>(size).fill("+ value")))],
    brief: [line],
    label: "updated",
  };
}

const report = fc
  .array(fc.tuple(fc.string({ minLength: 1, maxLength: 30 }), fc.nat(60)), { maxLength: 80 })
  .map((all): Report => ({
    head: [paragraph(text("head"))],
    parts: [{ title: [text("Updated")], items: all.map(([name, size], at) => itemOf(`item-${at}-${name}`, size)) }],
    foot: [paragraph(text("foot"))],
  }));

describe("a comment that would be too long", () => {
  it("stays under the limit, whole, and counts what is left out", () => {
    fc.assert(
      fc.property(report, (whole) => {
        const printed = toMarkdown(whole, LIMIT);
        assert.ok(printed.length <= LIMIT, `${printed.length} characters`);
        assert.ok(printed.startsWith("head\n") && printed.endsWith("\nfoot\n"));
        const number = (pattern: RegExp) => (printed.match(pattern) ?? []).length;
        assert.equal(number(/^<details>/gm), number(/^<\/details>$/gm));
        assert.equal(number(/^```diff$/gm), number(/^```$/gm));
        const shown = number(/^`+ ?item-\d+-/gm);
        const leftOut = Number(/\*\*Not shown: (\d+) updated\.\*\*/.exec(printed)?.[1] ?? 0);
        assert.equal(shown + leftOut, whole.parts[0]!.items.length);
      }),
    );
  });

  it("leaves nothing out when there is room", () => {
    fc.assert(
      fc.property(report, (whole) => {
        assert.doesNotMatch(toMarkdown(whole, 1_000_000), /Not shown/);
      }),
    );
  });

  it("shows all of them briefly before it shows one of them in full", () => {
    const items = Array.from({ length: 20 }, (_, at) => itemOf(`item-${at}-`, 50));
    const printed = toMarkdown({ head: [], parts: [{ title: undefined, items }], foot: [] }, LIMIT);
    assert.equal(printed.match(/^`item-/gm)?.length, 20);
    assert.match(printed, /<details>/);
    assert.doesNotMatch(printed, /Not shown/);
  });

  it("shows replacements of 2,000 changes before anything else, within GitHub's limit", () => {
    const steps = Array.from({ length: 2000 }, (_, at) =>
      step(at === 1999 ? "replace" : "update", `bucket-${at}`, {
        before: { value: "a".repeat(200) },
        after: { value: "b".repeat(200) },
        replaceReasons: at === 1999 ? ["value"] : [],
      }),
    );
    const printed = toMarkdown(previewReport(readPreview(digestOf(steps))));
    assert.ok(printed.length <= GITHUB_LIMIT);
    assert.match(printed, /^### ⚠️ `project\/stack`: 1 replaced, 1,999 updated$/m);
    assert.match(printed, /<b>Replaced<\/b>: <code>bucket-1999<\/code>/);
    const shown = printed.match(/<code>bucket-\d+<\/code>|`bucket-\d+`/g)!.length;
    assert.match(printed, new RegExp(`Not shown: ${(2000 - shown).toLocaleString("en-US")} updated`));
  });

  it("cuts a value of a megabyte, with a count", () => {
    const value = "x".repeat(1_000_000);
    const steps = [step("update", "bucket", { before: { value: `${value}a` }, after: { value: `${value}b` } })];
    const printed = toMarkdown(previewReport(readPreview(digestOf(steps))));
    assert.ok(printed.length < 2000, `${printed.length} characters`);
    // The two differ only at their ends, and that is what is shown.
    assert.match(printed, /`…x+a"` → `…x+b"`/);
  });

  it("looks at each item equally often, however many there are", () => {
    const looks = (size: number): number => {
      let number = 0;
      const items = Array.from({ length: size }, (_, at): Item => {
        const item = itemOf(`item-${at}`, 3);
        return {
          label: item.label,
          get brief() {
            number++;
            return item.brief;
          },
          get blocks() {
            number++;
            return item.blocks;
          },
        };
      });
      toMarkdown({ head: [], parts: [{ title: undefined, items }], foot: [] }, 10_000_000);
      return number / size;
    };
    assert.equal(looks(2000), looks(20));
  });

  it("has room for all errors that are shown, however long they are", () => {
    const message = (at: number) => `error: number ${at}\n${`${"\u202e".repeat(1000)}\n`.repeat(500)}`;
    const errors = Array.from({ length: 9 }, (_, at) => ({ severity: "error", message: message(at) }));
    const printed = toMarkdown(previewReport(readPreview(digestOf([], errors))));
    assert.ok(printed.length <= GITHUB_LIMIT);
    assert.equal(printed.match(/The whole message/g)?.length, 5);
    assert.match(printed, /and 4 more errors/);
  });
});
