/**
 * The checks of plain values: what they let through, and what their messages say.
 * Cannot prove: that the services take everything that passes here.
 */
import assert from "node:assert/strict";
import * as rules from "../../components/values/rules";
import type { ValueRule } from "../../components/values/errors";

describe("checks", () => {
  it("take whole numbers within their limits only", () => {
    const check = rules.wholeNumber(2, 4, "pieces");
    assert.deepEqual(
      [2, 3, 4].flatMap((value) => check("count", value)),
      [],
    );
    for (const value of [1, 5, 2.5, NaN, Infinity]) assert.equal(check("count", value).length, 1, String(value));
    assert.equal(check("count", "3" as never).length, 1);
  });

  it("say property, value, limits, unit and way out of a number", () => {
    const check = rules.wholeNumber(2, 4, "pieces", "Take three.");
    assert.deepEqual(check("count", 9), ["count: got 9; allowed: a whole number of pieces from 2 to 4. Take three."]);
  });

  it("say all the words that are allowed", () => {
    assert.deepEqual(rules.visibility("visibility", "secret"), [
      'visibility: got "secret"; allowed: "private", "public", "internal".',
    ]);
  });

  it("take root volumes from 8 to 16384 GiB", () => {
    assert.deepEqual(
      [8, 20, 16384].flatMap((value) => rules.rootVolumeGiB("rootVolumeGiB", value)),
      [],
    );
    assert.deepEqual(rules.rootVolumeGiB("rootVolumeGiB", 7), [
      "rootVolumeGiB: got 7; allowed: a whole number of GiB from 8 to 16384.",
    ]);
    assert.equal(rules.rootVolumeGiB("rootVolumeGiB", 16385).length, 1);
  });

  const accepted: Record<string, [(property: string, value: string) => string[], string[]]> = {
    subnetId: [rules.subnetId, ["subnet-0123456789abcdef0", "subnet-12345678"]],
    branchProtection: [rules.branchProtection, ["branch", "ruleset", "off"]],
    onDestroy: [rules.onDestroy, ["archive", "retain", "delete"]],
    githubPlan: [rules.githubPlan, ["free", "paid", "unknown"]],
    accessKind: [rules.accessKind, ["deploy-key", "token"]],
    arn: [
      rules.arnOf("s3"),
      ["arn:aws:s3:::builds", "arn:aws-cn:s3:::builds", "arn:aws:s3:eu-west-1:123456789012:accesspoint/x"],
    ],
  };
  for (const [name, [check, values]] of Object.entries(accepted)) {
    for (const value of values) {
      it(`${name} takes ${JSON.stringify(value)}`, () => assert.deepEqual(check("property", value), []));
    }
  }

  const refused: Record<string, [(property: string, value: string) => string[], string[]]> = {
    subnetId: [rules.subnetId, ["", "vpc-12345678", "subnet-123", "subnet-0123456789ABCDEF0", "subnet-12345678\n"]],
    branchProtection: [rules.branchProtection, ["", "none", "Branch"]],
    accessKind: [rules.accessKind, ["", "ssh"]],
    arn: [
      rules.arnOf("s3"),
      [
        "",
        "builds",
        "arn:aws:kms:::builds",
        "arn:aws:s3:::*",
        "arn:aws:s3:::a b",
        " arn:aws:s3:::builds",
        "arn:aws:s3:::",
      ],
    ],
  };
  for (const [name, [check, values]] of Object.entries(refused)) {
    for (const value of values) {
      it(`${name} refuses ${JSON.stringify(value)}, showing it`, () => {
        const problems = check("property", value);
        assert.equal(problems.length, 1);
        assert.ok(problems[0]!.startsWith(`property: got ${JSON.stringify(value)}; allowed: `), problems[0]);
      });
    }
  }

  it("take 0 to 6 reviews", () => {
    assert.deepEqual(
      [0, 1, 6].flatMap((value) => rules.requiredReviews("requiredReviews", value)),
      [],
    );
    assert.equal(rules.requiredReviews("requiredReviews", 7).length, 1);
    assert.equal(rules.requiredReviews("requiredReviews", -1).length, 1);
  });
});

describe("arguments that go together", () => {
  it("are all given or none", () => {
    assert.deepEqual(rules.allOrNone("a and b", [true, true]), []);
    assert.deepEqual(rules.allOrNone("a and b", [false, false]), []);
    for (const given of [
      [true, false],
      [false, true],
    ])
      assert.deepEqual(rules.allOrNone("a and b", given), ["a and b: only one is given. They go together."]);
  });
});

describe("lists", () => {
  for (const [name, check, values, problems] of [
    ["distinct values", rules.unique, ["a", "b"], []],
    ["a value twice", rules.unique, ["a", "b", "a"], ['list: got "a" twice; allowed: each value once.']],
    ["web ports", rules.httpPorts, [80, 443], []],
    ["a port twice", rules.httpPorts, [80, 80], ["list: got 80 twice; allowed: each value once."]],
    [
      "SSH's port among the web server's",
      rules.httpPorts,
      [22],
      ["list: got 22; allowed: ports of a web server. SSH has networks of its own."],
    ],
  ] as const) {
    it(`${problems.length === 0 ? "take" : "refuse"} ${name}`, () => {
      assert.deepEqual((check as unknown as ValueRule<readonly unknown[]>)("list", values), problems);
    });
  }
});
