/**
 * Flake references: which pass, what the refusals say, and that what passes means nothing to a shell.
 * Cannot prove: that the flake exists, or that its attribute is a system.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { byRule } from "../../components/values/rules";
import { parseFlakeReference } from "../../components/deploy/flake.mjs";
import { RULES } from "../../components/deploy/rules.cjs";
import { upgradeFlake } from "../../components/values/flakeRef";

const ALLOWED = 'one flake and one attribute, "<flake>#<attribute>", such as "path:./nix#default"';
const check = (value: unknown) => byRule(RULES.flake)("flake", value);

describe("a flake reference", () => {
  for (const value of [
    "path:./nix#default",
    "git+file:.?dir=nix#default",
    "github:octo/server/main?dir=nix#web-1",
    "git+ssh://git@github.com/octo/server?ref=main&dir=nix#default",
    "./nix#_private",
    "path:./nix#web.example.com",
  ]) {
    it(`takes ${value}`, () => assert.deepEqual(check(value), []));
  }

  const refused: [string, unknown, string][] = [
    ["no #", "path:./nix", 'The attribute is missing: write "path:./nix#default".'],
    ["two #", "path:./nix#a#b", "It has more than one #."],
    ["an empty attribute", "path:./nix#", 'The attribute after the # is empty: write "#default".'],
    ["an empty flake", "#default", 'The flake is missing before the #: write "path:./nix#…".'],
    ["an empty text", "", "It is empty."],
    ["a space", "path:./my nix#default", 'The character " " is not allowed in it.'],
    ["a double quote", 'path:./n"ix#default', 'The character "\\"" is not allowed in it.'],
    ["a single quote", "path:./n'ix#default", `The character "'" is not allowed in it.`],
    ["a newline", "path:./nix\n#default", 'The character "\\n" is not allowed in it.'],
    ["a newline at the end", "path:./nix#default\n", 'The character "\\n" is not allowed in it.'],
    ["a semicolon", "path:./nix;id#default", 'The character ";" is not allowed in it.'],
    ["a command substitution", "path:./$(id)#default", 'The character "$" is not allowed in it.'],
    ["a backtick", "path:./`id`#default", 'The character "`" is not allowed in it.'],
    ["a letter outside ASCII", "path:./größe#default", 'The character "ö" is not allowed in it.'],
    ["an emoji, shown whole", "path:./🌱#default", 'The character "🌱" is not allowed in it.'],
    ["an option", "--help#default", "It starts with -, which would be taken for an option."],
    ["an attribute in quotes", 'path:./nix#"a.b"', 'The character "\\"" is not allowed in it.'],
    ["an attribute that is no name", "path:./nix#1web", "The attribute must start with a letter or _."],
    ["a space in the attribute", "path:./nix#a b", 'The character " " is not allowed in it.'],
  ];
  for (const [what, value, remedy] of refused) {
    it(`refuses ${what}`, () => {
      assert.deepEqual(check(value), [`flake: got ${JSON.stringify(value)}; allowed: ${ALLOWED}. ${remedy}`]);
    });
  }

  it("takes only texts of its alphabet with one #", () => {
    const likely = textOf("az09AZ:./?=&%+@,_~-# ;'\"$`|", 1, 12);
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: "grapheme" }), likely), (text) => {
        if (check(text).length === 0)
          assert.match(text, /^[A-Za-z0-9._~:/?=&%+@,][A-Za-z0-9._~:/?=&%+@,-]*#[A-Za-z_][\w.-]*$/);
      }),
      { numRuns: 500 },
    );
  });

  it("splits what it takes into the two parts that it was made of", () => {
    fc.assert(
      fc.property(accepted(), ([flake, attribute]) => {
        assert.deepEqual(check(`${flake}#${attribute}`), []);
        const { flake: reference, attribute: name } = parseFlakeReference(`${flake}#${attribute}`);
        assert.deepEqual([reference, name], [flake, attribute]);
      }),
    );
  });

  it("takes nothing that a shell would change in double quotes or as an argument", () => {
    const references = fc.sample(accepted(), 200).map(([flake, attribute]) => `${flake}#${attribute}`);
    const quoted = references.map((reference) => `printf '%s\\n' "${reference}"`).join("\n");
    assert.deepEqual(lines(execFileSync("sh", ["-c", quoted])), references);
    assert.deepEqual(lines(execFileSync("sh", ["-c", `printf '%s\\n' "$@"`, "sh", ...references])), references);
  });
});

describe("upgradeFlake", () => {
  const source = { owner: "octo", name: "server", branch: "main", access: "deploy-key" };

  it("reads by SSH with a deploy key, with a slash before the owner", () => {
    assert.equal(upgradeFlake(source), "git+ssh://git@github.com/octo/server?ref=main&dir=nix#default");
  });

  it("reads by HTTPS with a token", () => {
    assert.equal(upgradeFlake({ ...source, access: "token" }), "github:octo/server/heads/main?dir=nix#default");
  });

  it("keeps a branch with a slash whole", () => {
    const reference = upgradeFlake({ ...source, branch: "release/26.05", access: "token" });
    assert.equal(reference, "github:octo/server/heads/release/26.05?dir=nix#default");
  });
});

function accepted(): fc.Arbitrary<[string, string]> {
  const letters = "abcxyzABCXYZ_";
  return fc.tuple(
    fc.tuple(textOf(letters, 1, 1), textOf(`${letters}0189._~:/?=&%+@,-`, 0, 40)).map((parts) => parts.join("")),
    fc.tuple(textOf(letters, 1, 1), textOf(`${letters}0189-`, 0, 20)).map((parts) => parts.join("")),
  );
}

function textOf(alphabet: string, minLength: number, maxLength: number): fc.Arbitrary<string> {
  return fc.string({ unit: fc.constantFrom(...alphabet), minLength, maxLength });
}

function lines(output: Buffer): string[] {
  return output.toString().trimEnd().split("\n");
}
