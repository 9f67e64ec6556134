import assert from "node:assert/strict";
import { changedInputs, exposedKeys } from "../../cli/rehearse/records";
import type { Example } from "./definitions";
import { ExampleStage, rows } from "./stage";

/**
 * The tests that every example has: in this process, without an engine. Evaluation and deployment are stood in for; what
 * the example's flake evaluates to is tested by test/nix/examples.spec.ts, and the order of an engine by test/engine/examples.spec.ts.
 */
export function describeExample(example: Example, more: (stage: () => ExampleStage) => void = () => {}): void {
  describe(`examples/${example.name}`, () => {
    let stage: ExampleStage;
    before(async () => {
      stage = new ExampleStage(example);
      await stage.up();
    });
    after(() => stage?.stop());

    it("makes these resources, and tells them in the preview", () => {
      for (const { program, previewed, run } of stage.running) {
        assert.deepEqual(rows(run.resources), [...program.resources].sort(), program.folder);
        assert.deepEqual(rows(previewed), rows(run.resources), program.folder);
      }
    });

    it("deploys these systems, each to the address of a machine of its own", () => {
      const deploys = example.programs.flatMap((program) => program.deploys ?? []);
      const told = (name: string) => stage.deployments.map(({ environment }) => environment[name]).sort();
      assert.deepEqual(told("DEPLOY_FLAKE"), deploys.sort());
      const { instances, addresses } = stage.fakes.ec2;
      const reached = [...instances.values()].map(({ id, ipv6Addresses }) => {
        const elastic = [...addresses.values()].find(({ instanceId }) => instanceId === id);
        return elastic?.publicIp ?? ipv6Addresses[0];
      });
      assert.deepEqual(told("DEPLOY_HOST"), reached.sort());
    });

    it("shows no private key outside secrets", () => {
      for (const { run } of stage.running) assert.deepEqual(exposedKeys(run), []);
    });

    more(() => stage);

    it("then has nothing to do", async () => {
      const deployed = stage.deployments.length;
      for (const { before, after } of await stage.again()) assert.deepEqual(changedInputs(before, after), []);
      assert.equal(stage.deployments.length, deployed);
    });
  });
}
