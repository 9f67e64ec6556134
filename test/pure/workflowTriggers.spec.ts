/**
 * workflowTriggers.ts: GitHub's patterns. The table is that of GitHub's documentation ("Workflow syntax for GitHub
 * Actions", "Filter pattern cheat sheet"), with what must not match beside it. Cannot prove: that GitHub's own matcher
 * does what its documentation says.
 */
import assert from "node:assert/strict";
import { runsOnPush, selects } from "../../program/workflowTriggers";

const patterns: [string, string[], string[]][] = [
  // Branches and tags
  ["feature/*", ["feature/my-branch", "feature/your-branch"], ["feature/a/b", "feature"]],
  ["feature/**", ["feature/beta-a/my-branch", "feature/your-branch", "feature/mona/the/octocat"], ["feature"]],
  ["main", ["main"], ["mains", "xmain", "release/main"]],
  ["releases/mona-the-octocat", ["releases/mona-the-octocat"], []],
  ["*", ["main", "releases"], ["all/the/branches"]],
  ["**", ["all/the/branches", "every/tag"], []],
  ["*feature", ["mona-feature", "feature", "ver-10-feature"], ["features"]],
  ["v2*", ["v2", "v2.0", "v2.9"], ["v1", "v2/x"]],
  ["v[12].[0-9]+.[0-9]+", ["v1.10.1", "v2.0.0"], ["v3.0.0", "v1x10x1", "v1.10"]],
  // Paths
  ["*.jsx?", ["page.js", "page.jsx"], ["pagejs", "a/page.js"]],
  ["*.js", ["app.js", "index.js"], ["src/app.js"]],
  ["**.js", ["index.js", "js/index.js", "src/js/app.js"], ["index.jsx"]],
  ["docs/*", ["docs/README.md", "docs/file.txt"], ["docs/a/b.md"]],
  ["docs/**", ["docs/README.md", "docs/mona/octocat.txt"], ["doc/x"]],
  ["docs/**/*.md", ["docs/README.md", "docs/mona/hello-world.md", "docs/a/markdown/file.md"], ["README.md"]],
  ["**/docs/**", ["docs/hello.md", "dir/docs/my-file.txt", "space/docs/plan/space.doc"], ["mydocs/x"]],
  ["**/README.md", ["README.md", "js/README.md"], ["js/MYREADME.md"]],
  ["**/*src/**", ["a/src/app.js", "my-src/code/js/app.js"], ["src"]],
  ["**/*-post.md", ["my-post.md", "path/their-post.md"], ["post.md"]],
  ["**/migrate-*.sql", ["migrate-10909.sql", "db/migrate-v1.0.sql", "db/sept/migrate-v1.sql"], ["migrate.sql"]],
  ["[CB]at", ["Cat", "Bat"], ["cat", "at"]],
  ["[1-2]00", ["100", "200"], ["300"]],
  // Signs that mean something elsewhere
  ["release(1)|main", ["release(1)|main"], ["main", "release1"]],
  ["a^b$", ["a^b$"], ["ab"]],
  ["v1\\+", ["v1+"], ["v11"]],
  ["[z-a]", [], ["z", "[z-a]"]],
];

describe("a pattern of GitHub's", () => {
  for (const [pattern, yes, no] of patterns) {
    it(`${pattern} selects what the documentation says, and nothing near it`, () => {
      for (const name of yes) assert.equal(selects([pattern], name), true, name);
      for (const name of no) assert.equal(selects([pattern], name), false, name);
    });
  }

  it("takes back what was selected, in the order of the list", () => {
    assert.equal(selects(["releases/**", "!releases/**-alpha"], "releases/10-alpha"), false);
    assert.equal(selects(["releases/**", "!releases/**-alpha"], "releases/10"), true);
    assert.equal(selects(["*.md", "!README.md", "README*"], "README.md"), true);
    assert.equal(selects(["!main"], "develop"), false);
  });
});

describe("runsOnPush", () => {
  const cases: [unknown, boolean | undefined][] = [
    ["push", true],
    [["push"], true],
    ["pull_request", undefined],
    [{ push: null }, true],
    [{ push: { branches: ["main"] } }, false],
    [{ push: { branches: ["ma*"] } }, true],
    [{ push: { "branches-ignore": ["master"] } }, false],
    [{ push: { tags: ["v*"] } }, undefined],
    [{ push: { tags: ["v*"], branches: ["master"] } }, true],
  ];
  for (const [on, expected] of cases) {
    it(`of master, with ${JSON.stringify(on)}: ${expected}`, () => assert.equal(runsOnPush(on, "master"), expected));
  }
});
