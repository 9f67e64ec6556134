// The machine upgrading itself: the real programs of nix/upgrade under a real systemd, a real Nix, a real git repository
// behind a real SSH server that has GitHub's name. What they cannot prove: that NixOS's own switch-to-configuration
// behaves like the stub's, and how much memory a real evaluation takes.
import assert from "node:assert/strict";
import { assertSystem, activations, canRunMachine, until } from "../../cli/rehearse/machine";
import { requireOrSkip } from "../require";
import { startUpgradeBench, type UpgradeBench } from "../../cli/rehearse/upgrade/bench";

/** A bench for the tests of a suite, in their order; skips the suite with the reason where there can be none. */
function useUpgradeBench(): () => UpgradeBench {
  let bench: UpgradeBench | undefined;
  before(async function () {
    const reason = canRunMachine();
    requireOrSkip(this, "systemd", reason === undefined, reason ?? "");
    bench = await startUpgradeBench();
  });
  after(() => bench?.stop());
  return () => bench!;
}

const lsRemote = "git ls-remote --heads ssh://git@github.com/octocat/site";

describe("upgrade: from the first push on", () => {
  const bench = useUpgradeBench();

  it("waits for the first push, which is no failure", async () => {
    assert.equal(await bench().poll(), true);
    const { state, healthy, summary, revision } = await bench().status();
    assert.deepEqual(
      { state, healthy, summary, revision },
      { state: "waiting", healthy: true, summary: "Waiting for the first push to the repository.", revision: null },
    );
    assert.equal(await bench().current(), bench().machine.initialSystem);
  });

  it("installs what is pushed, and records the revision that runs", async () => {
    const begun = Math.floor(Date.now() / 1000) * 1000;
    const revision = await bench().push();
    assert.equal(await bench().poll(), true);
    const status = await bench().status();
    assert.equal(status.state, "current");
    assert.equal(status.revision, revision);
    assert.equal(status.commit, `https://github.com/octocat/site/commit/${revision}`);
    assert.ok(Date.parse(status.since ?? "") >= begun, status.since ?? "no time");
    await assertSystem(bench().machine, await bench().current());
  });

  it("activates before it makes the new system the one that boots", async () => {
    const system = await bench().current();
    assert.deepEqual(await activations(bench().machine), [`test ${system}`, `boot ${system}`]);
  });

  it("asks once while nothing changes: no evaluation, no activation", async () => {
    const before = await activations(bench().machine);
    await bench().calls();
    assert.equal(await bench().poll(), true);
    assert.deepEqual(await bench().calls(), [lsRemote]);
    assert.deepEqual(await activations(bench().machine), before);
  });

  it("takes over a revision that does not change the system, without activating it", async () => {
    const before = await activations(bench().machine);
    const revision = await bench().push({ readmeOnly: true });
    assert.equal(await bench().poll(), true);
    assert.equal((await bench().status()).revision, revision);
    assert.deepEqual(await activations(bench().machine), before);
  });

  it("undoes what was installed by hand when the branch says otherwise", async () => {
    const wanted = await bench().current();
    await bench().machine.output(`${bench().machine.initialSystem}/bin/switch-to-configuration test`);
    assert.equal(await bench().poll(), true);
    assert.equal(await bench().current(), wanted);
  });

  it("is started by its timer", async () => {
    const begun = Math.floor(Date.now() / 1000) * 1000;
    const revision = await bench().push();
    await bench().machine.output("systemctl start nixos-upgrade.timer");
    await until("the timer to install it", async () => (await bench().status()).revision === revision);
    await until(
      "its end",
      async () => (await bench().machine.run("systemctl is-active -q nixos-upgrade.service")).code !== 0,
    );
    const next = Date.parse((await bench().status()).nextTry ?? "");
    assert.ok(next >= begun && next <= Date.now() + 65_000, String(next));
    await bench().machine.output("systemctl stop nixos-upgrade.timer");
  });
});

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

