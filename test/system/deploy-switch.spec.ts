// The switch and its confirmation, with every way in which they fail, on the loopback bench: the guard's timers, the
// units and the way back are those of a real systemd. Each test begins with a machine that was never deployed to, so
// all of it holds for the first deployment too.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { Deployment, deploy, until, type Machine, type Result } from "../../cli/rehearse/machine";
import { useBench, type Bench } from "../support/bench";
import {
  activations,
  assertClientLeftClean,
  assertMachineLeftClean,
  assertSystem,
  isHeld,
  newestLog,
  rejectedSystems,
  systemState,
  systemOf,
} from "../../cli/rehearse/machine/state";

/** The machine is back where it was, the deployment failed and says so, and the system is remembered as rejected. */
async function assertRolledBack(setting: Bench, result: Result): Promise<void> {
  const { machine } = setting;
  assert.notEqual(result.code, 0);
  assert.equal(result.stdout, "");
  assert.match(result.stderr, /rolled back|went back/i);
  assert.ok(result.stderr.includes(machine.initialSystem), `says to what:\n${result.stderr}`);
  assert.ok(result.stderr.includes(newestLog(setting).file), `names the log:\n${result.stderr}`);
  await assertSystem(machine, machine.initialSystem);
  const [attempt = ""] = await activations(machine);
  assert.match(attempt, /^switch /);
  assert.deepEqual(await rejectedSystems(machine), [attempt.replace("switch ", "")]);
  assert.equal(await machine.output("systemctl is-active sshd.service"), "active");
  await assertMachineLeftClean(machine);
  await assertClientLeftClean(setting);
}

async function isSwitching(machine: Machine): Promise<boolean> {
  return (await activations(machine)).length > 0;
}

async function hasSwitched(machine: Machine): Promise<boolean> {
  const script = "systemctl show --property=ActiveState --value nixos-rebuild-switch-to-configuration.service";
  return (await isSwitching(machine)) && (await machine.output(script)) === "inactive";
}

/** The unit that the double of nixos-rebuild switches in. */
function nameSwitchUnit(setting: Bench, unit: string): void {
  setting.client.env["NIXOS_REBUILD_DOUBLE_UNIT"] = unit;
}

