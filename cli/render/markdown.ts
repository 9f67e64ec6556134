import type { Block, Inline, Item, Report } from "./document";
import { escapeInvisible } from "./text";

/** GitHub refuses longer comments. */
export const GITHUB_LIMIT = 65_536;

/**
 * Prints a report as GitHub-flavoured Markdown of at most `limit` characters.
 *
 * What does not fit is shortened first and then left out, whole items at a time, and the report says how many.
 */
export function toMarkdown(report: Report, limit = GITHUB_LIMIT): string {
  const items = report.parts.flatMap(({ items }) => items);
  const foot = report.foot.map(block);
  const titles = report.parts.map(({ title }) =>
    title === undefined ? [] : [block({ kind: "subheading", inlines: title })],
  );
  // The longest text that could become necessary is reserved from the start, so that it always fits.
  let room = limit - length([...foot, ...titles.flat(), leftOutText(items)]);
  const head = takeWhileFits(report.head.map(block), room);
  room -= length(head);

  const printed = fit(items, room);
  const leftOut = items.filter((_, at) => printed[at] === undefined);
  const parts = report.parts.flatMap((part, at) => {
    const shown = printed.splice(0, part.items.length).filter((text) => text !== undefined);
    return shown.length === 0 ? [] : [...titles[at]!, ...shown];
  });
  return [...head, ...parts, ...(leftOut.length === 0 ? [] : [leftOutText(leftOut)]), ...foot].join("\n\n") + "\n";
}

/** The items' texts: the important ones first, and of each kind as many as possible before any in full. */
function fit(items: Item[], room: number): (string | undefined)[] {
  const shown: (string | undefined)[] = items.map(() => undefined);
  for (const important of [true, false]) {
    for (const form of ["brief", "blocks"] as const) {
      items.forEach((item, at) => {
        const before = shown[at];
        if ((item.important ?? false) !== important || (form === "blocks" && before === undefined)) return;
        const text = blocks(item[form]);
        const more = before === undefined ? length([text]) : text.length - before.length;
        if (more > room) return;
        room -= more;
        shown[at] = text;
      });
    }
  }
  return shown;
}

function takeWhileFits(texts: string[], room: number): string[] {
  const taken: string[] = [];
  for (const text of texts) {
    room -= length([text]);
    if (room < 0) break;
    taken.push(text);
  }
  return taken;
}

/** Each text is followed by an empty line. */
function length(texts: string[]): number {
  return texts.reduce((sum, text) => sum + text.length + 2, 0);
}

function leftOutText(items: Item[]): string {
  const counts = new Map<string, number>();
  for (const { label } of items) counts.set(label, (counts.get(label) ?? 0) + 1);
  const parts = [...counts].map(([label, number]) => `${number.toLocaleString("en-US")} ${plain(label)}`);
  return `**Not shown: ${parts.join(", ")}.** This comment would be longer than GitHub allows; the run's log has all of it.`;
}

function blocks(all: Block[]): string {
  return all.map(block).join("\n\n");
}

function block(value: Block): string {
  switch (value.kind) {
    case "heading":
      return `### ${inlines(value.inlines)}`;
    case "subheading":
      return `#### ${inlines(value.inlines)}`;
    case "paragraph":
      return inlines(value.inlines);
    case "notice":
      return `> ${inlines(value.inlines)}`;
    case "lines":
      return fenced(value.language, value.lines);
    case "fold":
      // Between the tags Markdown is read only after an empty line, and never in the summary.
      return `<details><summary>${value.summary.map(htmlOf).join("")}</summary>\n\n${blocks(value.blocks)}\n\n</details>`;
  }
}

function inlines(all: Inline[]): string {
  return all.map(inline).join("");
}

function inline(value: Inline): string {
  switch (value.kind) {
    case "text":
      return plain(value.text);
    case "strong":
      return `**${plain(value.text)}**`;
    case "code":
      return codeSpan(value.text);
    case "link":
      return `[${plain(value.text)}](<${address(value.url)}>)`;
  }
}

function htmlOf(value: Inline): string {
  switch (value.kind) {
    case "text":
      return html(value.text);
    case "strong":
      return `<b>${html(value.text)}</b>`;
    case "code":
      return `<code>${html(value.text)}</code>`;
    case "link":
      return `<a href="${html(address(value.url))}">${html(value.text)}</a>`;
  }
}

/** Words of our own. They hold no Markdown; if a value ever slips in here, it stays harmless too. */
function plain(words: string): string {
  return unlinked(escapeInvisible(words)).replace(/[\\`*_[\]<>&~|]/g, "\\$&");
}

function html(words: string): string {
  return unlinked(escapeInvisible(words))
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/** GitHub makes links of these wherever they stand outside of code; a word joiner, which is not seen, prevents that. */
function unlinked(words: string): string {
  return words.replace(/@(?=\w)|#(?=\d)|:(?=\/\/)|www(?=\.)/gi, "$&\u2060");
}

/** A code span is closed only by as many backticks as opened it. */
function codeSpan(value: string): string {
  const content = value === "" ? " " : escapeInvisible(value);
  const fence = "`".repeat(longestRun(content) + 1);
  // One space at both ends is not part of the content.
  const padding = /^[` ]|[` ]$/.test(content) && content.trim() !== "" ? " " : "";
  return `${fence}${padding}${content}${padding}${fence}`;
}

function fenced(language: string, all: string[]): string {
  const safe = all.map(escapeInvisible);
  const fence = "`".repeat(Math.max(3, ...safe.map((line) => longestRun(line) + 1)));
  return [`${fence}${language}`, ...safe, fence].join("\n");
}

function longestRun(value: string): number {
  return (value.match(/`+/g) ?? []).reduce((longest, run) => Math.max(longest, run.length), 0);
}

/** Only web addresses are linked to. */
function address(url: string): string {
  return /^https?:\/\//.test(url) ? encodeURI(escapeInvisible(url)).replace(/[<>\\]/g, encodeURIComponent) : "#";
}
