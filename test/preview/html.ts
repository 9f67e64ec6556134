import { marked } from "marked";

/** Renders a comment as GitHub does, as far as a general library of GitHub-flavoured Markdown can. */
export function toHtml(markdown: string): string {
  return marked.parse(markdown, { async: false, gfm: true });
}
