// A deployment to a machine that takes only what CI has released. Its program that says so is a double here, which answers
// as upgrade-release.spec.ts shows that the real one does.
import assert from "node:assert/strict";
import { deploy, type Machine } from "../../cli/rehearse/machine";
import {
  assertMachineLeftClean,
  assertSystem,
  activations,
  rejectedSystems,
  systemOf,
} from "../../cli/rehearse/machine/state";
import { useBench } from "../support/bench";

/** Gives the running system the program. */
const program = (machine: Machine, text: string) =>
  machine.output(
    `mkdir -p /run/current-system/etc/nixos-upgrade
     cat >/run/current-system/etc/nixos-upgrade/released; chmod +x /run/current-system/etc/nixos-upgrade/released`,
    { input: `#!/bin/sh\n${text}\n` },
  );

describe("a deployment to a machine that takes only what was released", () => {
  const it = useBench();

  // Fault 136
  it("is refused before the switch where no release names its system", async (bench) => {
    const setting = await bench.fresh();
    const { machine } = setting;
    await program(machine, `echo "$1" >>/run/asked; echo "CI has released nothing yet." >&2; exit 1`);
    const result = await deploy(setting, "second");
    assert.notEqual(result.code, 0);
    assert.match(
      result.stderr,
      /The machine takes only what CI has released, and no release names \/nix\/store\/\S+\.\n.*CI has released nothing yet\./s,
    );
    await assertSystem(machine, machine.initialSystem);
    assert.deepEqual(await activations(machine), []);
    assert.deepEqual(await rejectedSystems(machine), []);
    await assertMachineLeftClean(machine);
    assert.match(await machine.output("cat /run/asked"), /^\/nix\/store\/\S+$/);
  });

  it("is refused where the question has no answer", async (bench) => {
    const setting = await bench.fresh();
    await program(setting.machine, "kill -9 $$");
    const result = await deploy(setting, "second");
    assert.match(result.stderr, /The machine takes only what CI has released/);
    await assertSystem(setting.machine, setting.machine.initialSystem);
  });

  it("goes on where a release names it", async (bench) => {
    const setting = await bench.fresh();
    await program(setting.machine, "exit 0");
    await assertSystem(setting.machine, systemOf(await deploy(setting, "second")));
  });
});
