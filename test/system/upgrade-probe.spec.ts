// The freshness probe, on the bench of upgrade.spec.ts.
import assert from "node:assert/strict";
import { until } from "../../cli/rehearse/machine";
import { useUpgradeBench } from "../support/upgradeBench";

describe("upgrade: the freshness probe", () => {
  const bench = useUpgradeBench();
  const probe = () => bench().poll("nixos-upgrade-freshness.service");
  /** As if the time had passed, for the record of the probe or of the upgrade. */
  const age = (program: string, record = "probe") =>
    bench().machine.output(`f=/var/lib/nixos-upgrade/${record}.json; jq '${program}' $f >/tmp/aged && cp /tmp/aged $f`);

  before(async () => {
    // Short, so that also a machine on a computer that was started just now can be behind for longer.
    await bench().set({
      UPGRADE_FRESH_SECONDS: "120",
      UPGRADE_ON_FAILURE: 'printf "%s\\n" "$UPGRADE_PROBLEM" >>/run/told',
    });
    await bench().push();
    assert.equal(await bench().poll(), true);
  });

  const told = async () =>
    (await bench().machine.output("cat /run/told 2>/dev/null || true")).split("\n").filter(Boolean);

  it("is content with a machine that is up to date", async () => {
    assert.equal(await probe(), true);
    assert.equal((await bench().status()).state, "current");
    assert.deepEqual(await told(), []);
  });

  it("gives a new revision its time", async () => {
    await bench().push({ behaviour: "buildError" });
    assert.equal(await probe(), true);
  });

  it("fails, turns the page red and tells somebody once when the machine stays behind", async () => {
    assert.equal(await bench().poll(), false);
    await age(".begun -= 3600 | .behindSince -= 3600");
    await age(".running.since -= 3600", "state");
    assert.equal(await probe(), false);
    const status = await bench().status();
    assert.deepEqual([status.state, status.healthy], ["stale", false]);
    assert.match(await bench().machine.output("cat /run/nixos-upgrade/public/status.html"), /class="status bad"/);
    await until("the command", async () => (await told()).length === 1);
    assert.match(
      (await told())[0] ?? "",
      /^The branch is at [0-9a-f]{40}, this machine runs [0-9a-f]{40}, for \d+ minutes\.$/,
    );
    assert.equal(await probe(), false);
    await until(
      "the alert's end",
      async () => (await bench().machine.run("systemctl is-active -q nixos-upgrade-alert")).code !== 0,
    );
    assert.equal((await told()).length, 1);
  });

  it("is content again when the machine has caught up", async () => {
    await bench().push();
    assert.equal(await bench().poll(), true);
    assert.equal(await probe(), true);
    assert.equal((await bench().status()).state, "current");
  });

  it("notices by itself that the repository cannot be read, though the upgrade is stopped", async () => {
    await bench().machine.output("systemctl stop githost.service");
    assert.equal(await probe(), true);
    await age(".begun -= 3600 | .contact -= 3600");
    await age(".check -= 3600", "state");
    assert.equal(await probe(), false);
    assert.match(
      await bench().journal("nixos-upgrade-freshness.service"),
      /could not be read for \d+ minutes: The repository's server cannot be reached: .*Connection refused/,
    );
    await bench().machine.output("systemctl start githost.service");
  });

  it("notices an upgrade that no longer looks", async () => {
    assert.equal(await bench().poll(), true);
    assert.equal(await probe(), true);
    await age(".check -= 3600", "state");
    assert.equal(await probe(), false);
    assert.match(
      await bench().journal("nixos-upgrade-freshness.service"),
      /has not asked the repository for \d+ minutes/,
    );
  });

  // Fault 53
  it("tells somebody and shows it when the disk is full, and leaves nothing behind", async () => {
    const full = "/var/lib/nixos-upgrade";
    await bench().push();
    assert.equal(await bench().poll(), true);
    assert.equal(await probe(), true);
    const before = (await told()).length;
    await bench().machine.output(`cp -a ${full} /tmp/kept
      mount -t tmpfs -o size=64k tmpfs ${full} && cp -a /tmp/kept/*.json /tmp/kept/lock ${full}/
      dd if=/dev/zero of=${full}/data 2>/dev/null || true; ls ${full} >/run/files`);
    try {
      await bench().push();
      assert.equal(await bench().poll(), false);
      const status = await bench().status();
      assert.deepEqual([status.state, status.summary], ["stale", "The disk is full, or cannot be written."]);
      assert.equal(await probe(), false);
      await until("the command", async () => (await told()).length > before);
      assert.deepEqual((await told()).slice(before), [
        "The probe itself failed: see journalctl -u nixos-upgrade-freshness.",
      ]);
      assert.equal(await bench().machine.output(`ls ${full} | diff /run/files -`), "");
    } finally {
      await bench().machine.output(`umount ${full}`);
    }
    assert.equal(await bench().poll(), true);
    assert.equal(await probe(), true);
    assert.equal((await bench().status()).state, "current");
  });
});
