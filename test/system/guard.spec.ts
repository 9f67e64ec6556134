// The guard of a deployment on the machine, by itself: whatever is killed, runs out of space, loses its power or its time,
// the machine ends in a state that is whole, and nothing of the guard is left. The units, timers and kills are those of a
// real systemd; a power cut is the end of the machine's namespaces, with its disk kept.
import assert from "node:assert/strict";
import { canRunMachine, startMachine, until, type Machine } from "../../cli/rehearse/machine";
import { Guard } from "../../cli/rehearse/machine/guard";
import { assertSystem, rejectedSystems, systemState } from "../../cli/rehearse/machine/state";
import { requireOrSkip } from "../require";

describe("the guard of a deployment", () => {
  let machine: Machine;
  let guard: Guard;
  let initial: string;
  let next: string;

  before(function () {
    const reason = canRunMachine();
    requireOrSkip(this, "systemd", reason === undefined, reason ?? "");
  });
  beforeEach(async () => {
    machine = await startMachine({ nixMegabytes: 128 });
    guard = new Guard(machine);
    initial = machine.initialSystem;
    next = await guard.build();
  });
  afterEach(() => machine?.stop());

  const atRest = async () =>
    (await machine.output(
      `systemctl list-units --all --no-legend --plain 'nixos-deploy*' | cut -d' ' -f1
       ls -d /run/systemd/system/nixos-* /etc/systemd/system.attached /var/lib/nixos-deploy/guard /run/nixos-deploy/lease \\
         /run/nixos-deploy/hold /nix/var/nix/gcroots/nixos-deploy-previous 2>/dev/null || true`,
    )) === "";
  /** The guard came to its end: this system runs and boots, and nothing is left. */
  async function assertEnded(system: string, state: RegExp): Promise<void> {
    await until("the guard's end", async () => state.test(await guard.state()) && (await atRest()));
    await assertSystem(machine, system);
  }
  /** Holds the activation of an action until it is let go, or killed. */
  const holdAt = (action: string) => machine.output(`echo ${action} >/run/bench/hold`);
  const held = () =>
    until("the held activation", async () => (await machine.run("test -e /run/bench/held")).code === 0);
  const letGo = () => machine.output("rm -f /run/bench/hold /run/bench/held");

  describe("that is killed", () => {
    for (const action of ["boot", "test"]) {
      it(`while a rollback is at \`${action}\` starts it again`, async () => {
        await guard.arm(next, { confirmSeconds: 1 });
        await guard.switch(next);
        await holdAt(action);
        await held();
        await letGo();
        await machine.output("systemctl kill --signal=KILL nixos-deploy-rollback.service");
        await assertEnded(initial, /^rolled-back not-confirmed$/);
        assert.deepEqual(await rejectedSystems(machine), [next]);
      });
    }

    // Fault 76
    it("while a child of a rollback is killed for memory tries again", async () => {
      await guard.arm(next, { confirmSeconds: 1 });
      await guard.switch(next);
      await holdAt("test");
      await held();
      await letGo();
      await machine.output("pkill -KILL -f 'switch-to-configuration test'");
      await assertEnded(initial, /^rolled-back not-confirmed$/);
    });

    it("is the last that the kernel ends for memory", async () => {
      await guard.arm(next, { confirmSeconds: 1 });
      await guard.switch(next);
      await holdAt("test");
      await held();
      // What the kernel makes of it needs a privilege that a container may lack.
      const script = "systemctl show --property=OOMScoreAdjust,OOMPolicy,Restart --value nixos-deploy-rollback.service";
      assert.deepEqual((await machine.output(script)).split("\n").sort(), ["-900", "continue", "on-failure"]);
      await letGo();
      await machine.output("pkill -KILL -x sleep");
      await assertEnded(initial, /^rolled-back not-confirmed$/);
    });

    // What a kill between two steps leaves: a state, and none of the units that would lead on from it.
    const states: [string, boolean, RegExp][] = [
      ["armed", false, /^rolled-back switch-did-not-begin$/],
      ["switching", true, /^rolled-back switch-ended-unseen$/],
      ["switched 0", true, /^rolled-back not-confirmed$/],
      ["rolling-back not-confirmed", true, /^rolled-back not-confirmed$/],
      ["rolled-back not-confirmed", false, /^rolled-back not-confirmed$/],
      ["released", false, /^released$/],
    ];
    for (const [state, switched, end] of states) {
      it(`in the state \`${state}\` is resolved by its timer`, async () => {
        await guard.arm(next, { switchSeconds: 4, confirmSeconds: 4 });
        if (switched) {
          await guard.switch(next);
          await machine.output("systemctl stop nixos-deploy-confirm.timer");
        }
        await machine.output(`echo ${state} >/run/nixos-deploy/guard/state`);
        await assertEnded(initial, end);
      });
    }

    for (const step of [
      "keep_guard",
      "put*RESUME_UNIT",
      "mkdir*DROP_IN",
      "systemctl daemon-reload",
      "write_lease",
      "set_state armed",
    ]) {
      it(`while it is armed, at \`${step}\`, is cleared away by its timer, and others may switch`, async () => {
        await guard.takeLease();
        const result = await guard.killedAt(step, "guard.sh", ...guard.arming(next, 1, 1));
        assert.equal(result.stdout, "");
        await assertEnded(initial, /^none$/);
        assert.equal((await guard.switch(next)).code, 0);
      });
    }

    for (const step of ["forget_guard", "disarm", "remember_before", "put*deployed"]) {
      it(`while it is confirmed, at \`${step}\`, keeps the system, and is cleared away`, async () => {
        await guard.arm(next, { switchSeconds: 10, confirmSeconds: 10 });
        await guard.switch(next);
        await guard.killedAt(step, "guard.sh", "confirm", next, "/nix/store/a.drv", "0", "false");
        // What a deployment does last; without it the lease ends by itself.
        if (!/^(forget|disarm)/.test(step)) await guard.call("guard.sh", "abandon", guard.token);
        await assertEnded(next, /^confirmed 0$/);
      });
    }

    it("by a step of a rollback that hangs goes on without it", async () => {
      await guard.arm(next, { confirmSeconds: 1 });
      await machine.output("sed -i 's/^ROLLBACK_SECONDS=.*/ROLLBACK_SECONDS=2/' /run/nixos-deploy/guard/guard.sh");
      await guard.switch(next);
      await holdAt("test");
      await held();
      await until("its end", async () => (await machine.run("pgrep -x sleep")).code === 1);
      await letGo();
      await assertEnded(initial, /^rolled-back not-confirmed$/);
    });

    it("after it noted a confirmation keeps the system, and is cleared away", async () => {
      await guard.arm(next, { switchSeconds: 10, confirmSeconds: 10 });
      await guard.switch(next);
      await machine.output("echo confirmed 0 >/run/nixos-deploy/guard/state");
      await assertEnded(next, /^confirmed 0$/);
    });
  });

  describe("on a machine that loses its power", () => {
    // Fault 72
    it("after the switch, before the confirmation, goes back when it starts", async () => {
      await guard.arm(next);
      await guard.switch(next);
      assert.equal((await systemState(machine)).boot, next);
      await machine.restart();
      await assertEnded(initial, /^rolled-back restarted$/);
      // Nothing was wrong with it.
      assert.deepEqual(await rejectedSystems(machine), []);
    });

    it("is armed without what outlives that where /etc is read-only, and says so", async () => {
      await machine.output("mount --bind /etc/systemd /etc/systemd; mount -o remount,bind,ro /etc/systemd");
      const { stdout } = await guard.arm(next, { confirmSeconds: 1 });
      assert.match(stdout, /^nixos-deploy unkept/m);
      assert.match(stdout, /^nixos-deploy armed/m);
      await guard.switch(next);
      await assertEnded(initial, /^rolled-back not-confirmed$/);
    });

    it("when it was armed starts with what it ran", async () => {
      await guard.arm(next);
      await machine.output(`nix-env --profile /nix/var/nix/profiles/system --set ${next}`);
      await machine.restart();
      await assertEnded(initial, /^rolled-back restarted$/);
    });

    it("in the middle of the activation, when the boot loader names the new system, goes back", async () => {
      const slow = await guard.build("activationHangs");
      await guard.arm(slow);
      void guard.switch(slow).catch(() => undefined);
      await until("the boot loader", async () => (await systemState(machine)).boot === slow);
      await machine.restart();
      await assertEnded(initial, /^rolled-back restarted$/);
    });

    for (const action of ["boot", "test"]) {
      it(`while a rollback is at \`${action}\` goes back when it starts`, async () => {
        await guard.arm(next, { confirmSeconds: 1 });
        await guard.switch(next);
        await holdAt(action);
        await held();
        await machine.restart();
        await assertEnded(initial, /^rolled-back restarted$/);
      });
    }

    it("after the confirmation starts with the new system", async () => {
      await guard.arm(next);
      await guard.switch(next);
      await guard.confirm(next);
      await machine.restart();
      await assertEnded(next, /^none$/);
    });

    it("when a guard that had failed is left, and an upgrade has found the system well since, keeps it", async () => {
      await guard.arm(next);
      await guard.switch(next);
      await machine.output(`echo "${next} ${initial}" >/var/lib/nixos-deploy/before`);
      await machine.restart();
      await assertEnded(next, /^confirmed 0$/);
    });

    it("when the boot loader has gone back by itself ends with that system as the one that boots", async () => {
      await guard.arm(next);
      await guard.switch(next);
      // As one that counts its tries does: its default stays, the system that it started is another.
      await machine.output(`ln -sfn ${initial} /run/current-system; rm -r /run/nixos-deploy`);
      await guard.call("guard.sh", "resume");
      await assertEnded(initial, /^rolled-back restarted$/);
    });

    it("after an older deployment confirmed keeps the system", async () => {
      await guard.arm(next);
      await guard.switch(next);
      // That one knows nothing of what is kept for a restart.
      await machine.output(
        `mkdir -p /var/lib/nixos-deploy; echo /nix/store/a.drv ${next} >/var/lib/nixos-deploy/deployed`,
      );
      await machine.restart();
      await assertEnded(next, /^confirmed 0$/);
    });
  });

  describe("on a full disk", () => {
    const fill = (...folders: string[]) =>
      machine.output(
        folders
          .map(
            (folder) =>
              `mount -o remount,size=1m ${folder} 2>/dev/null || true; cat /dev/zero >${folder}/zero 2>/dev/null || true`,
          )
          .join("\n"),
      );

    // Fault 73
    it("is not armed, and leaves nothing behind", async () => {
      await fill("/var/lib");
      const result = await guard.arm(next);
      assert.notEqual(result.code, 0);
      assert.match(result.stderr, /No space left on device/);
      await machine.output(`echo >/run/nixos-deploy/lease`);
      await machine.output(`rm -f /run/nixos-deploy/lease /run/nixos-deploy/hold`);
      assert.equal(await guard.state(), "none");
      assert.equal(await atRest(), true);
      // Others may switch.
      assert.equal((await guard.switch(next)).code, 0);
    });

    it("goes back all the same", async () => {
      await guard.arm(next, { confirmSeconds: 6 });
      await guard.switch(next);
      await fill("/var/lib", "/nix");
      await assertEnded(initial, /^rolled-back not-confirmed$/);
    });

    it("keeps what was confirmed, and the list of what not to install", async () => {
      await machine.output(`mkdir -p /var/lib/nixos-deploy; echo /nix/store/bad - >/var/lib/nixos-deploy/rejected`);
      await guard.arm(next);
      await guard.switch(next);
      await fill("/var/lib");
      await guard.confirm(next);
      assert.match(await guard.state(), /^confirmed 0$/);
      assert.deepEqual(await rejectedSystems(machine), ["/nix/store/bad"]);
    });

    // Fault 117
    it("of its memory, where the guard lies, does not take units that failed for well", async () => {
      const failing = await guard.build("failedUnits");
      await machine.output(`mkdir -p /var/lib/nixos-deploy
        echo /nix/store/a.drv ${initial} >/var/lib/nixos-deploy/deployed`);
      await guard.arm(failing, { switchSeconds: 10, confirmSeconds: 10 });
      await guard.switch(failing);
      await machine.output("mount -o remount,size=$(($(df --output=used /run | tail -n 1) + 1024))k /run");
      await fill("/run");
      await guard.confirm(failing);
      assert.equal(await guard.state(), "rolling-back units-failed");
      // systemd takes nothing new meanwhile; when there is room, the timer brings the way back to its end.
      await machine.output("rm /run/zero; mount -o remount,size=64m /run");
      await assertEnded(initial, /^rolled-back units-failed$/);
    });
  });

  describe("on a machine whose clock is set", () => {
    const YEARS = 5 * 365 * 86_400;
    /** Everything on the machine that asks for the time of day gets it this much later. */
    const setClock = (seconds: number) =>
      machine.output(`[[ -e /run/date ]] || {
          cp /usr/bin/date /run/date
          printf '#!/bin/bash\\n[[ $* == +%%s ]] || exec /run/date "$@"\\necho $(($(/run/date +%%s) + $(</run/clock)))\\n' >/run/set-date
          chmod +x /run/set-date
          echo 0 >/run/clock
          mount --bind /run/set-date /usr/bin/date
        }
        echo ${seconds} >/run/clock`);
    const renew = () => guard.call("lease.sh", "renew_lease", guard.token, "90", "me@here process 1");

    for (const [name, seconds] of [
      ["forward", YEARS],
      ["back", -YEARS],
    ] as const) {
      // Fault 74
      it(`${name} by years keeps its lease, is armed and confirmed`, async () => {
        await setClock(0);
        await guard.takeLease();
        await setClock(seconds);
        assert.match((await renew()).stdout, /^nixos-deploy leased/m);
        await setClock(0);
        assert.match((await guard.arm(next)).stdout, /^nixos-deploy armed/m);
        await setClock(seconds);
        await guard.switch(next);
        await guard.confirm(next);
        assert.equal(await guard.state(), "confirmed 0");
      });

      it(`${name} by years goes back in its time`, async () => {
        await setClock(0);
        await guard.arm(next, { confirmSeconds: 3 });
        await setClock(seconds);
        await guard.switch(next);
        await setClock(0);
        await assertEnded(initial, /^rolled-back not-confirmed$/);
      });
    }

    // Fault 75
    it("does not heed a lease that is dated more than a day ahead", async () => {
      await machine.output(`mkdir -p /run/nixos-deploy
        echo "other $(($(date +%s) + 2 * 86400)) you@there process 1" >/run/nixos-deploy/lease`);
      assert.match((await guard.takeLease()).stdout, /^nixos-deploy leased/m);
      await machine.output(`echo "other $(($(date +%s) + 3600)) you@there process 1" >/run/nixos-deploy/lease`);
      assert.match((await guard.takeLease()).stdout, /^nixos-deploy held other/m);
    });
  });
});
