// Deployments that are interrupted in each phase, on the loopback bench: what they leave, and that the next run
// finishes the job. Killed ones: deploy-killed.spec.ts.
import assert from "node:assert/strict";
import { Deployment, deploy, until } from "../../cli/rehearse/machine";
import { useBench, type Bench } from "../support/bench";
import { afterPhase, allPhases } from "../support/phases";
import {
  assertClientLeftClean,
  assertMachineLeftClean,
  assertSystem,
  isHeld,
  systemOf,
  systemState,
} from "../../cli/rehearse/machine/state";

async function isAtRest({ machine }: Bench): Promise<boolean> {
  const running = await machine.output(
    "systemctl list-units --all --no-legend --plain 'nixos-deploy*' nixos-rebuild-switch-to-configuration.service; pgrep -x sleep || true",
  );
  return running === "" && !(await isHeld(machine));
}

describe("a deployment that is interrupted", () => {
  const it = useBench();

  for (const [name, phase] of Object.entries(allPhases)) {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      // Fault 35
      it(`by ${signal} while ${name}: cleans up, and the next run finishes the job`, async (bench) => {
        const setting = await bench.fresh(phase.machine);
        phase.prepare?.(setting);
        const deployment = bench.track(await Deployment.start(setting, phase.attribute, phase.inputs));
        await deployment.until("the phase", () => phase.reached(setting));
        deployment.signal(signal);
        const result = await deployment.result();
        assert.equal(result.code, signal === "SIGINT" ? 130 : 143, result.stderr);
        assert.equal(result.stdout, "");
        assert.match(result.stderr, new RegExp(`Interrupted by ${signal}`));
        await assertClientLeftClean(setting);
        await afterPhase(setting);

        // What it began on the machine ends by itself, one way or the other, and nothing is half done.
        await until("the machine to come to rest", () => isAtRest(setting));
        const { current, profile, boot } = await systemState(setting.machine);
        assert.deepEqual([profile, boot], [current, current]);

        await assertSystem(setting.machine, systemOf(await deploy(setting, phase.attribute, phase.inputs)));
        await assertMachineLeftClean(setting.machine);
        await assertClientLeftClean(setting);
      });
    }
  }
});
