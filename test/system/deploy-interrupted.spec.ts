// Deployments that are interrupted or killed in each phase, on the loopback bench: what they leave, and that the next
// run finishes the job. A phase is recognized by what happens on the machine or the client, not by what is printed.
import assert from "node:assert/strict";
import { Deployment, deploy, until, type Result } from "../bench";
import { useBench, type Bench } from "../bench/hooks";
import { phases, type Phase } from "../bench/phases";
import {
  assertClientLeftClean,
  assertMachineLeftClean,
  assertSystem,
  filesWithKey,
  isHeld,
  systemState,
} from "../bench/state";

/** Before there is a machine to speak of, and each phase after. */
const interruptible: Record<string, Phase> = {
  "waiting for the machine": {
    attribute: "default",
    machine: { sshd: false },
    reached: async (setting) => (await filesWithKey(setting)).length > 0 && setting.proxy.connections > 0,
  },
  ...phases,
};

/** The machine is up and the link as good as any, whatever the phase needed. */
async function restore({ machine, proxy }: Bench): Promise<void> {
  proxy.delayMilliseconds = 0;
  await machine.output("systemctl start sshd.service");
}

function systemOf(result: Result): string {
  assert.equal(result.code, 0, result.stderr);
  return (JSON.parse(result.stdout) as { systemPath: string }).systemPath;
}

/** Runs a deployment into a phase and ends it there. */
async function endIn(phase: Phase, signal: NodeJS.Signals, setting: Bench, deployment: Deployment): Promise<Result> {
  await deployment.until("the phase", () => phase.reached(setting));
  deployment.signal(signal);
  return await deployment.result(60);
}

describe("a deployment that is interrupted", () => {
  const bench = useBench();

  for (const [name, phase] of Object.entries(interruptible)) {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      it(`by ${signal} while ${name}: cleans up, and the next run finishes the job`, async () => {
        const setting = await bench.fresh(phase.machine);
        phase.prepare?.(setting);
        const deployment = bench.track(await Deployment.start(setting, phase.attribute, phase.inputs));
        const result = await endIn(phase, signal, setting, deployment);
        assert.notEqual(result.code, 0);
        assert.equal(result.stdout, "");
        assert.match(result.stderr, /interrupted/i);
        await assertClientLeftClean(setting);
        await restore(setting);

        // What it began on the machine ends by itself, one way or the other, and nothing is half done.
        await until("the machine to come to rest", () => isAtRest(setting), 60);
        const { current, profile, boot } = await systemState(setting.machine);
        assert.deepEqual([profile, boot], [current, current]);

        await assertSystem(setting.machine, systemOf(await deploy(setting, phase.attribute, phase.inputs)));
        await assertMachineLeftClean(setting.machine);
        await assertClientLeftClean(setting);
      });
    }

    it(`by SIGKILL while ${name}: the next run finishes the job and clears away what was left`, async () => {
      const setting = await bench.fresh(phase.machine);
      phase.prepare?.(setting);
      const deployment = bench.track(await Deployment.start(setting, phase.attribute, phase.inputs));
      const result = await endIn(phase, "SIGKILL", setting, deployment);
      assert.equal(result.signal, "SIGKILL");
      await restore(setting);

      // At once, as a person would: it does not wait until the lease of the dead one has ended.
      const next = await deploy(setting, phase.attribute, phase.inputs);
      await assertSystem(setting.machine, systemOf(next));
      assert.ok(next.milliseconds < 45_000, `${next.milliseconds} ms`);
      await assertMachineLeftClean(setting.machine);
      await until(
        "the end of what the killed one had started",
        () => Promise.resolve(setting.client.processes().length === 0),
        15,
      );
      await assertClientLeftClean(setting);
    });
  }
});

async function isAtRest({ machine }: Bench): Promise<boolean> {
  const running = await machine.output(
    "systemctl list-units --all --no-legend --plain 'nixos-deploy*' nixos-rebuild-switch-to-configuration.service; pgrep -x sleep || true",
  );
  return running === "" && !(await isHeld(machine));
}