describe("upgrade: memory", () => {
  const bench = useUpgradeBench();

  async function limit(settings: string): Promise<void> {
    await bench().machine.output(`mkdir -p /run/systemd/system/nixos-upgrade.service.d
      printf '[Service]\\n${settings}' >/run/systemd/system/nixos-upgrade.service.d/memory.conf
      systemctl daemon-reload`);
  }
  async function assertCountsAsFailed(): Promise<void> {
    const revision = await bench().push({ behaviour: "hungry" });
    assert.equal(await bench().poll(), false);
    const status = await bench().status();
    assert.deepEqual([status.lastError?.kind, status.wanted], ["evaluation", revision]);
    assert.equal(await bench().current(), bench().machine.initialSystem);
    await bench().calls();
    assert.equal(await bench().poll(), false);
    assert.deepEqual(await bench().calls(), [lsRemote]);
  }

  // Fault 26
  it("an evaluation that runs out of it counts as failed, and is not tried again every minute", async () => {
    await limit("LimitDATA=600M\\n");
    await assertCountsAsFailed();
  });

  it("an evaluation that is killed for it counts as failed: the poll lives on to write that down", async function () {
    const controllers = await bench().machine.output("cat /sys/fs/cgroup/cgroup.controllers");
    const found = controllers.split(" ").includes("memory");
    requireOrSkip(this, "memory", found, "control groups have no memory controller here");
    await limit("MemoryMax=400M\\nMemorySwapMax=0\\n");
    await assertCountsAsFailed();
  });
});

