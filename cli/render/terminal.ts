import { styleText } from "node:util";
import type { Block, Inline, Report } from "./document";
import { escapeInvisible } from "./text";

export interface TerminalOptions {
  colours: boolean;
}

type Style = Parameters<typeof styleText>[0];

/** Prints a report for a terminal: everything unfolded, nothing left out. */
export function toTerminal(report: Report, { colours }: TerminalOptions): string {
  // A colour that is not wanted is no style at all, so that files and logs stay plain text.
  const paint = (style: Style, words: string) => (colours ? styleText(style, words) : words);

  const inline = (value: Inline): string => {
    const words = escapeInvisible(value.text);
    switch (value.kind) {
      case "text":
        return words;
      case "strong":
        return paint("bold", words);
      case "code":
        return paint("cyan", words);
      case "link":
        return `${words} (${escapeInvisible(value.url)})`;
    }
  };
  const inlines = (all: Inline[]) => all.map(inline).join("");

  const diffLine = (line: string): string => {
    const words = escapeInvisible(line);
    if (words.startsWith("+")) return paint("green", words);
    return words.startsWith("-") ? paint("red", words) : words;
  };

  const block = (value: Block): string[] => {
    switch (value.kind) {
      case "heading":
      case "subheading":
        return ["", paint("bold", inlines(value.inlines))];
      case "paragraph":
        return [inlines(value.inlines)];
      case "notice":
        return [`  ${inlines(value.inlines)}`];
      case "lines":
        return value.lines.map((line) => `    ${value.language === "diff" ? diffLine(line) : escapeInvisible(line)}`);
      case "fold":
        return [inlines(value.summary), ...value.blocks.flatMap(block).map((line) => `  ${line}`)];
    }
  };

  const parts = report.parts
    .filter(({ items }) => items.length > 0)
    .flatMap(({ title, items }) => [
      ...(title === undefined ? [] : block({ kind: "subheading", inlines: title })),
      ...items.flatMap((item) => item.blocks.flatMap(block)),
    ]);
  return [...report.head.flatMap(block), ...parts, "", ...report.foot.flatMap(block)].join("\n").trim() + "\n";
}
