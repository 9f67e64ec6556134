/**
 * What a report says, apart from where it is shown: `toMarkdown` prints it for a pull request, `toTerminal` for a person
 * at a keyboard.
 *
 * Words of our own are `text` and `strong`; everything that comes from outside (names, values, messages) is `code` or
 * `lines`, because only code is safe from Markdown, HTML and mentions.
 */
export type Inline =
  | { kind: "text"; text: string }
  | { kind: "strong"; text: string }
  | { kind: "code"; text: string }
  | { kind: "link"; text: string; url: string };

export type Block =
  | { kind: "heading"; inlines: Inline[] }
  /** Title of a part. */
  | { kind: "subheading"; inlines: Inline[] }
  | { kind: "paragraph"; inlines: Inline[] }
  /** What a person will notice of a change. */
  | { kind: "notice"; inlines: Inline[] }
  /** Literal lines; in a `diff`, those that start with + and - are coloured. */
  | { kind: "lines"; language: "diff" | "text"; lines: string[] }
  /** Shown on demand where that is possible. */
  | { kind: "fold"; summary: Inline[]; blocks: Block[] };

/** Something that may be shortened or left out of a report that gets too long. */
export interface Item {
  blocks: Block[];
  /** What stands for it when there is no room for all of it. */
  brief: Block[];
  /** Whether it gets its room before the others: what destroys something, or blocks the change. */
  important?: boolean;
  /** Under which word it is counted when it is left out, such as "updated". */
  label: string;
}

export interface Part {
  title: Inline[] | undefined;
  items: Item[];
}

/** A report: its head and foot are always shown, its parts as far as there is room. */
export interface Report {
  head: Block[];
  parts: Part[];
  foot: Block[];
}

export const text = (value: string): Inline => ({ kind: "text", text: value });
export const strong = (value: string): Inline => ({ kind: "strong", text: value });
export const code = (value: string): Inline => ({ kind: "code", text: value });
export const link = (words: string, url: string): Inline => ({ kind: "link", text: words, url });

export const heading = (...inlines: Inline[]): Block => ({ kind: "heading", inlines });
export const paragraph = (...inlines: Inline[]): Block => ({ kind: "paragraph", inlines });
export const notice = (...inlines: Inline[]): Block => ({ kind: "notice", inlines });
export const lines = (language: "diff" | "text", all: string[]): Block => ({ kind: "lines", language, lines: all });
export const fold = (summary: Inline[], ...blocks: Block[]): Block => ({ kind: "fold", summary, blocks });

/** Puts something between the members of a list, as `join` does for texts. */
export function separated(inlines: Inline[], separator = ", "): Inline[] {
  return inlines.flatMap((inline, at) => (at === 0 ? [inline] : [text(separator), inline]));
}

/** "1 resource", "2 resources", "1,234 resources". */
export function count(number: number, singular: string, plural = `${singular}s`): string {
  return `${number.toLocaleString("en-US")} ${number === 1 ? singular : plural}`;
}
