// Texts that the YAML parser takes without a word, and that nobody can read or print afterwards.
import assert from "node:assert/strict";
import { recipientsIn, withRecipients } from "../../cli/secrets/sopsConfig";
import { changeGarnixYaml } from "../../cli/setup/garnix";
import { changeStackFile, readProject, readStackFile } from "../../cli/common/stackFile";

const readers: Record<string, (text: string) => unknown> = {
  ".sops.yaml": (text) => recipientsIn(text),
  ".sops.yaml, to change it": (text) => withRecipients(text, [{ recipient: "age1x", whose: "mine" }]),
  "the stack's file": (text) => readStackFile(text, "Pulumi.dev.yaml"),
  "the stack's file, to change it": (text) => changeStackFile(text, { "server:branch": "main" }),
  "Pulumi.yaml": readProject,
  "garnix.yaml": changeGarnixYaml,
};

const laughs = [..."abcdefghi"].map((letter, at, all) =>
  at === 0
    ? "a: &a [x, x, x]"
    : `${letter}: &${letter} [${Array(9)
        .fill(`*${all[at - 1]}`)
        .join(", ")}]`,
);

const texts: Record<string, { text: string; message: RegExp }> = {
  "an alias of nothing": { text: "config: *other", message: /the alias \*other has no anchor before it/ },
  "an alias of nothing as a key": { text: "? *!", message: /the alias \*! has no anchor before it/ },
  "an alias before its anchor": { text: "a: *b\nb: &b 1", message: /the alias \*b has no anchor before it/ },
  "an alias that holds itself": { text: "config: &a\n  x: *a", message: /circular structure/i },
  "aliases that multiply without end": { text: laughs.join("\n"), message: /alias count/ },
};

describe("YAML that parses and cannot be read", () => {
  for (const [what, { text, message }] of Object.entries(texts)) {
    for (const [reader, read] of Object.entries(readers)) {
      it(`${what} is refused in ${reader}`, () => {
        assert.throws(
          () => read(text),
          (error: Error) => {
            assert.equal(error.name, "UserError");
            assert.match(error.message.split("\n")[0]!, message);
            return true;
          },
        );
      });
    }
  }

  it("takes an alias whose anchor is there", () => {
    assert.deepEqual(readStackFile("config:\n  a: &a [1]\n  b: *a", "Pulumi.dev.yaml"), { a: [1], b: [1] });
  });
});
