// A link that breaks in each phase of a deployment, by the proxy of the loopback bench: the deployment tries again
// where that is safe, and ends with a machine that is whole. A frozen one: deploy-frozen.spec.ts.
import assert from "node:assert/strict";
import { Deployment, deploy } from "../../cli/rehearse/machine";
import { useBench } from "../support/bench";
import { phases } from "../support/phases";
import {
  activations,
  assertClientLeftClean,
  assertMachineLeftClean,
  assertSystem,
  systemOf,
} from "../../cli/rehearse/machine/state";

describe("a deployment over a bad link", () => {
  const it = useBench();

  for (const [name, phase] of Object.entries(phases)) {
    it(`succeeds when its connections are reset while ${name}`, async (bench) => {
      const setting = await bench.fresh(phase.machine);
      phase.prepare?.(setting);
      const deployment = bench.track(await Deployment.start(setting, phase.attribute, phase.inputs));
      await deployment.until("the phase", () => phase.reached(setting));
      setting.proxy.reset();
      const system = systemOf(await deployment.result());
      await assertSystem(setting.machine, system);
      assert.deepEqual(await activations(setting.machine), [`switch ${system}`]);
      await assertMachineLeftClean(setting.machine);
      await assertClientLeftClean(setting);
    });
  }

  it("succeeds over a slow one", async (bench) => {
    const setting = await bench.fresh();
    setting.proxy.delayMilliseconds = 100;
    await assertSystem(setting.machine, systemOf(await deploy(setting)));
  });
});
