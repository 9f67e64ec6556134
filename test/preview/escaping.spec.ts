/**
 * Names, values and messages come from strangers (a pull request from a fork names resources as it likes). Whatever
 * they are, they must stay literal text inside code. Proved with a general Markdown library's reading, not GitHub's own.
 */
import * as assert from "node:assert/strict";
import fc from "fast-check";
import { marked, type Token, type Tokens } from "marked";
import { code, fold, lines, notice, paragraph, type Report, strong, text } from "../../cli/render/document";
import { toMarkdown } from "../../cli/render/markdown";
import { escapeInvisible } from "../../cli/render/text";
import { toTerminal } from "../../cli/render/terminal";

const NASTY = [
  "`", "``", "```", "````", "~~~", "\n", "\r", "\n\n", "\t", " ", "@", "@octocat", "#1", "<", ">", "</details>", "</code>",
  "</summary>", "<!--", "-->", "<script>alert(1)</script>", "![x](https://example.org/x.png)", "[x](javascript:alert(1))",
  "https://example.org", "www.example.org", "|", "|-|", "\\", "*", "_", "&", "&lt;", "&#64;", "- ", "+ ", "> ", "# ", ":+1:",
  "\u001b[31m", "\u001b]8;;https://example.org\u0007", "\u0007", "\u0000", "\u202e", "\u2066", "\u200b", "\u200f",
  "\ufeff", "\ud800", "\u{e0041}", "é", "漢", "🙂",
]; // prettier-ignore

const hostile = fc.oneof(
  fc
    .array(fc.oneof(fc.constantFrom(...NASTY), fc.string({ unit: "binary", maxLength: 4 })), { maxLength: 12 })
    .map((all) => all.join("")),
  fc.string({ unit: "grapheme" }),
);

function reportOf(blocks: Report["head"]): Report {
  return { head: blocks, parts: [], foot: [paragraph(text("end"))] };
}

/** All tokens of a text, however deep. */
function tokensOf(markdown: string): Token[] {
  const found: Token[] = [];
  void marked.walkTokens(marked.lexer(markdown), (token) => void found.push(token));
  return found;
}

/** Entities undone, as a browser shows them. */
function shown(html: string): string {
  return html
    .replace(/<[^>]*>/g, "")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&");
}

// eslint-disable-next-line no-control-regex
const UNSEEN = /[\0-\t\v-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/;

describe("a hostile value in a comment", () => {
  it("stays one code span, literally", () => {
    fc.assert(
      fc.property(hostile, (value) => {
        const tokens = tokensOf(toMarkdown(reportOf([paragraph(text("before "), code(value), text(" after"))])));
        const types = tokens.map(({ type }) => type);
        assert.deepEqual(types, ["paragraph", "text", "codespan", "text", "space", "paragraph", "text"]);
        assert.equal((tokens[2] as Tokens.Codespan).text, value === "" ? " " : escapeInvisible(value));
      }),
    );
  });

  it("stays one block of code, line by line", () => {
    fc.assert(
      fc.property(fc.array(hostile, { minLength: 1, maxLength: 5 }), (values) => {
        const tokens = tokensOf(toMarkdown(reportOf([lines("diff", values)])));
        assert.deepEqual(
          tokens.map(({ type }) => type),
          ["code", "space", "paragraph", "text"],
        );
        // The library treats empty lines at the end differently.
        const withoutLast = (all: string) => all.replace(/\n+$/, "");
        assert.equal(withoutLast((tokens[0] as Tokens.Code).text), withoutLast(values.map(escapeInvisible).join("\n")));
      }),
    );
  });

  it("stays code in a summary, where Markdown is not read but HTML is", () => {
    fc.assert(
      fc.property(hostile, (value) => {
        const markdown = toMarkdown(reportOf([fold([text("a "), code(value)], paragraph(text("inside")))]));
        const [summary = ""] = markdown.split("\n");
        const inner = /^<details><summary>a <code>(.*)<\/code><\/summary>$/.exec(summary)?.[1];
        assert.ok(inner !== undefined, summary);
        assert.doesNotMatch(inner, /[<>"]/);
        assert.equal(shown(inner).replaceAll("\u2060", ""), escapeInvisible(value).replaceAll("\u2060", ""));
      }),
    );
  });

  it("makes no link, picture, mention or tag even where only our own words belong", () => {
    fc.assert(
      fc.property(hostile, (value) => {
        const report = reportOf([paragraph(text(`x ${value}`)), notice(strong(`x ${value}`))]);
        const markdown = toMarkdown(report);
        const types = new Set(tokensOf(markdown).map(({ type }) => type));
        const allowed = ["paragraph", "text", "space", "escape", "blockquote", "strong", "html"];
        assert.deepEqual(
          [...types].filter((type) => !allowed.includes(type)),
          [],
        );
        const html = marked.parse(markdown, { async: false });
        assert.doesNotMatch(html.replace(/<\/?(?:p|blockquote|strong)>/g, ""), /</);
        assert.doesNotMatch(shown(html), /@\w|#\d/);
      }),
    );
  });

  it("leaves no character that one does not see, in either form", () => {
    fc.assert(
      fc.property(hostile, (value) => {
        const report = reportOf([paragraph(code(value)), fold([code(value)], lines("text", [value]))]);
        for (const printed of [toMarkdown(report), toTerminal(report, { colours: false })]) {
          assert.doesNotMatch(printed.replaceAll("\u2060", ""), UNSEEN);
        }
      }),
    );
  });

  it("shows what it was", () => {
    assert.equal(escapeInvisible("a\u202eb\u001b[31mc\nd\u0007\ud800"), "a\\u{202e}b\\u{1b}[31mc\\nd\\u{7}\\u{d800}");
  });
});
