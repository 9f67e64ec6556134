/**
 * repositoryFile.ts: what is read from nix/repository.json, and every way in which the file can be wrong.
 * Cannot prove: that the flake reads the same file the same way (the tests of nix/ do).
 */
import assert from "node:assert/strict";
import { parseRepositoryFile } from "../../program/repositoryFile";

const GOOD = { owner: "octo", name: "server", branch: "main", access: "deploy-key" };
const parse = (content: unknown) => parseRepositoryFile(JSON.stringify(content));

describe("parseRepositoryFile", () => {
  it("reads the four fields", () => assert.deepEqual(parse(GOOD), { value: GOOD, problems: [] }));

  it("asks for an owner while there is none", () => {
    assert.deepEqual(parse({ ...GOOD, owner: "" }).problems, [
      "nix/repository.json, owner: is empty. Write your GitHub user or organization there; " +
        "the machine will follow its repository.",
    ]);
  });

  it("says that a text is no JSON", () => {
    const { value, problems } = parseRepositoryFile("{");
    assert.equal(value, undefined);
    assert.match(problems.join("\n"), /^nix\/repository\.json: is not JSON: .+\.$/);
  });

  for (const content of [null, [], 1, "octo/server"]) {
    it(`refuses ${JSON.stringify(content)} in place of an object`, () => {
      const { value, problems } = parse(content);
      assert.equal(value, undefined);
      assert.deepEqual(problems, [
        `nix/repository.json: got ${JSON.stringify(content)}; allowed: an object with the fields owner, name, branch, access.`,
      ]);
    });
  }

  it("refuses a field that it does not know", () => {
    assert.deepEqual(parse({ ...GOOD, onwer: "x" }).problems, [
      'nix/repository.json: got the field "onwer"; allowed: owner, name, branch, access.',
    ]);
  });

  it("gives no value while a field is missing or is no text", () => {
    assert.deepEqual(parse({ owner: "octo", name: "server", branch: 1 }), {
      value: undefined,
      problems: [
        "nix/repository.json, branch: got 1; allowed: a text.",
        "nix/repository.json, access: got undefined; allowed: a text.",
      ],
    });
  });

  it("reports all problems at once", () => {
    const { problems } = parse({ owner: "oc/to", name: "ser ver", branch: "*", access: "ssh" });
    assert.deepEqual(
      problems.map((problem) => problem.split("; allowed")[0]),
      [
        'nix/repository.json, owner: got "oc/to"',
        'nix/repository.json, name: got "ser ver"',
        'nix/repository.json, branch: got "*"',
        'nix/repository.json, access: got "ssh"',
      ],
    );
  });
});
