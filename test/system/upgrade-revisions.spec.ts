// Revisions that the machine must not keep, on the bench of upgrade.spec.ts.
import assert from "node:assert/strict";
import { assertSystem, activations } from "../../cli/rehearse/machine";
import { lsRemote, useUpgradeBench } from "../support/upgradeBench";

describe("upgrade: revisions that do not work", () => {
  const bench = useUpgradeBench();
  let good: string;
  let system: string;

  before(async () => {
    await bench().push();
    assert.equal(await bench().poll(), true);
  });
  // Whatever the test before did: the machine runs its last good system.
  beforeEach(async () => {
    good = (await bench().status()).revision ?? "";
    system = await bench().current();
  });

  /** The poll failed for this reason, and the machine is as it was. */
  async function assertStayed(kind: string, revision: string): Promise<void> {
    const status = await bench().status();
    assert.deepEqual(
      { kind: status.lastError?.kind, state: status.state, healthy: status.healthy, wanted: status.wanted },
      { kind, state: "failing", healthy: false, wanted: revision },
    );
    assert.equal(status.revision, good);
    await assertSystem(bench().machine, system);
  }

  it("one that only a restart can lead to is left alone, and taken for what it is after the restart", async () => {
    const before = await activations(bench().machine);
    const revision = await bench().push({ behaviour: "needsRestart" });
    assert.equal(await bench().poll(), false);
    await assertStayed("restart", revision);
    assert.deepEqual(await activations(bench().machine), before, "nothing was touched");
    assert.match(await bench().journal(), /only a restart .*\(dbus-implementation : dbus -> broker\)/);
    // What docs/trouble/failed-upgrade.md says, and the restart.
    await bench().machine.output(`set -e
      system=$(readlink -f /var/lib/nixos-upgrade/system)
      nix-env --profile /nix/var/nix/profiles/system --set "$system"
      "$system/bin/switch-to-configuration" boot
      ln -sfn "$system" /run/current-system`);
    assert.equal(await bench().poll(), true);
    assert.equal((await bench().status()).revision, revision);
  });

  it("an evaluation error is not tried again until the branch moves", async () => {
    const broken = await bench().push({ behaviour: "evaluationError" });
    assert.equal(await bench().poll(), false);
    await assertStayed("evaluation", broken);
    assert.match(await bench().journal(), /the repository's evaluation error/);

    await bench().calls();
    assert.equal(await bench().poll(), false);
    assert.deepEqual(await bench().calls(), [lsRemote]);
    await assertStayed("evaluation", broken);

    const mended = await bench().push();
    assert.equal(await bench().poll(), true);
    const status = await bench().status();
    assert.deepEqual([status.state, status.revision, status.lastError], ["current", mended, null]);
  });

  it("a revision that failed is tried again when its hour is over", async () => {
    await bench().push({ behaviour: "buildError" });
    const begun = Math.floor(Date.now() / 1000) * 1000;
    assert.equal(await bench().poll(), false);
    const failed = Date.parse((await bench().status()).nextTry ?? "") - 3_600_000;
    assert.ok(failed >= begun && failed <= Date.now(), String(failed));

    await bench().machine.output(
      `state=/var/lib/nixos-upgrade/state.json; jq '.failed.retryAt = now - 1' $state >/tmp/state && cp /tmp/state $state`,
    );
    await bench().calls();
    assert.equal(await bench().poll(), false);
    assert.match((await bench().calls()).join("\n"), /nix-store --realise/);
  });

  it("a build error leaves the machine alone", async () => {
    const broken = await bench().push({ behaviour: "buildError" });
    assert.equal(await bench().poll(), false);
    await assertStayed("build", broken);
    assert.match(await bench().journal(), /the bench's build error/);
  });

  it("a failed activation is taken back, and never was the system that boots", async () => {
    const broken = await bench().push({ behaviour: "activationFails" });
    assert.equal(await bench().poll(), false);
    await assertStayed("activation", broken);
    const [activated = "", ...back] = (await activations(bench().machine)).slice(-3);
    assert.match(activated, /^test /);
    assert.notEqual(activated, `test ${system}`);
    assert.deepEqual(back, [`boot ${system}`, `test ${system}`]);
  });

  it("an activation that hangs is ended and taken back", async () => {
    await bench().set({ UPGRADE_SWITCH_SECONDS: "2" });
    const broken = await bench().push({ behaviour: "activationHangs" });
    assert.equal(await bench().poll(), false);
    await assertStayed("activation", broken);
    await bench().set({ UPGRADE_SWITCH_SECONDS: "60" });
  });

  it("a boot loader that cannot be installed is taken back", async () => {
    const broken = await bench().push({ behaviour: "bootloaderFails" });
    assert.equal(await bench().poll(), false);
    await assertStayed("activation", broken);
  });

  // Fault 10
  it("a unit that newly fails takes the system back; its name is not for everybody", async () => {
    const broken = await bench().push({ behaviour: "failedUnits" });
    assert.equal(await bench().poll(), false);
    await assertStayed("health", broken);
    assert.match(await bench().journal(), /bench-broken\.service has failed/);
    const page = await bench().machine.output("cat /run/nixos-upgrade/public/*");
    assert.doesNotMatch(page, /bench-broken|nix\/store/);

    await bench().set({ UPGRADE_DETAILS: "true" });
    await bench().poll();
    assert.match(
      await bench().machine.output("cat /run/nixos-upgrade/public/status.html"),
      /bench-broken\.service has failed/,
    );
    await bench().set({ UPGRADE_DETAILS: "false" });
  });

  it("a unit that had failed before is not the new system's fault", async () => {
    await bench().machine.output(`systemd-run --quiet --unit=old-trouble /bin/false
      until systemctl is-failed --quiet old-trouble; do sleep 0.05; done`);
    const revision = await bench().push();
    assert.equal(await bench().poll(), true);
    assert.equal((await bench().status()).revision, revision);
    await bench().machine.output("systemctl reset-failed");
  });

  it("a system that cuts off SSH is taken back", async () => {
    const broken = await bench().push({ behaviour: "cutsOffSsh" });
    assert.equal(await bench().poll(), false);
    await assertStayed("health", broken);
    assert.match(await bench().journal(), /no SSH server answers/);
    await bench().machine.output("systemctl is-active sshd.service");
  });

  it("the new system's own check decides what it must serve", async () => {
    const broken = await bench().push({ health: "#!/bin/sh\ncat >/dev/null; echo 'the shop is closed'; exit 1\n" });
    assert.equal(await bench().poll(), false);
    await assertStayed("health", broken);
    assert.match(await bench().journal(), /not healthy: the shop is closed/);
  });

  it("a system that can no longer read the repository is taken back, and the old way still works", async () => {
    const health = `#!/bin/sh
sed 's|^export UPGRADE_MACHINE_KEY=.*|export UPGRADE_MACHINE_KEY=/etc/upgrade/another-key|' /etc/upgrade/bin/nixos-upgrade-remote >/run/other/nixos-upgrade-remote
chmod +x /run/other/nixos-upgrade-remote
PATH=/run/other:$PATH exec nixos-upgrade-health\n`;
    await bench().machine.output(
      "mkdir -p /run/other; ssh-keygen -q -t ed25519 -N '' -f /etc/upgrade/another-key <<<y",
    );
    const broken = await bench().push({ health });
    assert.equal(await bench().poll(), false);
    await assertStayed("health", broken);
    assert.match(
      await bench().journal(),
      /the repository cannot be read: The repository refuses the machine's key.*Permission denied/,
    );
    const mended = await bench().push();
    assert.equal(await bench().poll(), true);
    assert.equal((await bench().status()).revision, mended);
  });

  // Fault 61
  it("a good system is kept though GitHub is down at the moment of its health check", async () => {
    const revision = await bench().push({
      health: `#!/bin/sh\nsystemctl stop githost.service\nexec nixos-upgrade-health\n`,
    });
    try {
      assert.equal(await bench().poll(), true);
      assert.equal((await bench().status()).revision, revision);
    } finally {
      await bench().machine.output("systemctl start githost.service");
    }
  });

  it("a good system is kept though the deploy key is removed at that moment: the system before cannot read either", async () => {
    const revision = await bench().push({
      health: `#!/bin/sh\nmv /etc/githost/authorized_keys /etc/githost/removed\nexec nixos-upgrade-health\n`,
    });
    try {
      assert.equal(await bench().poll(), true);
      assert.equal((await bench().status()).revision, revision);
    } finally {
      await bench().machine.output("mv /etc/githost/removed /etc/githost/authorized_keys");
    }
  });

  for (const [what, act] of Object.entries({
    "takes the machine's key away": "rm $key",
    "makes another key of it": "cp /etc/upgrade/another-key $key",
  })) {
    it(`a system that ${what} is taken back, though the system before cannot read either now`, async () => {
      const key = await bench().machine.output(
        "sed -n 's/^export UPGRADE_MACHINE_KEY=//p' /etc/upgrade/bin/nixos-upgrade",
      );
      await bench().machine.output(`cp -p ${key} /run/kept-key`);
      const broken = await bench().push({
        health: `#!/bin/sh\nkey=${key}\n${act}\nexec nixos-upgrade-health\n`,
      });
      try {
        assert.equal(await bench().poll(), false);
        await assertStayed("health", broken);
        assert.match(await bench().journal(), /not healthy: the repository cannot be read/);
      } finally {
        await bench().machine.output(`cp -p /run/kept-key ${key}`);
      }
    });
  }

  // Fault 36
  it("a system that would switch upgrades off is refused unless it says so", async () => {
    const silent = await bench().push({ behaviour: "switchesOff" });
    assert.equal(await bench().poll(), false);
    await assertStayed("switches-off", silent);
    assert.match(await bench().journal(), /pulumiNixos\.upgrade\.enable = false/);

    const explicit = await bench().push({ behaviour: "saysOff" });
    assert.equal(await bench().poll(), true);
    assert.equal((await bench().status()).revision, explicit);
  });

  // Fault 18
  it("a forced push is refused without the option, and not with it", async () => {
    const first = await bench().machine.output("git -C /srv/work rev-list --max-parents=0 HEAD");
    const rewritten = await bench().push({ onto: first });
    assert.equal(await bench().poll(), false);
    await assertStayed("rewritten", rewritten);

    await bench().set({ UPGRADE_ALLOW_REWRITTEN_HISTORY: "true" });
    const again = await bench().push({ onto: first });
    assert.equal(await bench().poll(), true);
    assert.equal((await bench().status()).revision, again);
    await bench().set({ UPGRADE_ALLOW_REWRITTEN_HISTORY: "false" });
  });

  // Fault 56
  it("a branch of somebody who may not push to main is not taken for main, however it is called", async () => {
    // As GitHub has it: any commit is handed out that is asked for.
    await bench().machine.output(`git -C /srv/git/octocat/site.git config uploadpack.allowAnySHA1InWant true
      git -C /srv/git/octocat/site.git config uploadpack.allowFilter true`);
    const head = await bench().machine.output("git -C /srv/work rev-parse HEAD");
    for (const name of ["refs/heads/a/refs/heads/main", "refs/heads/refs/heads/main", "refs/tags/main"]) {
      await bench().machine.output(`cd /srv/work
        echo ${name} >nix/nonce; git commit --quiet --all --message evil
        git push --quiet --force origin HEAD:${name}; git reset --quiet --hard ${head}; chown -R git: /srv/git`);
      assert.equal(await bench().poll(), true, name);
      const { revision, wanted } = await bench().status();
      assert.deepEqual([revision, wanted], [head, head], name);
      assert.equal(await bench().current(), system, name);
      await bench().machine.output(`git -C /srv/work push --quiet origin --delete ${name}`);
    }
  });

  // Fault 57
  it("a forced push that changes nothing on the machine is not recorded, and its child is refused", async () => {
    const forced = await bench().machine.output(`cd /srv/work
      git checkout --quiet --detach ${good}^ && git checkout --quiet ${good} -- . && git commit --quiet --message same
      git push --quiet --force origin HEAD:main; chown -R git: /srv/git; git rev-parse HEAD`);
    assert.equal(await bench().poll(), false);
    await assertStayed("rewritten", forced);
    const child = await bench().machine.output(`cd /srv/work
      echo child >nix/nonce; git commit --quiet --all --message child
      git push --quiet --force origin HEAD:main; chown -R git: /srv/git; git rev-parse HEAD`);
    assert.equal(await bench().poll(), false);
    await assertStayed("rewritten", child);
    await bench().machine.output(`cd /srv/work
      git checkout --quiet main && git push --quiet --force origin main:main; chown -R git: /srv/git`);
    assert.equal(await bench().poll(), true);
    assert.equal((await bench().status()).revision, good);
  });

  it("a branch that is put back to an older revision does not move the machine backwards", async () => {
    const parent = await bench().machine.output("git -C /srv/work rev-parse HEAD^");
    await bench().machine.output("git -C /srv/work push --quiet --force origin HEAD^:main; chown -R git: /srv/git");
    assert.equal(await bench().poll(), false);
    await assertStayed("rewritten", parent);
    await bench().machine.output("git -C /srv/work push --quiet --force origin HEAD:main; chown -R git: /srv/git");
    assert.equal(await bench().poll(), true);
  });

  it("a revision below one that failed is installed when it leads on from what runs", async () => {
    await bench().push({ behaviour: "buildError" });
    assert.equal(await bench().poll(), false);
    const other = await bench().push({ onto: good });
    assert.equal(await bench().poll(), true);
    assert.equal((await bench().status()).revision, other);
  });
});
