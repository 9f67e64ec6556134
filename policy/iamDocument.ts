/** A statement of an IAM policy document, its one-or-many values as lists. */
export interface Statement {
  effect: string;
  actions: string[];
  resources: string[];
  /** Kind (`AWS`, `Service`, `Federated`) and name; the bare `*` is of kind AWS. */
  principals: { kind: string; name: string }[];
  /** By operator, then by key. */
  condition: Record<string, Record<string, unknown>>;
}

type OneOrMany = string | string[] | undefined;

interface Document {
  Statement?: RawStatement | RawStatement[];
}

interface RawStatement {
  Effect?: string;
  Action?: OneOrMany;
  Resource?: OneOrMany;
  Principal?: string | Record<string, OneOrMany>;
  Condition?: Record<string, Record<string, unknown>>;
}

/** Reads a policy document, which is a text or an object. A text that is no JSON has no statements. */
export function statementsOf(document: unknown): Statement[] {
  const { Statement: statements } = (typeof document === "string" ? parsed(document) : (document ?? {})) as Document;
  return list(statements).map(({ Effect = "", Action, Resource, Principal, Condition = {} }) => ({
    effect: Effect,
    actions: list(Action),
    resources: list(Resource),
    principals:
      typeof Principal === "string"
        ? [{ kind: "AWS", name: Principal }]
        : Object.entries(Principal ?? {}).flatMap(([kind, names]) => list(names).map((name) => ({ kind, name }))),
    condition: Condition,
  }));
}

/** A value that may be one or many. */
export function list<T>(value: T | T[] | undefined): T[] {
  return value === undefined ? [] : ([value].flat() as T[]);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}
