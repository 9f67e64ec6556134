/**
 * Whether the table of searchCases.ts has rows for every form of secretForms.json: one for each mark, and for each
 * condition one that would be refused without it. search.spec.ts runs the rows through both searches.
 * Cannot prove: that a form is as wide as it should be.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { FORMS, matches, secretIn } from "../../components/deploy/secretForms.mjs";
import { TEXT_CASES } from "./searchCases";

const CONDITIONS = ["in", "before", "notBefore", "after", "not"] as const;

describe("the table of cases for the searches for secrets", () => {
  const rows = TEXT_CASES.flatMap(({ file, content, refused }) =>
    typeof content === "string" ? [{ name: path.basename(file), content, refused }] : [],
  );
  const [bad, good] = [rows.filter(({ refused }) => refused), rows.filter(({ refused }) => !refused)];
  type Form = (typeof FORMS.text)[number];
  const holds = ({ name, content }: (typeof rows)[number], form: Form) => secretIn(content, name, [form]) === form.what;
  const inThat = ({ name }: (typeof rows)[number], form: Form) => form.in === undefined || matches(form.in, name);

  it("has for each mark a file that is refused, and one that only looks like it", () => {
    const missing = FORMS.text.flatMap((form) =>
      form.marks.flatMap((mark) => [
        ...(bad.some((row) => holds(row, { ...form, marks: [mark] })) ? [] : [`refused: ${form.what}, ${mark}`]),
        ...(good.some((row) => inThat(row, form) && row.content.includes(mark))
          ? []
          : [`taken: ${form.what}, ${mark}`]),
      ]),
    );
    assert.deepEqual(missing, []);
  });

  it("has for each condition a file that is taken for that condition alone", () => {
    const missing = FORMS.text.flatMap((form) =>
      CONDITIONS.flatMap((condition) => {
        if (form[condition] === undefined) return [];
        const without = { ...form };
        delete without[condition];
        return good.some((row) => holds(row, without)) ? [] : [`${condition} of ${form.what}, ${form.marks[0]}`];
      }),
    );
    assert.deepEqual(missing, []);
  });
});

describe("docs/secrets.md", () => {
  const page = readFileSync(path.join(__dirname, "../../docs/secrets.md"), "utf8");
  /** Without a word of their own: base64 of headers, and what is only the place at which a search begins. */
  const isSpoken = (mark: string) =>
    !/^(?:[A-Za-z0-9]{15,18}|==|=|:|:\/\/|"auth"|"mode"|psk|Passphrase|password)$/.test(mark);

  it("names every form of a secret that is looked for in any text", () => {
    const marks = FORMS.text.filter((form) => form.in === undefined).flatMap((form) => form.marks);
    assert.deepEqual(
      marks.filter(isSpoken).filter((mark) => !page.includes(mark)),
      [],
    );
  });

  it("names a file for every form that is looked for in files of a kind", () => {
    const files = /\| files of their kind[^]*?\| names /.exec(page)![0];
    const names = [...files.matchAll(/`([^` ]+)`/g)].flatMap(([, name]) => [name!, `x${name!}`]);
    const unnamed = FORMS.text.flatMap(({ what, in: form }) =>
      form === undefined || names.some((name) => matches(form, name)) ? [] : [`${what}: ${form}`],
    );
    assert.deepEqual(unnamed, []);
    const known = FORMS.text.flatMap(({ in: form }) => form ?? []);
    const said = [...files.matchAll(/`([^` ]+)`/g)].map(([, name]) => name!);
    assert.deepEqual(
      said.filter((name) => !known.some((form) => matches(form, name) || matches(form, `x${name}`))),
      [],
    );
  });

  it("names a file for every name by which a password is known", () => {
    const row = /\| names +\|(.*)\|/.exec(page)![1]!;
    const names = [...row.matchAll(/`…?([^`]+)`/g)].map(([, name]) => name!);
    assert.ok(names.length > 8);
    for (const name of names) assert.ok(matches(FORMS.passwordNames, name), name);
  });
});
