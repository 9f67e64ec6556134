/**
 * repositoryNames.ts on GitHub's and git's rules of names; branches are compared with git itself.
 * Cannot prove: that an owner or repository exists.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fc from "fast-check";
import {
  branchName,
  ownerName,
  repositoryName,
  REQUIRED_CHECKS,
  requiredCheckNames,
} from "../../components/values/repositoryNames";
import { requireCommands } from "../require";

const OWNER = "a GitHub user or organization: 1 to 39 letters, digits and single hyphens, none at an end";
const NAME = "a GitHub repository name: 1 to 100 letters, digits, hyphens, dots and underscores";
const BRANCH = 'a branch\'s plain name such as "main", without refs/heads/ and wildcards';
const CHECKS = 'at least one check name, each once, such as "Evaluate flake.nix" and "nixosConfig default"';

describe("ownerName", () => {
  for (const owner of ["octo", "o", "octo-org", "Octo9", "x".repeat(39), "octocat_acme", "o-c-t_abcd1234"]) {
    it(`takes ${owner}`, () => assert.deepEqual(ownerName("owner", owner), []));
  }

  for (const owner of [
    "",
    "-octo",
    "octo-",
    "oc--to",
    "oc_to",
    "octo_",
    "_acme",
    "octo_acme_x",
    "octo_abcdefghi",
    `${"x".repeat(36)}_acme`,
    "octo-_acme",
    "oc to",
    "oc/to",
    "octo\n",
    "öcto",
    "a;b",
    "x".repeat(40),
  ]) {
    it(`refuses ${JSON.stringify(owner)}`, () => {
      assert.deepEqual(ownerName("owner", owner), [`owner: got ${JSON.stringify(owner)}; allowed: ${OWNER}.`]);
    });
  }
});

describe("repositoryName", () => {
  for (const name of ["server", "my.server_1-x", ".github", "x".repeat(100)]) {
    it(`takes ${name}`, () => assert.deepEqual(repositoryName("name", name), []));
  }

  for (const name of [
    "",
    ".",
    "..",
    "server.git",
    "ser ver",
    "ser/ver",
    "server\n",
    "größe",
    "$(id)",
    "x".repeat(101),
  ]) {
    it(`refuses ${JSON.stringify(name)}`, () => {
      assert.deepEqual(repositoryName("name", name), [`name: got ${JSON.stringify(name)}; allowed: ${NAME}.`]);
    });
  }
});

describe("branchName", () => {
  for (const branch of ["main", "release/26.05", "a-b_c.d", "user@host", "9"]) {
    it(`takes ${branch}`, () => assert.deepEqual(branchName("branch", branch), []));
  }

  for (const branch of [
    ..."* main* rel/* -x /x x/ x//y x..y x.lock x.lock/y x. .x x/.y x@{1} x~1 x^ x:y x?y [x] @".split(" "),
    ...["", "x y", "x\n", "x\\y", "größe", "$(id)"],
  ]) {
    it(`refuses ${JSON.stringify(branch)}`, () => {
      assert.deepEqual(branchName("branch", branch), [`branch: got ${JSON.stringify(branch)}; allowed: ${BRANCH}.`]);
    });
  }

  it("takes nothing that git refuses", function () {
    requireCommands(this, "git", "git");
    const unit = fc.constantFrom(...["a", "/", ".", "-", "@", "{", ".lock", "_", "+", "~", "9"]);
    const taken = fc
      .sample(fc.string({ unit, minLength: 1, maxLength: 6 }), { numRuns: 2000, seed: 1 })
      .filter((branch) => branchName("branch", branch).length === 0);
    const chosen = [...new Set(taken)].slice(0, 60);
    assert.ok(chosen.length > 40);
    // One git for all of them: it reads the names as arguments of a loop.
    const script = 'for name; do git check-ref-format --branch "$name" >/dev/null 2>&1 || echo "$name"; done';
    const { status, stdout } = spawnSync("sh", ["-c", script, "sh", ...chosen], { encoding: "utf8" });
    assert.deepEqual({ status, refused: stdout }, { status: 0, refused: "" });
  });
});

describe("requiredCheckNames", () => {
  it("takes the two of the book, which are the default", () => {
    assert.deepEqual(REQUIRED_CHECKS, ["Evaluate flake.nix", "nixosConfig default"]);
    assert.deepEqual(requiredCheckNames("requiredChecks", REQUIRED_CHECKS), []);
  });

  it("refuses an empty list and tells the way to protect nothing", () => {
    assert.deepEqual(requiredCheckNames("requiredChecks", []), [
      `requiredChecks: got []; allowed: ${CHECKS}. To protect nothing set branchProtection to "off".`,
    ]);
  });

  it("refuses an empty name", () => {
    for (const name of ["", "  "]) {
      assert.deepEqual(requiredCheckNames("requiredChecks", ["a", name]), [
        `requiredChecks: got ["a",${JSON.stringify(name)}]; allowed: ${CHECKS}. One of them is empty.`,
      ]);
    }
  });

  it("refuses a name that is there twice", () => {
    assert.deepEqual(requiredCheckNames("requiredChecks", ["a", "b", "a"]), [
      `requiredChecks: got ["a","b","a"]; allowed: ${CHECKS}. Twice: "a".`,
    ]);
  });

  it("refuses what is no list of texts", () => {
    assert.equal(requiredCheckNames("requiredChecks", "a" as never).length, 1);
    assert.equal(requiredCheckNames("requiredChecks", [1] as never).length, 1);
  });
});
