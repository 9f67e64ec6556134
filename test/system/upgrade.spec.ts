// The machine upgrading itself: the real programs of nix/upgrade under a real systemd, a real Nix, a real git repository
// behind a real SSH server that has GitHub's name. What they cannot prove: that NixOS's own switch-to-configuration
// behaves like the stub's, and how much memory a real evaluation takes.
import assert from "node:assert/strict";
import { assertSystem, activations, until } from "../../cli/rehearse/machine";
import { requireOrSkip } from "../require";
import { lsRemote, useUpgradeBench } from "../support/upgradeBench";

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