describe("the switch of a deployment", () => {
  const it = useBench();

  // Fault 14
  it("ends whole and is confirmed, when the SSH session on the machine is killed", async (bench) => {
    const setting = await bench.fresh();
    const deployment = bench.track(await Deployment.start(setting, "slowActivation"));
    await deployment.until("the switch", () => isSwitching(setting.machine));
    await setting.machine.output("pkill -KILL -f '^sshd: root'");
    await assertSystem(setting.machine, systemOf(await deployment.result()));
    assert.equal((await activations(setting.machine)).length, 1);
    await assertMachineLeftClean(setting.machine);
  });

  it("is undone by the machine itself, when no new connection confirms it", async (bench) => {
    const setting = await bench.fresh();
    const deployment = bench.track(await Deployment.start(setting, "slowActivation", { DEPLOY_CONFIRM_SECONDS: "5" }));
    await deployment.until("the switch", () => isSwitching(setting.machine));
    setting.proxy.set("freeze");
    await until("the switch to end", () => hasSwitched(setting.machine));
    // Without any connection: only the machine can do this.
    await until(
      "the way back",
      async () => (await systemState(setting.machine)).current === setting.machine.initialSystem,
    );
    setting.proxy.set("pass");
    await assertRolledBack(setting, await deployment.result());
  });

  // Fault 6
  it("is undone by the machine itself, when the new system cuts off SSH", async (bench) => {
    const setting = await bench.fresh();
    const result = await deploy(setting, "cutsOffSsh", { DEPLOY_CONFIRM_SECONDS: "5" });
    await assertRolledBack(setting, result);
  });

  // Fault 5
  it("is undone at once, when the activation fails", async (bench) => {
    const setting = await bench.fresh();
    // Longer than a test may take: whoever waited for the confirmation would hang.
    const result = await deploy(setting, "activationFails", { DEPLOY_CONFIRM_SECONDS: "3600" });
    await assertRolledBack(setting, result);
    assert.match(result.stderr, /snippet 'bench' failed/);
  });

  // Fault 8
  it("is undone at once, when the boot loader cannot be installed", async (bench) => {
    const setting = await bench.fresh();
    const result = await deploy(setting, "bootloaderFails", { DEPLOY_CONFIRM_SECONDS: "3600" });
    await assertRolledBack(setting, result);
    assert.match(result.stderr, /Failed to install bootloader/);
  });

  /** The flake of a machine that reads its repository with a token. */
  async function readByToken({ project }: Bench): Promise<void> {
    const file = path.join(project.folder, "nix/repository.json");
    fs.writeFileSync(file, fs.readFileSync(file, "utf8").replace("deploy-key", "token"));
    await project.git("commit", "--quiet", "--all", "--message", "Read with a token");
  }

  // Fault 37
  it("is undone, when the new system reads its repository with a token that GitHub refuses", async (bench) => {
    const setting = await bench.fresh();
    await readByToken(setting);
    const result = await deploy(setting, "tokenRefused");
    assert.notEqual(result.code, 0);
    assert.match(result.stderr, /going back: GitHub refuses the token: it has expired or was revoked\./);
    await until("the way back", async () => !(await isHeld(setting.machine)));
    await assertSystem(setting.machine, setting.machine.initialSystem);
    // The token is to blame: the same system is installed when it is another one.
    assert.deepEqual(await rejectedSystems(setting.machine), []);
    await assertMachineLeftClean(setting.machine);
  });

  it("stays, when the first system has no token yet, and when a machine with a deploy key has another trouble", async (bench) => {
    const setting = await bench.fresh();
    await assertSystem(setting.machine, systemOf(await deploy(setting, "tokenRefused")));
    const another = await bench.fresh();
    await readByToken(another);
    await assertSystem(another.machine, systemOf(await deploy(another, "tokenMissing")));
  });

  // Fault 54
  it("says how a system is installed that only a restart can lead to", async (bench) => {
    const setting = await bench.fresh();
    const result = await deploy(setting, "needsRestart");
    assert.notEqual(result.code, 0);
    assert.match(result.stderr, /dbus-implementation : dbus -> broker/);
    const [, command] = /^ *(?:- )?ssh root@\S+ '(nix-env .*) && systemctl reboot'$/m.exec(result.stderr) ?? [];
    assert.ok(command !== undefined, result.stderr);
    const { machine } = setting;
    await assertSystem(machine, machine.initialSystem);
    await machine.output(command);
    const { profile, boot } = await systemState(machine);
    assert.match(profile, /-needsRestart$/);
    assert.equal(boot, profile);
    // The restart.
    await machine.output(`ln -sfn ${profile} /run/current-system`);
    assert.equal(systemOf(await deploy(setting, "needsRestart")), profile);
  });

  // Fault 7
  it("is undone when it takes longer than it may", async (bench) => {
    const setting = await bench.fresh();
    const result = await deploy(setting, "activationHangs", {
      // A busy computer needs some of them to begin it.
      DEPLOY_SWITCH_SECONDS: "20",
      DEPLOY_CONFIRM_SECONDS: "5",
    });
    await assertRolledBack(setting, result);
    assert.match(result.stderr, /20 s|too long|switchSeconds/);
    assert.notEqual((await setting.machine.run("pgrep -x sleep")).code, 0, "the hanging activation still runs");
  });

  it("returns to the system of the last good deployment, not further", async (bench) => {
    const setting = await bench.fresh();
    const good = systemOf(await deploy(setting));
    const result = await deploy(setting, "activationFails");
    assert.notEqual(result.code, 0);
    assert.ok(result.stderr.includes(good), result.stderr);
    await assertSystem(setting.machine, good);
  });

  it("is guarded too in a unit whose name has a suffix, as some nixos-rebuild give it", async (bench) => {
    const setting = await bench.fresh();
    nameSwitchUnit(setting, "nixos-rebuild-switch-to-configuration-1a2b3c4d");
    const result = await deploy(setting, "cutsOffSsh", { DEPLOY_CONFIRM_SECONDS: "5" });
    await assertRolledBack(setting, result);
    await assertSystem(setting.machine, systemOf(await deploy(setting)));
    await assertMachineLeftClean(setting.machine);
  });

  // Fault 55
  it("is undone when it passed the guard by, in a unit of another name", async (bench) => {
    const setting = await bench.fresh();
    nameSwitchUnit(setting, "some-switch");
    const result = await deploy(setting);
    assert.notEqual(result.code, 0);
    assert.match(result.stderr, /switched past its guard/);
    await until("the end of the way back", async () => {
      const state = await setting.machine.output("cat /run/nixos-deploy/guard/state");
      return state === "rolled-back interrupted" && !(await isHeld(setting.machine));
    });
    await assertSystem(setting.machine, setting.machine.initialSystem);
    // Nothing was wrong with it.
    assert.deepEqual(await rejectedSystems(setting.machine), []);
    await assertMachineLeftClean(setting.machine);
  });

  it("is followed by a good one like any other, after it was undone", async (bench) => {
    const setting = await bench.fresh();
    const rejected = await deploy(setting, "cutsOffSsh", { DEPLOY_CONFIRM_SECONDS: "5" });
    assert.notEqual(rejected.code, 0);
    const system = systemOf(await deploy(setting));
    await assertSystem(setting.machine, system);
    assert.equal((await rejectedSystems(setting.machine)).includes(system), false);
    await assertMachineLeftClean(setting.machine);
  });

  // Fault 9
  it("keeps a first system whose units failed, names them and fails, and so does the next deployment", async (bench) => {
    const setting = await bench.fresh();
    for (const switches of [1, 1]) {
      const result = await deploy(setting, "dies");
      assert.equal(result.code, 4, result.stderr);
      assert.match(result.stderr, /some units failed: bench-dies\.service/);
      assert.match(result.stderr, /allowFailedUnits/);
      const { current, profile, boot } = await systemState(setting.machine);
      assert.match(current, /-dies$/);
      assert.deepEqual([profile, boot], [current, current]);
      assert.equal((await activations(setting.machine)).length, switches);
    }
    assert.deepEqual(await rejectedSystems(setting.machine), []);
    await assertMachineLeftClean(setting.machine);
  });

  // Fault 67
  it("is undone, when units of a later system die, and says which", async (bench) => {
    const setting = await bench.fresh();
    const good = systemOf(await deploy(setting));
    const result = await deploy(setting, "dies");
    assert.equal(result.code, 1, result.stderr);
    assert.match(
      result.stderr,
      /^Units failed, or died again and again, after the switch: bench-dies\.service\. The machine rolled back to /m,
    );
    await assertSystem(setting.machine, good);
    assert.match((await rejectedSystems(setting.machine)).join(), /-dies$/);
    await assertMachineLeftClean(setting.machine);
    const allowed = await deploy(setting, "dies", { DEPLOY_ALLOW_FAILED_UNITS: "true" });
    assert.match(systemOf(allowed), /-dies$/);
    assert.match(allowed.stderr, /warning: .* some units failed: bench-dies\.service/);
  });

  // Fault 70
  it("is not made to what only a restart can lead to, and says how it is installed", async (bench) => {
    const setting = await bench.fresh();
    const { machine } = setting;
    const result = await deploy(setting, "otherInit");
    assert.equal(result.code, 1);
    assert.match(
      result.stderr,
      /^Only a restart can bring the machine to this system, as its init differs; nothing was activated\./m,
    );
    assert.match(result.stderr, /ssh root@\S+ 'nix-env .* && systemctl reboot'/);
    assert.doesNotMatch(result.stderr, /rolled back|activation failed/);
    await assertSystem(machine, machine.initialSystem);
    assert.deepEqual(await rejectedSystems(machine), []);
    assert.equal((await activations(machine)).filter((line) => line.startsWith("test ")).length, 0);
  });

  it("says that a new kernel needs a restart, and what an activation complained of", async (bench) => {
    const setting = await bench.fresh();
    const kernel = await deploy(setting, "newKernel");
    assert.match(systemOf(kernel), /-newKernel$/);
    assert.match(kernel.stderr, /the new kernel runs after a restart only: ssh root@\S+ systemctl reboot/);
    const user = await deploy(setting, "userActivationFails");
    assert.match(systemOf(user), /-userActivationFails$/);
    assert.match(user.stderr, /in the activation: warning: user activation for root failed; no unit fails/);
    assert.doesNotMatch((await deploy(setting)).stderr, /restart only/);
  });

  it("succeeds with a warning about failed units, where they are allowed", async (bench) => {
    const setting = await bench.fresh();
    const result = await deploy(setting, "failedUnits", { DEPLOY_ALLOW_FAILED_UNITS: "true" });
    await assertSystem(setting.machine, systemOf(result));
    assert.match(result.stderr, /bench-broken\.service/);
  });
});
