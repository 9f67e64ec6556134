/**
 * Reading and changing .sops.yaml: whom it names, and that everything else in it stays.
 * Cannot prove: that sops reads it the same way (test/system/secrets.spec.ts encrypts with the result).
 */
import assert from "node:assert/strict";
import { recipientsIn, withoutRecipients, withRecipients } from "../../cli/secrets/sopsConfig";
import { newAgeIdentity, recipientOfIdentity } from "../../components/keys/age";

const [MACHINE, ALICE, BOB] = [0, 1, 2].map(() => recipientOfIdentity(newAgeIdentity())) as [string, string, string];
const machine = { recipient: MACHINE, whose: "the machine, key 1" };
const alice = { recipient: ALICE, whose: "admin: alice" };

describe(".sops.yaml", () => {
  it("is made with a rule for the file of secrets, and says whose each recipient is", () => {
    const text = withRecipients("", [machine, alice]);
    assert.equal(
      text.replace(/^#.*\n|^\n/gm, ""),
      `creation_rules:
  - path_regex: nix/secrets\\.yaml$
    key_groups:
      - age:
          - ${MACHINE} # the machine, key 1
          - ${ALICE} # admin: alice
`,
    );
  });

  it("stays as it is, to the byte, when everybody is in it", () => {
    const text = `creation_rules:\n    -   age: '${MACHINE},${ALICE}'   # all of us\n`;
    assert.equal(withRecipients(text, [machine, alice]), text);
  });

  it("keeps comments, order and other rules", () => {
    const text = `# ours
creation_rules:
  # another file, for others
  - path_regex: other\\.yaml$
    age: ${BOB}
  - path_regex: nix/secrets\\.yaml$
    key_groups:
      - age:
          # first
          - ${ALICE} # it is me
`;
    assert.equal(withRecipients(text, [machine, alice]), `${text}          - ${MACHINE} # the machine, key 1\n`);
  });

  it("gets a rule of its own beside those for other files", () => {
    const text = withRecipients(`creation_rules:\n  - path_regex: other\\.yaml$\n    age: ${BOB}\n`, [machine]);
    assert.ok(text.includes(`age: ${BOB}`));
    assert.deepEqual(recipientsIn(text), [MACHINE]);
  });

  for (const [form, text] of [
    ["one text, as in the book", `creation_rules:\n- age: '${ALICE}'\n`],
    ["a text over several lines", `creation_rules:\n- age: >-\n    ${ALICE},\n    ${BOB}\n`],
    ["a list", `creation_rules:\n  - age:\n      - ${ALICE}\n`],
    ["a list in one line", `creation_rules:\n  - age: [${ALICE}]\n`],
    ["anchors", `keys:\n  - &alice ${ALICE}\ncreation_rules:\n  - key_groups:\n      - age:\n          - *alice\n`],
  ] as const) {
    it(`takes ${form}`, () => {
      const before = recipientsIn(text);
      assert.equal(before[0], ALICE);
      const after = withRecipients(text, [machine]);
      assert.deepEqual(recipientsIn(after), [...before, MACHINE]);
      assert.deepEqual(recipientsIn(withoutRecipients(after, [ALICE])), [...before.slice(1), MACHINE]);
    });
  }

  it("takes the first rule that fits, as sops does", () => {
    assert.deepEqual(
      recipientsIn(`creation_rules:\n  - age: ${ALICE}\n  - path_regex: nix/secrets\\.yaml$\n    age: ${BOB}\n`),
      [ALICE],
    );
  });

  it("names nobody where no rule fits", () => {
    assert.deepEqual(recipientsIn(`creation_rules:\n  - path_regex: other\n    age: ${ALICE}\n`), []);
    assert.deepEqual(recipientsIn(""), []);
  });

  for (const [what, text, message] of [
    ["it is not YAML", "creation_rules: [", /^\.sops\.yaml: is not YAML: /],
    [
      "it has several key groups",
      `creation_rules:\n  - key_groups:\n      - age: [${ALICE}]\n      - age: [${BOB}]\n`,
      /^\.sops\.yaml has several key groups for nix\/secrets\.yaml\. Change it by hand/,
    ],
    ...["[a - b]", "a", "[*group]", "{age: x}"].map(
      (groups) =>
        [
          `its key_groups are ${groups}`,
          `x: &group {age: []}\ncreation_rules:\n  - key_groups: ${groups}\n    age: ${ALICE}\n`,
          /^\.sops\.yaml has key_groups for nix\/secrets\.yaml that are no list of maps\. Change it by hand/,
        ] as const,
    ),
    [
      "its pattern is of Go's own kind",
      `creation_rules:\n  - path_regex: (?P<x>nix)\n    age: ${ALICE}\n`,
      /^\.sops\.yaml: path_regex "\(\?P<x>nix\)" is not understood here/,
    ],
  ] as const) {
    it(`is not touched when ${what}`, () => {
      assert.throws(() => withRecipients(text, [machine]), { name: "UserError", message });
    });
  }
});
