// Which systems an upgrade keeps: units that fail in every way, and ways in that are lost. Real units of a real systemd, a
// real SSH server and a real firewall, in a network of the machine's own. What it cannot prove: that the rules of NixOS's
// firewall look as those of the bench; what a packet meets is asked for by a packet.
import assert from "node:assert/strict";
import { canRunMachine } from "../../cli/rehearse/machine";
import { healthCases } from "../../cli/rehearse/machine/healthCases";
import { activations, assertSystem } from "../../cli/rehearse/machine/state";
import { requireOrSkip } from "../require";
import { startUpgradeBench, type UpgradeBench } from "../../cli/rehearse/upgrade/bench";

describe("upgrade: health", () => {
  let bench: UpgradeBench;
  let good: string;
  let system: string;

  before(async function () {
    const reason = canRunMachine();
    requireOrSkip(this, "systemd", reason === undefined, reason ?? "");
    bench = await startUpgradeBench(undefined, { ownNetwork: true });
  });
  after(() => bench?.stop());

  /** Whatever the test before did: the machine runs this system. */
  async function runs(behaviour = "good"): Promise<void> {
    await bench.machine.output("rm -f /run/bench/once");
    if (behaviour !== "good") {
      // As somebody who installs it by hand.
      await bench.set({ UPGRADE_HEALTH_SECONDS: "0" });
      await bench.push({ behaviour, health: "#!/bin/sh\nexit 0\n" });
    } else {
      await bench.push({ behaviour });
    }
    assert.equal(await bench.poll(), true, await bench.journal());
    await bench.set({ UPGRADE_HEALTH_SECONDS: "6" });
    good = (await bench.status()).revision ?? "";
    system = await bench.current();
    await bench.machine.output("journalctl --rotate --vacuum-time=1s >/dev/null 2>&1");
  }
  async function assertTakenBack(kind: string, message: RegExp): Promise<void> {
    assert.equal(await bench.poll(), false);
    const status = await bench.status();
    assert.deepEqual([status.state, status.lastError?.kind, status.revision], ["failing", kind, good]);
    assert.match(await bench.journal(), message);
    await assertSystem(bench.machine, system);
  }

  describe("of units", () => {
    for (const { what, before: previous, behaviour, blamed, known } of healthCases) {
      it(`${what}: ${blamed === undefined ? "the system is kept" : "the last good one comes back"}`, async () => {
        await runs(previous);
        const revision = await bench.push({ behaviour });
        if (blamed !== undefined) {
          await assertTakenBack("health", new RegExp(`not healthy: ${blamed} `));
          return;
        }
        assert.equal(await bench.poll(), true, await bench.journal());
        assert.equal((await bench.status()).revision, revision);
        await assertSystem(bench.machine, await bench.current());
        if (known !== undefined) assert.match(await bench.journal(), new RegExp(`${known} has failed, as before`));
      });
    }

    // Fault 68
    it("names what an activation complains of where no unit is to blame", async () => {
      await runs();
      await bench.push({ behaviour: "userActivationFails" });
      assert.equal(await bench.poll(), true);
      assert.match(await bench.journal(), /exit code 4\. warning: user activation for root failed/);
    });

    it("says of another interface of init that only a restart leads there, and touches nothing", async () => {
      await runs();
      const before = await activations(bench.machine);
      await bench.push({ behaviour: "otherInit" });
      await assertTakenBack("restart", /only a restart can bring the machine there \(another interface of init\)/);
      assert.deepEqual(await activations(bench.machine), before);
    });
  });

  describe("of the network", () => {
    // The repository's server cannot be reached in any of them; it would be no reason.
    const unreachable = "systemctl stop githost.service";
    const lost = {
      "that has no default route any more": [
        "ip route del default",
        /not healthy: the machine has no default route any more/,
      ],
      "with other settings, by which no name is found": [
        "sed -i /github/d /etc/hosts; echo 'nameserver 127.0.0.9' >/etc/resolv.conf",
        /not healthy: names such as github\.com are not found any more/,
      ],
    } as const;
    const restore = "cp /run/hosts /etc/hosts; cp /run/resolv.conf /etc/resolv.conf; systemctl start githost.service";
    before(() =>
      bench.machine.output(`cp /etc/hosts /run/hosts; cat /etc/resolv.conf >/run/resolv.conf 2>/dev/null || true
        ip link add bench0 type veth peer name bench1; ip link set bench1 up
        ip address add 192.0.2.1/24 dev bench0; ip link set bench0 up`),
    );
    beforeEach(async () => {
      await bench.machine.output("ip route replace default via 192.0.2.2");
      await runs();
    });
    afterEach(() => bench.machine.output(restore));

    for (const [what, [act, message]] of Object.entries(lost)) {
      // Fault 110
      it(`${what}: the last good system is put back`, async () => {
        await bench.push({ health: `#!/bin/sh\n${unreachable}\n${act}\nexec nixos-upgrade-health\n` });
        await assertTakenBack("health", message);
      });
    }

    it("in which no name is found, with the settings of before: the system is kept", async () => {
      const health = `#!/bin/sh\n${unreachable}\nsed -i /github/d /etc/hosts\nexec nixos-upgrade-health\n`;
      const revision = await bench.push({ health });
      assert.equal(await bench.poll(), true, await bench.journal());
      assert.equal((await bench.status()).revision, revision);
    });
  });

  describe("of the way in", () => {
    const lockouts: [string, string, RegExp][] = [
      ["root's login is forbidden", "rootLoginOff", /root can no longer log in with the machine's key/],
      ["root's keys are read elsewhere", "otherKeys", /root can no longer log in/],
      ["the SSH server is off", "sshdOff", /no SSH server answers on port/],
      ["the firewall shuts the port", "firewallShuts", /the firewall shuts port \d+/],
    ];
    for (const [what, behaviour, message] of lockouts) {
      // Fault 69
      it(`${what}: the last good system comes back`, async () => {
        await runs();
        // The new system has no SSH server to check.
        await bench.set({ UPGRADE_HEALTH_SSH_PORT: "", UPGRADE_HEALTH_UNITS: "" });
        await bench.push({ behaviour });
        await assertTakenBack("lockout", message);
        assert.match(await bench.journal(), /pulumiNixos\.upgrade\.allowLockout = true/);
      });
    }

    it("a firewall that opens the port is no lock-out", async () => {
      await runs();
      const revision = await bench.push({ behaviour: "firewallOpens" });
      assert.equal(await bench.poll(), true, await bench.journal());
      assert.equal((await bench.status()).revision, revision);
    });

    it("a revision that means it is kept", async () => {
      await runs();
      const revision = await bench.push({ behaviour: "rootLoginOff", meansLockout: true });
      assert.equal(await bench.poll(), true, await bench.journal());
      assert.equal((await bench.status()).revision, revision);
    });

    describe("that the machine has no key for", () => {
      before(async () => {
        await bench.machine.output(`ssh-keygen -q -t ed25519 -N '' -f /etc/upgrade/machine-key
          { printf 'restrict '; cat /etc/upgrade/machine-key.pub; } >>/etc/githost/authorized_keys`);
        // The system of the test before has no way in for root, so that a way in is a change to be meant, too.
        await bench.push({ meansLockout: true });
        assert.equal(await bench.poll(), true, await bench.journal());
        await bench.set({ UPGRADE_MACHINE_KEY: "/etc/upgrade/machine-key" });
      });

      for (const [behaviour, message] of [
        ["rootLoginOff", /settings for root differ: "permitrootlogin/],
        ["otherKeys", /settings for root differ: "authorizedkeysfile/],
        ["firewallShuts", /the firewall shuts port/],
      ] as const) {
        it(`${behaviour}: the last good system comes back`, async () => {
          await runs();
          await bench.push({ behaviour });
          await assertTakenBack("lockout", message);
        });
      }

      it("stays as it was: the system is kept", async () => {
        await runs();
        const revision = await bench.push();
        assert.equal(await bench.poll(), true, await bench.journal());
        assert.equal((await bench.status()).revision, revision);
      });
    });
  });
});
