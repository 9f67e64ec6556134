import { readFileSync } from "node:fs";
import * as path from "node:path";
import { lexer, type Tokens } from "marked";

/** A page of docs/. */
export function pageOf(name: string): string {
  return readFileSync(path.resolve(__dirname, "../../docs", name), "utf8");
}

/** The cells of the page's table with this head, as texts of Markdown. */
export function tableOf(page: string, head: string): string[][] {
  const tables = lexer(page).filter((token) => token.type === "table") as Tokens.Table[];
  const table = tables.find(({ header }) => header.some(({ text }) => text === head));
  if (table === undefined) throw new Error(`there is no table with a head ${head}`);
  return table.rows.map((cells) => cells.map(({ text }) => text));
}

/** The words between backticks. */
export function codeOf(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, words]) => words!);
}

/** One row of the table of imports in docs/from-terraform.md. */
export interface ImportRow {
  /** What the book has left: the address of a Terraform resource, or words for what was made by hand. */
  left: string;
  /** Name of the program's resource. */
  place: string;
  type: string;
  /** The components around it, as a URN names them. */
  within: string;
}

export function importTable(): ImportRow[] {
  return tableOf(pageOf("from-terraform.md"), "Within").map((cells) => {
    const [left = "", place = "", type = "", within = ""] = cells.map((text) => text.replaceAll("`", ""));
    return { left, place, type, within };
  });
}
