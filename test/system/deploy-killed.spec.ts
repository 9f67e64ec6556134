// Deployments that are killed in each phase and so cannot clean up, on the loopback bench: the next run does, and
// finishes the job.
import assert from "node:assert/strict";
import { Deployment, deploy, output, until } from "../../cli/rehearse/machine";
import { useBench } from "../support/bench";
import { afterPhase, allPhases } from "../support/phases";
import {
  activations,
  assertClientLeftClean,
  assertMachineLeftClean,
  assertSystem,
  systemOf,
} from "../../cli/rehearse/machine/state";

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

  // Fault 71
  it("leaves no connection behind that its nixos-rebuild kept, when that is killed", async (bench) => {
    const setting = await bench.fresh();
    const deployment = bench.track(await Deployment.start(setting, "slowActivation"));
    await deployment.until("the switch", async () => (await activations(setting.machine)).length > 0);
    await output("pkill", ["-KILL", "-f", `${setting.client.folder}/bin/nixos-rebuild`]);
    await assertSystem(setting.machine, systemOf(await deployment.result()));
    // Among them: the end of every SSH session.
    await assertMachineLeftClean(setting.machine);
  });
});
