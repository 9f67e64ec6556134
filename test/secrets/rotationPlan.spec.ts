/**
 * Which step of a rotation comes next, from what configuration, stack and files say.
 * Cannot prove: that the steps do what they say (test/system/secretsRotation.spec.ts walks them with the real tools).
 */
import assert from "node:assert/strict";
import { versionsAfter, nextStep, type RotationFacts, type Step } from "../../cli/secrets/rotationPlan";

/** Facts in which the files are encrypted for these versions. */
function facts(configured: number[], deployed: number[], encrypted: number[] = [deployed[0]!]): RotationFacts {
  const has = (version: number) => encrypted.includes(version);
  return { configured, deployed, encryptedFor: has, stillEncryptedFor: has };
}

describe("the next step of a rotation", () => {
  for (const [step, given] of [
    ["start", facts([1], [1])],
    ["make", facts([1, 2], [1])],
    ["encrypt", facts([1, 2], [1, 2])],
    ["install", facts([1, 2], [1, 2], [1, 2])],
    ["use", facts([2, 1], [1, 2], [1, 2])],
    ["remove", facts([2, 1], [2, 1], [1, 2])],
    ["drop", facts([2, 1], [2, 1], [2])],
    ["destroy", facts([2], [2, 1], [2])],
    ["start", facts([2], [2], [2])],
    ["make", facts([2, 3], [2], [2])],
  ] as [Step, RotationFacts][]) {
    it(`is "${step}" with ${JSON.stringify(given.configured)} configured and ${JSON.stringify(given.deployed)} deployed`, () => {
      assert.equal(nextStep(given), step);
    });
  }

  for (const [what, given] of [
    ["the key in use is dropped before the new one is used", facts([2], [1, 2])],
    ["a key that nobody made is to be used alone", facts([2], [1])],
    ["a key that nobody made is to be used at once", facts([2, 1], [1])],
    ["both keys are others", facts([2, 3], [1])],
  ] as [string, RotationFacts][]) {
    it(`is refused when ${what}, with the way back`, () => {
      const { trouble } = nextStep(given) as { trouble: string };
      assert.equal(
        trouble,
        `keyVersions: got ${JSON.stringify(given.configured)}, but the stack has ${JSON.stringify(given.deployed)}. ` +
          `Set it back to ${JSON.stringify(given.deployed)} in the stack's configuration, and run this again.`,
      );
    });
  }
});

describe("the versions that a step writes", () => {
  it("add the next number, swap, and drop the old one", () => {
    const written = [versionsAfter("start", [3]), versionsAfter("swap", [3, 4]), versionsAfter("drop", [4, 3])];
    assert.deepEqual(written, [[3, 4], [4, 3], [4]]);
  });
});
