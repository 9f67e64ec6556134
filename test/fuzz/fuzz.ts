import assert from "node:assert/strict";
import fc from "fast-check";
import type { ValueRule } from "../../components/values/errors";

/** Cases of each test: 1,000, or what FUZZ_RUNS says; .ci/run says 10,000. */
export const RUNS = Number(process.env["FUZZ_RUNS"] ?? 1_000);

/** Texts that have broken programs: signs of shells, Nix, YAML, JSON and Markdown, ends of lines, other scripts. */
const NASTY = [
  ...["", " ", "\0", "\n", "\r\n", "\t", "\x1b[31m", "\u2028", "\u202e", "\ufeff", "🌱", "é", "\ud800"],
  ...["$(id)", "`id`", ";id", "|id", "&", "&&", ">x", "<x", "'", '"', "\\", "${x}", "*", "?", "~", "!", "-", "--help"],
  ...["..", "/", "//", "#", "%0a", "%", "@", ":", "=", "{", "}", "[", "]", "null", "__proto__", "constructor"],
  ...["0", "-1", "00", "1e3", "NaN", "999999999999999999999"],
];

/** Texts near these valid ones: as they are, cut, with something nasty put in, repeated; and texts of any kind. */
export function near(...valid: string[]): fc.Arbitrary<string> {
  const nasty = fc.constantFrom(...NASTY);
  const base = fc.constantFrom(...valid);
  const altered = fc
    .tuple(base, nasty, fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(4))
    .map(([text, put, where, cut]) => {
      const at = Math.floor(where * (text.length + 1));
      return text.slice(0, at) + put + text.slice(at + cut);
    });
  const joined = fc.array(fc.oneof(base, nasty), { maxLength: 4 }).map((parts) => parts.join(""));
  return fc.oneof(base, altered, joined, fc.string(), fc.string({ unit: "binary" }));
}

/** What a configuration of another type would hand over. */
export const anyValue = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(undefined, NaN, -0, Infinity));

/** JSON that throws when it is made a text: too rare among random values to rely on. */
const TEXTLESS: unknown[] = [
  { toString: "" },
  [{ toString: "" }],
  [[{ toString: null, valueOf: 1 }]],
  { length: 1, includes: 1 },
];

/** Asserts the property for every case, and for the examples before them. */
export function holds<T>(cases: fc.Arbitrary<T>, property: (value: T) => void, examples: T[] = []): void {
  fc.assert(
    fc.property(cases, (value) => property(value)),
    { numRuns: RUNS, examples: examples.map((example): [T] => [example]) },
  );
}

/** A message for a person: it names the property, is one line, and has no signs that a terminal obeys. */
export function assertMessages(property: string, problems: string[]): void {
  for (const text of problems) {
    assert.ok(text.startsWith(property) && text.length > property.length + 10, `says nothing: ${JSON.stringify(text)}`);
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(text, /[\0-\x1f\x7f-\x9f\u2028-\u202e]/, "control characters reach the terminal");
    assert.ok(text.length < 1000, "the message is long");
  }
}

/** Asserts that a check never throws, has a message for what it refuses, and takes only what `safe` matches. */
export function assertChecks<T>(
  check: ValueRule<T>,
  cases: fc.Arbitrary<unknown>,
  safe: (value: unknown) => boolean,
): void {
  const property = (value: unknown) => {
    const problems = check("property", value as T);
    if (problems.length > 0) assertMessages("property", problems);
    else assert.ok(safe(value), `taken: ${JSON.stringify(value)}`);
  };
  holds(cases, property, TEXTLESS);
}

/** Whether a text is one word without any sign that a shell, an option parser or a terminal could obey. */
export const harmless = (signs: RegExp) => (value: unknown) => typeof value === "string" && signs.test(value);
