import * as pulumi from "@pulumi/pulumi";
import { quote } from "../deploy/rules.cjs";

export { quote };

/** Returns one text per problem of a value: what is wrong, the value, what is allowed, what to do. Empty: no problem. */
export type ValueRule<T> = (property: string, value: T) => string[];

/** One problem in the form that all messages share. */
export function problem(property: string, got: string, allowed: string, remedy?: string): string {
  return `${property}: got ${got}; allowed: ${allowed}.${remedy === undefined ? "" : ` ${remedy}`}`;
}

/** The text that presents several problems at once. */
export function problemList(subject: string, problems: string[]): string {
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  return [`${subject} has ${count}:`, ...problems.map((text) => `  - ${text}`)].join("\n");
}

/**
 * Collects the problems of a component's arguments, so that a person sees all of them at once.
 *
 * Plain values are checked when `input` is called and reported together by `refuseProblems`. A value that is an
 * output can only be checked once it is known; then it fails before the resource that uses it is created.
 */
export class ArgumentRules {
  constructor(
    private readonly component: pulumi.ComponentResource | undefined,
    private readonly subject: string,
    private readonly part?: string,
    private readonly problems: string[] = [],
  ) {}

  /**
   * For a composite that checks the arguments of a part before it makes its first one: problems are among its own, and
   * outputs are left to the part, or each would fail twice.
   */
  of(part: string): ArgumentRules {
    return new ArgumentRules(this.component, this.subject, part, this.problems);
  }

  /** Checks a value now, or when it becomes known; returns what resources are to use in its place. */
  input<T>(property: string, value: pulumi.Input<T>, check: ValueRule<T>): pulumi.Input<T> {
    if (isPlain(value)) return this.plain(property, value, check);
    if (this.part !== undefined) return value;
    const output = pulumi.output(value) as pulumi.Output<T>;
    return output.apply((known) => {
      const problems = check(property, known);
      if (problems.length > 0) throw this.error(problems);
      return known;
    });
  }

  /** Checks a value now if it is plain; an output is left to the part of a composite that uses it. */
  ifPlain<T>(property: string, value: pulumi.Input<T>, check: ValueRule<T>): void {
    if (isPlain(value)) this.plain(property, value, check);
  }

  /** Checks each element of a list, like `input` */
  inputs<T>(property: string, values: pulumi.Input<T>[], check: ValueRule<T>): pulumi.Input<T>[] {
    return values.map((value, index) => this.input(`${property}[${index}]`, value, check));
  }

  /** Checks a value that must be plain, because it decides which resources exist. */
  plain<T>(property: string, value: T, check: ValueRule<T>): T {
    this.problems.push(...check(this.part === undefined ? property : `${this.part}.${property}`, value));
    return value;
  }

  /** Throws one error that lists every problem found so far; does nothing when there is none. */
  refuseProblems(): void {
    if (this.problems.length > 0) throw this.error(this.problems);
  }

  /** Every problem found so far, each beginning with its property: for values that no component has yet. */
  get found(): readonly string[] {
    return this.problems;
  }

  private error(problems: string[]): Error {
    return new pulumi.ResourceError(problemList(this.subject, problems), this.component, true);
  }
}

function isPlain<T>(value: pulumi.Input<T>): value is T {
  return !pulumi.Output.isInstance(value) && !(value instanceof Promise);
}
