import { closest } from "fastest-levenshtein";
import { quote } from "../../components/values/errors";
import { UserError } from "../common/userError";
import { typeName } from "../render/change";

/** One entry of the file that `pulumi preview --import-file` writes and `pulumi import --file` reads. */
export interface ImportEntry {
  type: string;
  /** Unique in the file; the resource's own name, unless another resource has that too. */
  name: string;
  logicalName?: string;
  /** `name` of the entry of the component around it. */
  parent?: string;
  /** A component has no id. */
  component?: boolean;
  id?: string;
  [other: string]: unknown;
}

/** That file. */
export interface ImportFile {
  /** Left out by the engine when nothing is to be made. */
  resources?: ImportEntry[];
  /** URNs of parents that are in the stack already, by the names that entries have for them. */
  nameTable?: Record<string, string>;
}

/** The name that the program gives the resource. */
export function nameOf({ name, logicalName }: ImportEntry): string {
  return logicalName ?? name;
}

/** Packages whose resources exist in the state of a stack only. */
const NOWHERE_ELSE = /^(tls|command):/;

/**
 * Leaves of a file only what has an id in `ids`, by the names of the resources, and the components around it. Throws one
 * error that lists every name which cannot be imported.
 */
export function filledIn(file: ImportFile, ids: Record<string, string>): Required<ImportFile> {
  const all = file.resources ?? [];
  const resources = all.filter(({ component }) => !component);
  const importable = resources.filter(({ type }) => !NOWHERE_ELSE.test(type));
  const refused = Object.keys(ids).filter((name) => !importable.some((entry) => nameOf(entry) === name));
  if (refused.length > 0) throw new UserError(refusal(refused, resources, importable));

  const wanted = importable.filter((entry) => ids[nameOf(entry)] !== undefined);
  const kept = new Set(wanted.flatMap((entry) => lineage(all, entry)));
  return {
    nameTable: file.nameTable ?? {},
    resources: all
      .filter((entry) => kept.has(entry))
      .map((entry) => (entry.component ? entry : { ...entry, id: ids[nameOf(entry)]! })),
  };
}

/** The entry, and those of all components around it. */
function lineage(all: ImportEntry[], entry: ImportEntry): ImportEntry[] {
  const parent = all.find(({ name }) => name === entry.parent);
  return parent === undefined ? [entry] : [entry, ...lineage(all, parent)];
}

function refusal(refused: string[], resources: ImportEntry[], importable: ImportEntry[]): string {
  if (importable.length === 0) return "Nothing can be adopted: the stack has every resource of its program.";
  const names = importable.map(nameOf);
  const list = importable.map((entry) => `  ${nameOf(entry)} (${typeName(entry.type)})`);
  return [
    ...refused.map((name) =>
      resources.some((entry) => nameOf(entry) === name)
        ? `${quote(name)} cannot be adopted: keys and deployments exist in the state of a stack only.`
        : `${quote(name)} is not to be made. Did you mean ${quote(closest(name, names))}?`,
    ),
    "What the program still has to make, and can be adopted instead:",
    ...list,
  ].join("\n");
}
