import { readFileSync } from "node:fs";
import * as path from "node:path";
import { lexer, type Tokens } from "marked";

/** One row of the table of imports in docs/from-terraform.md. */
export interface ImportRow {
  /** What the book has left: the address of a Terraform resource, or words for what was made by hand. */
  left: string;
  /** Name of the program's resource. */
  place: string;
  type: string;
  /** The components around it, as a URN names them. */
  within: string;
  /** What its id is, in words. */
  id: string;
}

export const PAGE = path.resolve(__dirname, "../../docs/from-terraform.md");

/** The page's table whose heads are those of ImportRow. */
export function importTable(): ImportRow[] {
  const tables = lexer(readFileSync(PAGE, "utf8")).filter((token) => token.type === "table") as Tokens.Table[];
  const table = tables.find(({ header }) => header.some(({ text }) => text === "Id"));
  if (table === undefined) throw new Error(`${PAGE} has no table of imports`);
  return table.rows.map((cells) => {
    const [left = "", place = "", type = "", within = "", id = ""] = cells.map(({ text }) => text.replaceAll("`", ""));
    return { left, place, type, within, id };
  });
}
