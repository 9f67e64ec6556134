// The automatic upgrade on a machine that loses its power, its time or its memory while a system is installed or taken
// back. A power cut is the end of the machine's namespaces: of the upgrade's records only those stay that it has asked to be
// on the disk (`sync`). What this cannot prove: what a real disk and boot loader make of a cut, and what the kernel chooses
// to kill.
import assert from "node:assert/strict";
import { assertSystem, canRunMachine, until } from "../../cli/rehearse/machine";
import { requireOrSkip } from "../require";
import { startUpgradeBench, type UpgradeBench } from "../../cli/rehearse/upgrade/bench";

const STATE = "/var/lib/nixos-upgrade";
const SWITCH = "nixos-rebuild-switch-to-configuration.service";

describe("an upgrade that is interrupted", () => {
  let bench: UpgradeBench;
  let system: string;

  before(async function () {
    const reason = canRunMachine();
    requireOrSkip(this, "systemd", reason === undefined, reason ?? "");
    bench = await startUpgradeBench();
    await bench.machine.output(`mkdir -p /var/lib/disk
      printf '%s\\n' '#!/bin/bash' 'cp -a "$1" /var/lib/disk/' 'exec /usr/bin/sync "$@"' >/etc/upgrade/bin/sync
      chmod +x /etc/upgrade/bin/sync`);
  });
  beforeEach(async () => {
    await bench.push();
    assert.equal(await bench.poll(), true, await bench.journal());
    system = await bench.current();
    await bench.machine.output(
      `rm -rf /run/bench/hold /run/bench/held /var/lib/disk/*; cp -a ${STATE}/*.json /var/lib/disk/`,
    );
  });
  after(() => bench?.stop());

  const there = (file: string) => until(file, async () => (await bench.machine.run(`test -e ${file}`)).code === 0);
  /** Holds the next activation of an action where it begins. */
  const holdAt = (action: string) => bench.machine.output(`mkdir -p /run/bench; echo ${action} >/run/bench/hold`);
  const held = () => there("/run/bench/held");
  const letGo = () => bench.machine.output("rm -f /run/bench/hold /run/bench/held");

  /** A revision whose system is found unhealthy once the machine is told to go on; the poll is in its check. */
  async function unhealthy(): Promise<{ revision: string; poll: Promise<unknown> }> {
    await bench.machine.output("rm -f /run/checking /run/checked");
    const revision = await bench.push({
      health: `#!/bin/sh
: >/run/checking
until [ -e /run/checked ]; do sleep 0.1; done
echo it is not well
exit 1
`,
    });
    const poll = bench.poll().catch(() => undefined);
    await there("/run/checking");
    return { revision, poll };
  }
  const judge = () => bench.machine.output(": >/run/checked");

  async function cutPower(): Promise<void> {
    await bench.machine.restart();
    await bench.machine.output(`rm -f ${STATE}/*.json; cp -a /var/lib/disk/*.json ${STATE}/
      systemctl start githost.service
      until ss -Hltn "src ${bench.address}:22" | grep -q LISTEN; do sleep 0.02; done`);
  }

  /** The machine is whole, runs what it ran before, and leaves that revision alone. */
  async function assertTakenBack(kind: string, revision: string): Promise<void> {
    const { failed } = (await bench.state()) as { failed?: { kind: string; revision: string } };
    assert.deepEqual([failed?.kind, failed?.revision], [kind, revision], await bench.journal());
    assert.equal((await bench.machine.run(`test -e ${STATE}/pending.json`)).code, 1);
    await assertSystem(bench.machine, system);
    await bench.calls();
    assert.equal(await bench.poll(), false);
    assert.doesNotMatch((await bench.calls()).join("\n"), /^nix-/m);
    await assertSystem(bench.machine, system);
  }

  describe("by a power cut", () => {
    // A system that brings the machine down must not be tried again at every start.
    for (const [title, action] of [
      ["while a system is activated does not try it again", "test"],
      ["while a system becomes the one that boots leaves profile and boot loader with the last one", "boot"],
    ] as const) {
      it(title, async () => {
        const revision = await bench.push();
        await holdAt(action);
        const poll = bench.poll().catch(() => undefined);
        await held();
        await cutPower();
        await poll;
        assert.equal(await bench.poll(), false);
        await assertTakenBack("interrupted", revision);
      });
    }

    it("while a system is judged does not try it again", async () => {
      const { revision, poll } = await unhealthy();
      await cutPower();
      await poll;
      assert.equal(await bench.poll(), false);
      await assertTakenBack("interrupted", revision);
    });

    for (const action of ["boot", "test"]) {
      it(`on its way back, at \`${action}\`, ends it after the start`, async () => {
        const { revision, poll } = await unhealthy();
        await holdAt(action);
        await judge();
        await held();
        await cutPower();
        await poll;
        assert.equal(await bench.poll(), false);
        await assertTakenBack("health", revision);
      });
    }

    it("on its way back, and by another one while that goes on after the start, ends it all the same", async () => {
      const { revision, poll } = await unhealthy();
      await holdAt("test");
      await judge();
      await held();
      await cutPower();
      await poll;
      await holdAt("test");
      const again = bench.poll().catch(() => undefined);
      await held();
      await cutPower();
      await again;
      assert.equal(await bench.poll(), false);
      await assertTakenBack("health", revision);
    });
  });

  describe("by a clock that is set", () => {
    const YEARS = 5 * 365 * 86_400;
    /** Everything on the machine that asks for the time of day gets it this much later. */
    const setClock = (seconds: number) =>
      bench.machine
        .output(`printf '#!/bin/bash\\n[[ $* == +%%s ]] || exec /usr/bin/date "$@"\\necho $(($(/usr/bin/date +%%s) + ${seconds}))\\n' >/etc/upgrade/bin/date
        chmod +x /etc/upgrade/bin/date`);
    afterEach(() => bench.machine.output("rm -f /etc/upgrade/bin/date"));

    for (const [name, seconds] of [
      ["forward", YEARS],
      ["back", -YEARS],
    ] as const) {
      it(`${name} by years while a system is judged takes it back`, async () => {
        const { revision, poll } = await unhealthy();
        await setClock(seconds);
        await judge();
        await poll;
        await assertTakenBack("health", revision);
      });

      it(`${name} by years on its way back, and again when it has been killed there, ends it`, async () => {
        const { revision, poll } = await unhealthy();
        await holdAt("test");
        await judge();
        await held();
        await letGo();
        await setClock(seconds);
        await bench.machine.output(`systemctl kill --signal=KILL nixos-upgrade.service ${SWITCH} || true`);
        await poll;
        assert.equal(await bench.poll(), false);
        await assertTakenBack("health", revision);
      });
    }
  });

  describe("by a lack of memory", () => {
    it("on its way back is, in the switch itself, the last that the kernel ends", async () => {
      const { revision, poll } = await unhealthy();
      await holdAt("test");
      await judge();
      await held();
      assert.equal(await bench.machine.output(`systemctl show --property=OOMScoreAdjust --value ${SWITCH}`), "-900");
      await letGo();
      await bench.machine.output("pkill -KILL -f 'switch-to-configuration test'");
      await poll;
      await assertTakenBack("health", revision);
    });

    it("of Nix on its way back sets the profile without it", async () => {
      const revision = await bench.push({ behaviour: "bootloaderFails" });
      // The new system's profile is set, the one that goes back is killed.
      await bench.machine.output(`cp /etc/upgrade/log/nix-env /run/nix-env
        printf '%s\\n' '#!/bin/bash' '[[ $* == *"--set ${system}"* || $* == *--switch-generation* ]] || exec /run/nix-env "$@"' 'kill -KILL $$' >/etc/upgrade/log/nix-env`);
      try {
        assert.equal(await bench.poll(), false);
      } finally {
        await bench.machine.output("cp /run/nix-env /etc/upgrade/log/nix-env");
      }
      await assertTakenBack("activation", revision);
    });
  });
});
