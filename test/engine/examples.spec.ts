/**
 * The examples under a real Pulumi engine with emulated providers: made, left alone, destroyed.
 * Cannot prove: that AWS and GitHub take it, or that the machine's system builds (test/nix/examples.spec.ts evaluates it).
 */
import assert from "node:assert/strict";
import { EXAMPLES } from "../examples/definitions";
import { ExampleStage, rows } from "../examples/stage";
import type { Run } from "../../cli/rehearse/drivers/driver";
import { requireEngine } from "../support/engine";

const operations = ({ operations = [] }: Run) => [
  ...new Set(operations.filter(({ custom, operation }) => custom && operation !== "read").map((one) => one.operation)),
];

for (const example of EXAMPLES) {
  describe(`the engine: examples/${example.name}`, function () {
    let stage: ExampleStage;
    before(async function () {
      stage = new ExampleStage(example, await requireEngine(this));
    });
    after(() => stage?.stop());

    it("is made, as the preview says", async () => {
      await stage.up();
      for (const { program, previewed, run } of stage.running) {
        assert.deepEqual(rows(run.resources), [...program.resources].sort(), program.folder);
        assert.deepEqual(rows(previewed), rows(run.resources), program.folder);
        assert.deepEqual(operations(run), ["create"], program.folder);
      }
    });

    it("then has nothing to do", async () => {
      const deployed = stage.deployments.length;
      assert.equal(stage.running.length, example.programs.length);
      for (const { after } of await stage.again()) assert.deepEqual(operations(after), ["same"]);
      assert.equal(stage.deployments.length, deployed);
    });

    if (example.protected !== undefined) {
      it("is not destroyed by accident", async () => {
        for (const name of example.protected!)
          await assert.rejects(stage.destroy(), new RegExp(`${name}.*protected`, "s"));
      });
    } else {
      it("is destroyed without a rest", async () => {
        assert.equal(stage.running.length, example.programs.length);
        await stage.destroy();
        const { ec2, github } = stage.fakes;
        const left = [ec2.instances, ec2.addresses, ec2.groups, ec2.keys, stage.elsewhere].map(({ size }) => size);
        assert.deepEqual(left, [0, 0, 0, 0, 0]);
        for (const { deployKeys } of github.repositories.values()) assert.equal(deployKeys.size, 0);
      });
    }
  });
}
