/**
 * Conditions of jobs, by the rules of GitHub's "Evaluate expressions in workflows and actions": only so far that one which
 * cannot hold is known. What is not known here (a variable, an output, most functions) may be anything. GitHub's own
 * @actions/expressions knows no such values, and cannot be required by a program, which Pulumi starts as CommonJS.
 */

export type Known = string | number | boolean | null;

/** The values that are known, by their names in small letters: `github.event_name`. */
export type Context = Record<string, Known>;

/** `value` where all of it is known; `truth` where at least that is. */
interface Result {
  value?: Known;
  truth?: boolean;
}

/** Nobody nests deeper, and a parser that calls itself would not survive whoever does. */
const DEEPEST = 50;

/** Whether a job with this `if` is certainly skipped. */
export function isSkipped(condition: string | boolean | null | undefined, context: Context): boolean {
  if (condition === undefined || condition === null) return false;
  const text = expressionIn(String(condition).trim());
  if (text === undefined) return false;
  const tokens = tokensOf(text);
  if (tokens === undefined) return false;
  try {
    const reader = new Reader(tokens, context);
    const { truth } = reader.either();
    return truth === false && reader.isAtEnd();
  } catch (error) {
    // GitHub refuses the workflow, or this is beyond what is read here.
    if (error instanceof Unreadable) return false;
    throw error;
  }
}

/** With text around its expression, a condition is a text, and so always true. */
function expressionIn(text: string): string | undefined {
  if (!text.includes("${{")) return text;
  const inner = text.startsWith("${{") && text.endsWith("}}") ? text.slice(3, -2) : undefined;
  return inner?.includes("${{") === true ? undefined : inner;
}

class Unreadable extends Error {}

const TOKENS = /\s+|'(?:[^']|'')*'|&&|\|\||[=!<>]=|[()[\],.!<>*]|[A-Za-z_][\w-]*|[-+]?\.?\d[\w.+-]*/y;

function tokensOf(text: string): string[] | undefined {
  const tokens: string[] = [];
  TOKENS.lastIndex = 0;
  for (let at = 0; at < text.length; at = TOKENS.lastIndex) {
    const token = TOKENS.exec(text)?.[0];
    if (token === undefined) return undefined;
    if (token.trim() !== "") tokens.push(token);
  }
  return tokens;
}

const ANYTHING: Result = {};

class Reader {
  private at = 0;
  private depth = 0;

  constructor(
    private readonly tokens: string[],
    private readonly context: Context,
  ) {}

  isAtEnd(): boolean {
    return this.at === this.tokens.length;
  }

  either(): Result {
    return this.joined("||", true, () => this.joined("&&", false, () => this.compared()));
  }

  /** Operands of which one that has the truth `decisive` decides, whatever the others are. */
  private joined(operator: string, decisive: boolean, operand: () => Result): Result {
    let left = operand();
    while (this.takes(operator)) {
      const right = operand();
      if (left.truth === !decisive) left = right;
      else if (left.truth === undefined) left = right.truth === decisive ? { truth: decisive } : ANYTHING;
    }
    return left;
  }

  private compared(): Result {
    let left = this.single();
    for (;;) {
      const operator = this.tokens[this.at] ?? "";
      if (!["==", "!=", "<", "<=", ">", ">="].includes(operator)) return left;
      this.at += 1;
      left = compare(left, operator, this.single());
    }
  }

  private single(): Result {
    this.depth += 1;
    if (this.depth > DEEPEST) throw new Unreadable();
    const result = this.unnested();
    this.depth -= 1;
    return result;
  }

  private unnested(): Result {
    if (this.takes("!")) {
      const { truth } = this.single();
      return truth === undefined ? ANYTHING : known(!truth);
    }
    if (this.takes("(")) {
      const inner = this.either();
      this.need(")");
      return this.isFollowed() ? this.path("?") : inner;
    }
    const token = this.next();
    if (token.startsWith("'")) return known(token.slice(1, -1).replaceAll("''", "'"));
    if (/^[-+.\d]/.test(token)) return known(Number(token));
    if (!/^[A-Za-z_]/.test(token)) throw new Unreadable();
    const constant = ({ true: true, false: false, null: null } as Context)[token];
    if (constant !== undefined) return known(constant);
    return this.takes("(") ? this.call(token.toLowerCase()) : this.path(token.toLowerCase());
  }

  private isFollowed(): boolean {
    return [".", "["].includes(this.tokens[this.at] ?? "");
  }

  /** A value by its name, with the names in it. */
  private path(first: string): Result {
    let name = first;
    while (this.isFollowed()) {
      if (this.next() === ".") name += `.${this.next().toLowerCase()}`;
      else {
        const { value } = this.either();
        this.need("]");
        name += `.${String(value ?? "?").toLowerCase()}`;
      }
    }
    const value = Object.hasOwn(this.context, name) ? this.context[name] : undefined;
    return value === undefined ? ANYTHING : known(value);
  }

  private call(name: string): Result {
    const given: Result[] = [];
    while (!this.takes(")")) {
      if (given.length > 0) this.need(",");
      given.push(this.either());
    }
    if (this.isFollowed()) return this.path("?");
    const [text, part] = given.map(({ value }) => (value === undefined ? undefined : textOf(value).toLowerCase()));
    // When all goes well, a job that waits for trouble is skipped, and counts as passed.
    if (given.length === 0 && (name === "failure" || name === "cancelled")) return known(false);
    if (text === undefined || part === undefined) return name === "always" ? { truth: true } : ANYTHING;
    if (name === "startswith") return known(text.startsWith(part));
    if (name === "endswith") return known(text.endsWith(part));
    return name === "contains" ? known(text.includes(part)) : ANYTHING;
  }

  private takes(token: string): boolean {
    if (this.tokens[this.at] !== token) return false;
    this.at += 1;
    return true;
  }

  private need(token: string): void {
    if (!this.takes(token)) throw new Unreadable();
  }

  private next(): string {
    const token = this.tokens[this.at];
    if (token === undefined) throw new Unreadable();
    this.at += 1;
    return token;
  }
}

function known(value: Known): Result {
  return { value, truth: Boolean(value) };
}

/** Texts without regard to capitals; values of two kinds as numbers. */
function compare({ value: left }: Result, operator: string, { value: right }: Result): Result {
  if (left === undefined || right === undefined) return ANYTHING;
  const texts = typeof left === "string" && typeof right === "string";
  const [one, other] = texts ? [left.toUpperCase(), right.toUpperCase()] : [numberOf(left), numberOf(right)];
  switch (operator) {
    case "==":
      return known(one === other);
    case "!=":
      return known(one !== other);
    case "<":
      return known(one < other);
    case "<=":
      return known(one <= other);
    case ">":
      return known(one > other);
    default:
      return known(one >= other);
  }
}

function numberOf(value: Known): number {
  return value === null ? 0 : Number(value);
}

function textOf(value: Known): string {
  return value === null ? "" : String(value);
}
