// Deployments that are killed in each phase and so cannot clean up, on the loopback bench: the next run does, and
// finishes the job.
import assert from "node:assert/strict";
import { Deployment, deploy, until } from "../bench";
import { useBench } from "../bench/hooks";
import { afterPhase, allPhases } from "../bench/phases";
import { assertClientLeftClean, assertMachineLeftClean, assertSystem, systemOf } from "../bench/state";

describe("a deployment that is killed", () => {
  const it = useBench();

  for (const [name, phase] of Object.entries(allPhases)) {
    it(`while ${name} leaves only what the next run clears away, which finishes the job`, async (bench) => {
      const setting = await bench.fresh(phase.machine);
      phase.prepare?.(setting);
      const deployment = bench.track(await Deployment.start(setting, phase.attribute, phase.inputs));
      await deployment.until("the phase", () => phase.reached(setting));
      deployment.signal("SIGKILL");
      assert.equal((await deployment.result()).signal, "SIGKILL");
      await afterPhase(setting);

      // At once, as a person would.
      const next = await deploy(setting, phase.attribute, phase.inputs);
      await assertSystem(setting.machine, systemOf(next));
      assert.doesNotMatch(next.stderr, /another deployment is under way/, "it waited for the lease of the dead one");
      await assertMachineLeftClean(setting.machine);
      const isQuiet = () => Promise.resolve(setting.client.processes().length === 0);
      await until("the end of what the killed one had started", isQuiet);
      await assertClientLeftClean(setting);
    });
  }
});
