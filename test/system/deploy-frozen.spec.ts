// A link that freezes in each phase of a deployment, by the proxy of the loopback bench: the deployment
// notices by its keep-alives, tries again where that is safe, and ends with a machine that is whole.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
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

describe("a deployment over a link that freezes", () => {
  const it = useBench();

  for (const [name, phase] of Object.entries(phases)) {
    it(`succeeds when its link freezes for 12 seconds while ${name}`, async (bench) => {
      const setting = await bench.fresh(phase.machine);
      phase.prepare?.(setting);
      const deployment = bench.track(await Deployment.start(setting, phase.attribute, phase.inputs));
      await deployment.until("the phase", () => phase.reached(setting));
      setting.proxy.set("freeze");
      await sleep(12_000);
      setting.proxy.delayMilliseconds = 0;
      setting.proxy.set("pass");
      const system = systemOf(await deployment.result());
      await assertSystem(setting.machine, system);
      assert.deepEqual(await activations(setting.machine), [`switch ${system}`]);
      await assertMachineLeftClean(setting.machine);
      await assertClientLeftClean(setting);
    });
  }

  // Fault 13
  it("gives up on a link that stays frozen, in bounded time, and the next run does not wait for its lease", async (bench) => {
    const setting = await bench.fresh();
    const building = phases["building"] ?? assert.fail();
    const deployment = bench.track(await Deployment.start(setting, building.attribute));
    await deployment.until("the build", () => building.reached(setting));
    setting.proxy.set("freeze");
    const result = await deployment.result();
    assert.notEqual(result.code, 0);
    assert.match(result.stderr, /connection/i);
    setting.proxy.set("pass");
    assert.deepEqual(await activations(setting.machine), []);
    await assertClientLeftClean(setting);
    console.log(`      gave up after ${Math.round(result.milliseconds / 1000)} s`);
    await assertSystem(setting.machine, systemOf(await deploy(setting)));
  });
});
