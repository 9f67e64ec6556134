import assert from "node:assert/strict";
import { only, plainInputs, TYPES } from "../../cli/rehearse/records";
import { environments } from "./definitions";
import { describeExample } from "./describeExample";

describeExample(environments, (stage) => {
  it("makes one repository, and keeps it whatever becomes of the stacks", () => {
    assert.deepEqual([...stage().fakes.github.repositories.keys()], ["environments"]);
    assert.equal(plainInputs(only(stage().run("shared"), TYPES.repository))["archiveOnDestroy"], false);
  });

  it("protects the branch of each environment, and lets each machine read the repository", () => {
    const { protections, deployKeys } = stage().fakes.github.repository("environments")!;
    assert.deepEqual([...protections.values()].map(({ pattern }) => pattern).sort(), ["main", "production"]);
    assert.deepEqual([...deployKeys.values()].map(({ title }) => title).sort(), [
      "dev (read-only)",
      "prod (read-only)",
    ]);
  });

  it("takes the size of each machine from the stack's file", () => {
    const size = (stack: string) => plainInputs(only(stage().run(stack), TYPES.instance))["instanceType"];
    assert.deepEqual([size("dev"), size("prod")], ["t3.small", "t3.medium"]);
  });
});
