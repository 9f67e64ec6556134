// The upgrade beside deployments and after interruptions, on the bench of upgrade.spec.ts.
import assert from "node:assert/strict";
import { assertSystem, until } from "../../cli/rehearse/machine";
import { useUpgradeBench } from "../support/upgradeBench";

describe("upgrade: beside deployments and after interruptions", () => {
  const bench = useUpgradeBench();
  let system: string;

  before(async () => {
    await bench().push();
    assert.equal(await bench().poll(), true);
  });
  beforeEach(async () => {
    system = await bench().current();
  });

  const FILES = { lease: "token TIME me@there process 1", hold: "TIME" };
  /** Leaves a lease as deployments do, in the file of today or in the one that the last version has too. */
  const lease = (until: string, file: keyof typeof FILES = "lease") =>
    bench().machine.output(
      `mkdir -p /run/nixos-deploy; echo "${FILES[file].replace("TIME", until)}" >/run/nixos-deploy/${file}`,
    );

  const switching = async () =>
    (await bench().machine.run("systemctl is-active -q nixos-rebuild-switch-to-configuration")).code === 0;

  for (const file of ["lease", "hold"] as const) {
    it(`does nothing while a deployment has the lease (file ${file}), and goes on when that has ended`, async () => {
      const revision = await bench().push();
      await lease("$(($(date +%s) + 300))", file);
      await bench().calls();
      assert.equal(await bench().poll(), true);
      assert.deepEqual(await bench().calls(), []);
      assert.equal((await bench().status()).state, "held");
      assert.equal(await bench().current(), system);

      await lease("$(($(date +%s) - 1))", file);
      assert.equal(await bench().poll(), true);
      assert.equal((await bench().status()).revision, revision);
    });

    it(`does not take garbage for a lease (file ${file})`, async () => {
      for (const garbage of ["tomorrow", "99999999999", ""]) {
        await lease(garbage, file);
        const revision = await bench().push({ readmeOnly: true });
        assert.equal(await bench().poll(), true, garbage);
        assert.equal((await bench().status()).revision, revision, garbage);
      }
    });
  }

  it("stops before the switch when a deployment began while it was building", async () => {
    const revision = await bench().push({ behaviour: "slowBuild" });
    const poll = bench().poll();
    await until("the build", async () => (await bench().status()).phase === "building");
    await lease("$(($(date +%s) + 300))");
    assert.equal(await poll, true);
    assert.equal(await bench().current(), system);
    await bench().machine.output("rm /run/nixos-deploy/lease");
    assert.equal(await bench().poll(), true);
    assert.equal((await bench().status()).revision, revision);
  });

  for (const known of [true, false]) {
    it(`leaves alone what a deployment rolled back until the branch moves (revision ${known ? "known" : "unknown"})`, async () => {
      const rejected = await bench().push();
      const path = await bench().machine.output(
        `drv=$(nix eval --raw 'git+file:///srv/work?dir=nix#nixosConfigurations.default.config.system.build.toplevel.drvPath')
         nix-store --query --outputs "$drv"`,
      );
      await bench().machine.output(
        `mkdir -p /var/lib/nixos-deploy; echo "${path} ${known ? rejected : "-"}" >/var/lib/nixos-deploy/rejected`,
      );
      assert.equal(await bench().poll(), false);
      assert.equal((await bench().status()).lastError?.kind, "rejected");
      // Not after its hour either.
      await bench().machine.output("touch -d '2 hours ago' /var/lib/nixos-upgrade/state.json");
      assert.equal(await bench().poll(), false);
      assert.equal(await bench().current(), system);

      const moved = await bench().push({ readmeOnly: true });
      assert.equal(await bench().poll(), true);
      assert.deepEqual([(await bench().status()).revision, await bench().current()], [moved, path]);
      await bench().machine.output("rm /var/lib/nixos-deploy/rejected");
    });
  }

  it("is killed in the middle of a switch: the switch ends whole, the next poll finishes the job", async () => {
    const revision = await bench().push({ behaviour: "slowActivation" });
    const poll = bench().poll();
    await until("the switch", switching);
    await bench().machine.output("systemctl kill --signal=KILL nixos-upgrade.service");
    assert.equal(await poll, false);
    // While the switch is still at work the poll keeps out of its way.
    assert.equal(await bench().poll(), true);
    await until("the switch's end", async () => (await bench().current()) !== system);
    await until("its unit's end", async () => !(await switching()));
    assert.equal(await bench().poll(), true);
    assert.equal((await bench().status()).revision, revision);
    await assertSystem(bench().machine, await bench().current());
  });

  // Fault 11
  it("goes down in the middle of a switch: the last good system boots, and the revision counts as failed", async () => {
    const revision = await bench().push({ behaviour: "slowActivation" });
    const poll = bench().poll();
    await until("the switch", switching);
    // What a power cut leaves: both programs gone, and after the boot the system that the boot loader knows.
    await bench().machine.output(
      "systemctl kill --signal=KILL nixos-upgrade.service nixos-rebuild-switch-to-configuration.service",
    );
    await poll;
    await assertSystem(bench().machine, system);
    assert.equal(await bench().poll(), false);
    const status = await bench().status();
    assert.deepEqual([status.lastError?.kind, status.wanted], ["interrupted", revision]);
    await assertSystem(bench().machine, system);
  });

  describe("takes a system back", () => {
    const unit = "nixos-rebuild-switch-to-configuration.service";
    /** A revision whose system is not healthy, and a poll that goes back from it, held in that activation. */
    async function goingBack(): Promise<string> {
      await bench().machine.output("rm -f /run/checking /run/checked");
      const revision = await bench().push({
        health: `#!/bin/sh
: >/run/checking
until [ -e /run/checked ]; do sleep 0.1; done
echo it is not well
exit 1
`,
      });
      void bench().poll();
      const exists = (file: string) =>
        until(file, async () => (await bench().machine.run(`test -e ${file}`)).code === 0);
      await exists("/run/checking");
      await bench().machine.output("mkdir -p /run/bench; echo test >/run/bench/hold; : >/run/checked");
      await exists("/run/bench/held");
      await bench().machine.output("rm -f /run/bench/hold /run/bench/held");
      return revision;
    }
    async function assertTakenBack(revision: string): Promise<void> {
      await until("the end of the switch", async () => !(await switching()));
      assert.equal(await bench().poll(), false);
      const status = await bench().status();
      assert.deepEqual([status.lastError?.kind, status.wanted], ["health", revision], await bench().journal());
      assert.equal((await bench().machine.run("test -e /var/lib/nixos-upgrade/pending.json")).code, 1);
      await assertSystem(bench().machine, system);
      // And leaves it alone.
      await bench().calls();
      assert.equal(await bench().poll(), false);
      assert.doesNotMatch((await bench().calls()).join("\n"), /^nix-/m);
    }
    const endOfPoll = () =>
      until("the poll's end", async () =>
        /inactive|failed/.test((await bench().machine.run("systemctl is-active nixos-upgrade.service")).stdout),
      );

    for (const [what, script] of [
      ["the upgrade is killed", "systemctl kill --signal=KILL nixos-upgrade.service; pkill -KILL -x sleep"],
      ["the activation is killed", `systemctl kill --signal=KILL ${unit}`],
      ["both are killed", `systemctl kill --signal=KILL nixos-upgrade.service ${unit}`],
    ] as const) {
      it(`though ${what} on the way`, async () => {
        const revision = await goingBack();
        await bench().machine.output(`${script} || true`);
        await endOfPoll();
        await assertTakenBack(revision);
      });
    }

    it("though it has filled the disk", async () => {
      const revision = await bench().push({ behaviour: "failedUnits" });
      // As soon as it runs.
      await bench().machine.output(`mount -o remount,size=64m /var/lib
        systemd-run --quiet bash -c 'until [[ ! /run/current-system -ef ${system} ]]; do sleep 0.01; done; cat /dev/zero >/var/lib/zero'`);
      assert.equal(await bench().poll(), false);
      await assertSystem(bench().machine, system);
      await bench().machine.output("rm /var/lib/zero; mount -o remount,size=0 /var/lib");
      assert.equal(await bench().poll(), false);
      assert.equal((await bench().status()).wanted, revision);
      await assertSystem(bench().machine, system);
      assert.equal(await bench().poll(), false);
      await assertSystem(bench().machine, system);
    });
  });

  it("leaves a system alone that a deployment has installed while its own switch was not over", async () => {
    const revision = await bench().push({ behaviour: "failedUnits", health: "#!/bin/sh\nsleep 60\nexit 1\n" });
    const poll = bench().poll();
    await until("the new system", async () => (await bench().current()) !== system);
    await until("its check", async () => (await bench().status()).phase === "checking");
    await bench().machine.output("systemctl kill --signal=KILL nixos-upgrade.service");
    assert.equal(await poll, false);
    const accepted = await bench().current();
    await bench().machine.output(`nix-env --profile /nix/var/nix/profiles/system --set ${accepted}
      ${accepted}/bin/switch-to-configuration boot; sleep 0.01
      mkdir -p /var/lib/nixos-deploy; echo /nix/store/a.drv ${accepted} >/var/lib/nixos-deploy/deployed`);
    assert.equal(await bench().poll(), true);
    assert.deepEqual([(await bench().status()).revision, await bench().current()], [revision, accepted]);
  });

  // Fault 58
  it("goes on whatever a power cut made of the history folder", async () => {
    for (const damage of [
      "rm -rf $h; mkdir -p $h/refs",
      ": >$h/HEAD",
      "touch $h/HEAD.lock $h/config.lock",
      "rm -rf $h; : >$h",
    ]) {
      await bench().machine.output(`h=/var/lib/nixos-upgrade/history.git; ${damage}`);
      const revision = await bench().push({ readmeOnly: true });
      assert.equal(await bench().poll(), true, damage);
      assert.equal((await bench().status()).revision, revision, damage);
    }
  });

  // Fault 12
  it("survives a state file that was damaged", async () => {
    await bench().push();
    await bench().machine.output(
      "echo '{\"running\":' >/var/lib/nixos-upgrade/state.json; echo >/var/lib/nixos-upgrade/pending.json",
    );
    assert.equal(await bench().poll(), true);
    assert.equal((await bench().status()).state, "current");
  });
});
