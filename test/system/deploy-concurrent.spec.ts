// Several things that want to install a system at once, on the loopback bench.
import assert from "node:assert/strict";
import { Deployment, deploy } from "../../cli/rehearse/machine";
import { useBench } from "../support/bench";
import {
  activations,
  assertClientLeftClean,
  assertMachineLeftClean,
  assertSystem,
  isHeld,
  systemOf,
} from "../../cli/rehearse/machine/state";

describe("a deployment that is not alone", () => {
  const it = useBench();

  it("waits for another one, then installs its own system", async (bench) => {
    const setting = await bench.fresh();
    const first = bench.track(await Deployment.start(setting, "slowActivation"));
    await first.until("the first switch", async () => (await activations(setting.machine)).length > 0);
    const second = bench.track(await Deployment.start(setting, "second"));
    const [one, two] = [systemOf(await first.result()), systemOf(await second.result())];
    assert.deepEqual(await activations(setting.machine), [`switch ${one}`, `switch ${two}`]);
    await assertSystem(setting.machine, two);
    await assertMachineLeftClean(setting.machine);
    await assertClientLeftClean(setting);
  });

  // Fault 32
  it("says who holds the machine, when the other one takes longer than it may wait", async (bench) => {
    const setting = await bench.fresh();
    const first = bench.track(await Deployment.start(setting, "activationHangs", { DEPLOY_SWITCH_SECONDS: "3600" }));
    await first.until("the first switch", async () => (await activations(setting.machine)).length > 0);
    const second = await deploy(setting, "second", { DEPLOY_WAIT_SECONDS: "5" });
    assert.notEqual(second.code, 0);
    assert.match(second.stderr, new RegExp(`process ${first.pid}\\b`));
    assert.equal((await activations(setting.machine)).length, 1);
    // The second's failure has not taken the first one's hold away.
    assert.equal(await isHeld(setting.machine), true);
  });

  it("does not take a machine that runs its system for one at rest while another one has the lease", async (bench) => {
    const setting = await bench.fresh();
    systemOf(await deploy(setting));
    await setting.machine.output(`echo "other $(($(date +%s) + 600)) you@there process 1" >/run/nixos-deploy/lease`);
    const result = await deploy(setting, "default", { DEPLOY_WAIT_SECONDS: "2" });
    assert.notEqual(result.code, 0, result.stdout);
    assert.match(result.stderr, /another deployment is under way: you@there process 1/);
    assert.equal((await activations(setting.machine)).length, 1);
  });

  it("lets two that start in the same moment both succeed, one after the other", async (bench) => {
    const setting = await bench.fresh();
    const [first, second] = await Promise.all(["default", "second"].map((attribute) => deploy(setting, attribute)));
    assert.ok(first !== undefined && second !== undefined);
    const systems = [systemOf(first), systemOf(second)];
    const switched = (await activations(setting.machine)).map((line) => line.replace("switch ", ""));
    assert.deepEqual([...switched].sort(), [...systems].sort());
    await assertSystem(setting.machine, switched.at(-1) ?? "");
    await assertMachineLeftClean(setting.machine);
  });

  it("lets an automatic upgrade that runs end first", async (bench) => {
    const setting = await bench.fresh();
    await setting.machine.output(
      "systemd-run --quiet --no-block --collect --service-type=oneshot --unit=nixos-upgrade /bin/sh -c 'until test -e /run/go; do /bin/sleep 0.1; done; /bin/touch /run/upgraded'",
    );
    const deployment = bench.track(await Deployment.start(setting));
    await deployment.until("the wait", () => /automatic upgrade is running/.test(deployment.stderr));
    assert.deepEqual(await activations(setting.machine), []);
    // No further one may start meanwhile.
    assert.equal(await isHeld(setting.machine), true);
    await setting.machine.output("touch /run/go");
    const system = systemOf(await deployment.result());
    await setting.machine.output("test -e /run/upgraded");
    await assertSystem(setting.machine, system);
    await assertMachineLeftClean(setting.machine);
  });

  it("gives up on an automatic upgrade that does not end, and lets go of the machine", async (bench) => {
    const setting = await bench.fresh();
    await setting.machine.output(
      "systemd-run --quiet --no-block --service-type=oneshot --unit=nixos-upgrade /bin/sleep 3600",
    );
    const result = await deploy(setting, "default", { DEPLOY_WAIT_SECONDS: "4" });
    assert.notEqual(result.code, 0);
    assert.match(result.stderr, /upgrade/i);
    assert.deepEqual(await activations(setting.machine), []);
    assert.equal(await isHeld(setting.machine), false);
    assert.equal(await setting.machine.output("systemctl is-active nixos-upgrade.service || true"), "activating");
  });
});
