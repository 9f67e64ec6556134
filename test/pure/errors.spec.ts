/**
 * errors.ts: the form of messages, and when a component's arguments are checked.
 * Cannot prove: how the engine prints a ResourceError (without "unhandled exception" and stack, by its third argument).
 */
import assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import { ArgumentRules, type ValueRule, problem, problemList, quote } from "../../components/values/errors";
import { awaitedFacts } from "../support/awaited";
import { cloud } from "../support/cloud";
import { refusal, run } from "../support/mocks";

const even: ValueRule<number> = (property, value) =>
  value % 2 === 0 ? [] : [problem(property, quote(value), "an even number")];

class Part extends pulumi.ComponentResource {
  constructor(name: string) {
    super("nixos:index:Part", name);
  }
}

describe("problem", () => {
  it("names property, value and what is allowed", () => {
    assert.equal(problem("port", "0", "1 to 9"), "port: got 0; allowed: 1 to 9.");
  });

  it("ends with the way out, where there is one", () => {
    assert.equal(problem("port", "0", "1 to 9", "Take 5."), "port: got 0; allowed: 1 to 9. Take 5.");
  });
});

describe("shown", () => {
  it("makes control characters visible", () => assert.equal(quote("a\r\n\u001b[31m"), '"a\\r\\n\\u001b[31m"'));
  it("tells numbers from texts", () => assert.deepEqual([quote(1), quote("1")], ["1", '"1"']));
  it("shows what JSON cannot", () => assert.equal(quote(undefined), "undefined"));

  it("cuts long values", () => {
    assert.equal(quote("x".repeat(118)).length, 120);
    assert.equal(quote("x".repeat(119)), `"${"x".repeat(116)}…`);
  });
});

describe("problemList", () => {
  it("counts one", () => assert.equal(problemList("The stack", ["a"]), "The stack has 1 problem:\n  - a"));
  it("lists several", () => assert.equal(problemList("It", ["a", "b"]), "It has 2 problems:\n  - a\n  - b"));
});

describe("ArgumentChecks", () => {
  it("reports all problems of plain values in one error of the component", async () => {
    const { error } = await refusal(cloud(), () => {
      const checks = new ArgumentRules(new Part("it"), "It");
      void checks.input("a", 1, even);
      void checks.input("b", 2, even);
      checks.plain("c", 3, even);
      void checks.inputs("d", [4, 5], even);
      checks.refuseProblems();
    });
    assert.ok(pulumi.ResourceError.isInstance(error));
    assert.equal(
      error.message,
      "It has 3 problems:\n" +
        "  - a: got 1; allowed: an even number.\n" +
        "  - c: got 3; allowed: an even number.\n" +
        "  - d[1]: got 5; allowed: an even number.",
    );
    assert.equal(error.hideStack, true);
  });

  it("says nothing when there is no problem", async () => {
    await run(cloud(), () => new ArgumentRules(new Part("it"), "It").refuseProblems());
  });

  it("gives plain values back as they are", async () => {
    const { result } = await run(cloud(), () => new ArgumentRules(new Part("it"), "It").input("a", 2, even));
    assert.equal(result, 2);
  });

  it("gives the value of an output back once it is known, and keeps it secret", async () => {
    const { result } = await run(cloud(), () =>
      new ArgumentRules(new Part("it"), "It").input("a", pulumi.secret(2), even),
    );
    const { value, secret } = await awaitedFacts(result as pulumi.Output<number>);
    assert.deepEqual({ value, secret }, { value: 2, secret: true });
  });

  it("fails an output, or a promise, with the same message", async () => {
    for (const input of [pulumi.output(1), Promise.resolve(1)]) {
      const { error } = await refusal(cloud(), () => new ArgumentRules(new Part("it"), "It").input("a", input, even));
      assert.equal(error.message, "It has 1 problem:\n  - a: got 1; allowed: an even number.");
    }
  });

  it("names the part that a composite checks before it makes it", async () => {
    const { error } = await refusal(cloud(), () => {
      const checks = new ArgumentRules(new Part("it"), "It");
      checks.ifPlain("a", 1, even);
      void checks.of("part").inputs("b", [2, 3], even);
      checks.refuseProblems();
    });
    assert.deepEqual(error.message.match(/- [^:]+/g), ["- a", "- part.b[1]"]);
  });

  it("leaves outputs to the part that uses them", async () => {
    await run(cloud(), () => {
      const checks = new ArgumentRules(new Part("it"), "It");
      checks.ifPlain("a", pulumi.output(1), even);
      void checks.of("part").input("b", pulumi.output(1), even);
      checks.refuseProblems();
    });
  });

  it("does not fail on an output that a preview cannot know", async () => {
    const unknown = pulumi.output(Promise.resolve(pulumi.unknown as number));
    await run(cloud(), () => new ArgumentRules(new Part("it"), "It").input("a", unknown, even), true);
  });
});