describe("upgrade: a repository that cannot be read", () => {
  const bench = useUpgradeBench();
  let good: string;

  before(async () => {
    good = await bench().push();
    assert.equal(await bench().poll(), true);
  });

  async function assertFailing(kind: string, message: RegExp): Promise<void> {
    const system = await bench().current();
    assert.equal(await bench().poll(), false);
    const status = await bench().status();
    assert.deepEqual([status.state, status.lastError?.kind, status.revision], ["failing", kind, good]);
    assert.match(await bench().journal(), message);
    await assertSystem(bench().machine, system);
  }

  // Fault 29
  it("a removed deploy key: Nix alone reports success with the old revision, the upgrade fails", async () => {
    const { machine } = bench();
    const nix = `GIT_SSH_COMMAND='ssh -F none -i /var/lib/id_ed25519 -o UserKnownHostsFile=/etc/upgrade/known_hosts' \\
      nix flake metadata --refresh --json "git+ssh://git@github.com/octocat/site?ref=main&dir=nix" | jq -r .revision`;
    assert.equal(await machine.output(nix), good);
    await machine.output("mv /etc/githost/authorized_keys /etc/githost/removed");
    try {
      const silent = await machine.run(nix);
      assert.deepEqual([silent.code, silent.stdout.trim()], [0, good]);
      await assertFailing("denied", /refuses the machine's key/);
    } finally {
      await machine.output("mv /etc/githost/removed /etc/githost/authorized_keys");
    }
    assert.equal(await bench().poll(), true);
    assert.equal((await bench().status()).state, "current");
  });

  it("a repository that was deleted", async () => {
    await bench().machine.output("mv /srv/git/octocat/site.git /srv/git/octocat/renamed.git");
    await assertFailing("not-found", /was deleted, or the machine's key may not read it: ERROR: Repository not found/);
    await bench().machine.output("mv /srv/git/octocat/renamed.git /srv/git/octocat/site.git");
  });

  // Fault 15
  it("a server that is down, and one that is frozen", async () => {
    await bench().machine.output("systemctl stop githost.service");
    await assertFailing("unreachable", /cannot be reached/);
    await bench().machine.output(`systemctl start githost.service
      until ss -Hltn "src ${bench().address}:22" | grep -q LISTEN; do sleep 0.05; done
      systemctl kill --signal=STOP githost.service`);
    await assertFailing("unreachable", /cannot be reached/);
    await bench().machine.output("systemctl kill --signal=CONT githost.service");
  });

  // Fault 16
  it("a server with another host key", async () => {
    await bench().machine.output(`cp /etc/upgrade/known_hosts /tmp/pinned
      echo "github.com $(ssh-keygen -y -f /var/lib/id_ed25519)" >/etc/upgrade/known_hosts`);
    await assertFailing("host-key", /not one of GitHub's published keys/);
    await bench().machine.output("cp /tmp/pinned /etc/upgrade/known_hosts");
  });

  it("a branch that was deleted", async () => {
    await bench().machine.output("git -C /srv/git/octocat/site.git update-ref -d refs/heads/main");
    await assertFailing("branch-gone", /The branch main is gone/);
    await bench().machine.output("git -C /srv/work push --quiet origin main; chown -R git: /srv/git");
    assert.equal(await bench().poll(), true);
  });
});

describe("upgrade: only signed revisions", () => {
  const bench = useUpgradeBench();

  // Fault 59
  it("refuses what is not signed by a key that the running system holds, and shows it on the page", async () => {
    const good = await bench().push();
    assert.equal(await bench().poll(), true);
    await bench().machine.output(`ssh-keygen -q -t ed25519 -N '' -f /etc/upgrade/signer <<<y
      echo "signer namespaces=\\"git\\" $(cat /etc/upgrade/signer.pub)" >/etc/upgrade/signers`);
    await bench().set({ UPGRADE_ALLOWED_SIGNERS: "/etc/upgrade/signers" });
    const unsigned = await bench().push();
    assert.equal(await bench().poll(), false);
    const status = await bench().status();
    assert.deepEqual([status.lastError?.kind, status.revision, status.wanted], ["unsigned", good, unsigned]);
    assert.match(
      await bench().machine.output("cat /run/nixos-upgrade/public/status.html"),
      /is not signed by a key that this machine trusts/,
    );
    await bench().machine.output(
      "git -C /srv/work config gpg.format ssh; git -C /srv/work config user.signingKey /etc/upgrade/signer; git -C /srv/work config commit.gpgSign true",
    );
    const signed = await bench().push();
    assert.equal(await bench().poll(), true);
    assert.equal((await bench().status()).revision, signed);
  });
});

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

  const hold = (expression: string) =>
    bench().machine.output(`mkdir -p /run/nixos-deploy; echo ${expression} >/run/nixos-deploy/hold`);

  const switching = async () =>
    (await bench().machine.run("systemctl is-active -q nixos-rebuild-switch-to-configuration")).code === 0;

  it("does nothing while a deployment holds it, and goes on when the lease has ended", async () => {
    const revision = await bench().push();
    await hold("$(($(date +%s) + 300))");
    await bench().calls();
    assert.equal(await bench().poll(), true);
    assert.deepEqual(await bench().calls(), []);
    assert.equal((await bench().status()).state, "held");
    assert.equal(await bench().current(), system);

    await hold("$(($(date +%s) - 1))");
    assert.equal(await bench().poll(), true);
    assert.equal((await bench().status()).revision, revision);
  });

  it("does not take garbage for a lease", async () => {
    for (const garbage of ["tomorrow", "99999999999", "''"]) {
      await hold(garbage);
      const revision = await bench().push({ readmeOnly: true });
      assert.equal(await bench().poll(), true, garbage);
      assert.equal((await bench().status()).revision, revision, garbage);
    }
  });

  it("stops before the switch when a deployment began while it was building", async () => {
    const revision = await bench().push({ behaviour: "slowBuild" });
    const poll = bench().poll();
    await until("the build", async () => (await bench().status()).phase === "building");
    await hold("$(($(date +%s) + 300))");
    assert.equal(await poll, true);
    assert.equal(await bench().current(), system);
    await bench().machine.output("rm /run/nixos-deploy/hold");
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
