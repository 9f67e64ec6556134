import { type Document, parseDocument, type ParseOptions, type DocumentOptions, type SchemaOptions, visit } from "yaml";
import { isDeepYaml, TOO_DEEP } from "../../components/values/nesting";
import { UserError } from "./userError";

/**
 * A YAML text of any origin, to read and to write again. Throws one for people unless it can be both: the parser reports no
 * error for an alias of nothing, or one that holds itself, and whoever prints or reads the document later meets it.
 *
 * @param file its name, for the message
 */
export function readYaml(
  text: string,
  file: string,
  options: ParseOptions & DocumentOptions & SchemaOptions = {},
): Document {
  if (isDeepYaml(text)) throw new UserError(`${file}: ${TOO_DEEP}.`);
  // What it warns of is for the reader of the document to judge, and would go to the terminal.
  const document: Document = parseDocument(text, { logLevel: "error", ...options });
  const [error] = document.errors;
  if (error !== undefined) throw new UserError(`${file}: is not YAML: ${error.message}`);
  try {
    visit(document, {
      Alias: (_, alias) => {
        if (alias.resolve(document) === undefined)
          throw new Error(`the alias *${alias.source} has no anchor before it.`);
      },
    });
    JSON.stringify(document.toJS());
  } catch (trouble) {
    throw new UserError(`${file}: cannot be read: ${(trouble as Error).message}`);
  }
  return document;
}
