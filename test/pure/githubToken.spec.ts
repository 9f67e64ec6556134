/**
 * githubToken.ts: the forms of tokens, and that no message repeats one.
 * Cannot prove: that GitHub accepts a token.
 */
import assert from "node:assert/strict";
import { githubToken } from "../../components/values/githubToken";

const message = (got: string) => [
  `github:token: got ${got}; allowed: one line, github_pat_… or ghp_…. Copy the token again, without anything around it.`,
];

describe("githubToken", () => {
  for (const prefix of ["github_pat_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"]) {
    it(`takes ${prefix}…`, () => assert.deepEqual(githubToken("github:token", `${prefix}abcXYZ019`), []));
  }

  it("refuses an empty text", () => assert.deepEqual(githubToken("github:token", ""), message("an empty text")));

  for (const text of ["ghp_abc\n", "ghp_abc\nextra-substituters = x", "ghp_abc\r\n", "\nghp_abc", "github_pat_a\nb"]) {
    it(`refuses ${JSON.stringify(text)}, which would add a setting`, () => {
      assert.deepEqual(githubToken("github:token", text), message("a text of several lines"));
    });
  }

  for (const text of [" ghp_abc", "ghp_abc ", "ghp_", "github_pat_", "ghx_abc", "ghp_ab-c", "ghp_abc ghp_abc", "abc"]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.deepEqual(githubToken("github:token", text), message("a text of another form"));
    });
  }

  it("never shows what it refuses", () => {
    for (const text of ["ghp_s3cret!", "s3cret\nghp_x", "github_pat_s3cret "]) {
      assert.ok(!githubToken("github:token", text)[0]!.includes("s3cret"));
    }
  });
});
