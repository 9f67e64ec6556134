// A machine with release keys: the upgrade's real programs under a real systemd, with a real Nix that fetches from a real
// binary cache over HTTP, and records out of a bucket that checks signatures of requests. What it cannot prove: Nix's own
// requests to S3, which Debian's Nix cannot sign, and that AWS's policies let the machine's role read.
import assert from "node:assert/strict";
import { activations, assertSystem } from "../../cli/rehearse/machine";
import { lsRemote, useUpgradeBench } from "../support/upgradeBench";
import { ReleaseBench } from "../support/releaseBench";

interface ReleaseStatus {
  state: string;
  healthy: boolean;
  summary: string;
  revision: string | null;
  wanted: string | null;
  release: { number: number; revision: string; republished: boolean; runs: boolean; validUntil: string } | null;
  releaseWait: { since: string; until: string; progress: string | null } | null;
  lastError: { kind: string; message?: string } | null;
  problems?: string[];
}

describe("upgrade: releases", () => {
  const bench = useUpgradeBench();
  let ci: ReleaseBench;

  const status = async () => (await bench().status()) as unknown as ReleaseStatus;
  const page = () => bench().machine.output("cat /run/nixos-upgrade/public/status.html");
  const journal = async (since: string) =>
    await bench().machine.output(
      `journalctl --unit nixos-upgrade.service --output cat --no-pager --after-cursor '${since}'`,
    );
  const cursor = () =>
    bench().machine.output("journalctl --show-cursor --lines 0 --quiet | sed -n 's/^-- cursor: //p'");
  /** Sets what the machine remembers. */
  const remember = (change: string) =>
    bench().machine.output(
      `state=/var/lib/nixos-upgrade/state.json; jq '${change}' $state >/tmp/state && cp /tmp/state $state`,
    );

  /** From here on the machine has no Nix that could evaluate or build. */
  const refuseBuilding = () =>
    bench().machine.output(`for tool in nix nix-store; do
      mv /etc/upgrade/log/$tool /etc/upgrade/log/$tool.real
      cat >/etc/upgrade/log/$tool <<'END'
#!/bin/bash
case "\${0##*/} $*" in
"nix-store --realise /nix/store/"*.drv* | "nix "*) echo "refused: $*" >>/run/refused; exit 99 ;;
"nix-store --realise"*" --max-jobs 0 "*) ;;
"nix-store --realise"*) echo "refused: $*" >>/run/refused; exit 99 ;;
esac
exec "$0.real" "$@"
END
      chmod +x /etc/upgrade/log/$tool
    done`);
  const allowBuilding = () =>
    bench().machine.output(`for tool in nix nix-store; do
      [ ! -e /etc/upgrade/log/$tool.real ] || mv /etc/upgrade/log/$tool.real /etc/upgrade/log/$tool
    done; cat /run/refused 2>/dev/null || true; rm -f /run/refused`);

  before(async () => {
    ci = await ReleaseBench.start(bench());
  });
  after(() => ci?.stop());

  it("without keys nothing is asked of the cache's records, and the machine builds itself", async () => {
    const revision = await bench().push();
    // CI publishes already.
    await ci.release(revision);
    ci.store.requests.length = 0;
    await bench().calls();
    assert.equal(await bench().poll(), true);
    const calls = (await bench().calls()).join("\n");
    assert.match(calls, /nix .*eval/);
    assert.ok(!ci.store.requests.some((request) => /releases|latest/.test(request)), ci.store.requests.join("\n"));
    const { state, release, releaseWait } = await status();
    assert.deepEqual([state, release, releaseWait], ["current", null, null]);
    ci.store.objects.clear();
  });

  it("with keys and a workflow that does not publish, a machine that is current stays so", async () => {
    await ci.trust();
    await bench().calls();
    assert.equal(await bench().poll(), true);
    assert.equal((await status()).state, "current");
    assert.deepEqual(
      (await bench().calls()).filter((call) => !call.startsWith("curl")),
      [lsRemote],
    );
  });

  it("a new revision waits for CI, and the page says so", async () => {
    const system = await bench().current();
    const revision = await bench().push();
    await bench().calls();
    assert.equal(await bench().poll(), true);
    let found = await status();
    assert.deepEqual([found.state, found.healthy, found.wanted], ["awaiting", true, revision]);
    assert.equal(found.releaseWait!.progress, null);
    assert.equal(Date.parse(found.releaseWait!.until) - Date.parse(found.releaseWait!.since), 1_200_000);
    assert.match(await page(), /Waiting for CI.*Waits for CI.*which has not begun/s);
    assert.doesNotMatch((await bench().calls()).join("\n"), /^nix/m);

    ci.progress(revision, "started");
    assert.equal(await bench().poll(), true);
    found = await status();
    assert.deepEqual([found.state, found.releaseWait!.progress], ["awaiting", "started"]);
    assert.match(await page(), /which is at work/);
    await assertSystem(bench().machine, system);
  });

  it("what CI has released is fetched and runs, by a machine that evaluates and builds nothing", async () => {
    const { wanted } = await status();
    const { system, number } = await ci.release(wanted!);
    ci.fetched();
    await refuseBuilding();
    assert.equal(await bench().poll(), true);
    assert.equal(await allowBuilding(), "");
    await assertSystem(bench().machine, system);
    const found = await status();
    assert.deepEqual([found.state, found.revision, found.releaseWait], ["current", wanted, null]);
    assert.deepEqual([found.release!.number, found.release!.runs], [number, true]);
    assert.match(await page(), new RegExp(`Release</dt><dd>${number}<`));
    assert.ok(ci.fetched().some((file) => file.endsWith(".narinfo")));
  });

  it("a poll without news is two questions: to the repository and to the bucket", async () => {
    ci.fetched();
    await bench().calls();
    assert.equal(await bench().poll(), true);
    const calls = await bench().calls();
    assert.deepEqual(
      calls.filter((call) => !call.startsWith("curl")),
      [lsRemote],
    );
    // Three of them of its own metadata service.
    assert.equal(calls.length, 5);
  });

  it("a revision that changes nothing on the machine is recorded, and fetches nothing", async () => {
    const revision = await bench().push({ readmeOnly: true });
    const system = await bench().current();
    ci.record({ revision, system });
    ci.fetched();
    const before = await activations(bench().machine);
    await refuseBuilding();
    assert.equal(await bench().poll(), true);
    assert.equal(await allowBuilding(), "");
    assert.deepEqual(ci.fetched(), []);
    assert.deepEqual(await activations(bench().machine), before);
    const found = await status();
    assert.deepEqual([found.state, found.revision], ["current", revision]);
  });

  // Fault 134
  it("a path that the cache lacks is refused, and taken as soon as it is there", async () => {
    const revision = await bench().push();
    const { system, files } = await ci.build(revision);
    ci.record({ revision, system });
    for (const which of [() => false, (name: string) => name.endsWith(".narinfo")]) {
      ci.upload(files, which);
      assert.equal(await bench().poll(), false);
      const { state, lastError } = await status();
      assert.deepEqual([state, lastError!.kind], ["failing", "release-missing"]);
    }
    // Nix remembers for an hour what a cache did not have; this must not.
    ci.upload(files);
    assert.equal(await bench().poll(), true);
    await assertSystem(bench().machine, system);
    assert.equal((await status()).state, "current");
  });

  it("a path that nobody trusted has signed is refused before anything of it is fetched", async () => {
    const revision = await bench().push();
    const { system, files } = await ci.build(revision, { sign: false });
    ci.upload(files);
    ci.record({ revision, system });
    ci.fetched();
    assert.equal(await bench().poll(), false);
    const { state, lastError } = await status();
    assert.deepEqual([state, lastError!.kind], ["failing", "release-untrusted"]);
    assert.deepEqual(
      ci.fetched().filter((file) => file.startsWith("nar/")),
      [],
    );
    const mended = await ci.release(revision);
    assert.equal(await bench().poll(), true);
    await assertSystem(bench().machine, mended.system);
  });

  // Fault 133
  it("an older record is refused, of a machine that is current too", async () => {
    const { release, revision } = await status();
    const newest = new Map(ci.store.objects);
    ci.record({ revision, system: await bench().current(), number: release!.number - 1 });
    assert.equal(await bench().poll(), false);
    const { state, lastError } = await status();
    assert.deepEqual([state, lastError!.kind], ["failing", "release-number"]);
    for (const [name, content] of newest) ci.store.objects.set(name, content);
    assert.equal(await bench().poll(), true);
    assert.equal((await status()).state, "current");
    ci.record({ revision, system: await bench().current(), number: release!.number + 1 });
    assert.equal(await bench().poll(), true);
  });

  it("a cache that cannot be reached is no trouble of a machine that is current", async () => {
    await bench().set({ UPGRADE_METADATA: "http://127.0.0.1:1" });
    assert.equal(await bench().poll(), false, "a role that was taken away is");
    assert.equal((await status()).lastError!.kind, "release-store");
    await bench().set({
      UPGRADE_METADATA: `http://127.0.0.1:${ci.store.port}`,
      UPGRADE_RELEASE_STORE: "s3://builds?endpoint=127.0.0.1:1&scheme=http&region=eu-west-1",
    });
    assert.equal(await bench().poll(), true);
    assert.equal((await status()).state, "current");
    await ci.trust();
  });

  it("an older revision that is released again is installed without a push, and marked as such", async () => {
    const bad = await status();
    const { system, files } = await ci.build(await bench().machine.output("git -C /srv/work rev-parse HEAD~1"));
    ci.upload(files);
    const revision = await bench().machine.output("git -C /srv/work rev-parse HEAD~1");
    ci.record({ revision, tip: bad.revision, republished: true, system });
    assert.equal(await bench().poll(), true);
    await assertSystem(bench().machine, system);
    const found = await status();
    assert.equal(found.state, "current");
    assert.deepEqual([found.release!.republished, found.release!.revision], [true, revision]);
    assert.match(await page(), new RegExp(`which is <code>${revision.slice(0, 10)}</code> again`));
  });

  it("a release of a system that does not work is taken back, and not tried again", async () => {
    const system = await bench().current();
    const revision = await bench().push({ behaviour: "failedUnits" });
    await ci.release(revision);
    assert.equal(await bench().poll(), false);
    assert.equal((await status()).lastError!.kind, "health");
    await assertSystem(bench().machine, system);
    const before = await activations(bench().machine);
    await bench().calls();
    assert.equal(await bench().poll(), false);
    assert.deepEqual(await activations(bench().machine), before);
    assert.doesNotMatch((await bench().calls()).join("\n"), /^nix/m);
  });

  it("a revert after it has another number, and is installed", async () => {
    const revision = await bench().push();
    const { system } = await ci.release(revision);
    assert.equal(await bench().poll(), true);
    await assertSystem(bench().machine, system);
    assert.equal((await status()).state, "current");
  });

  it("a revision that CI could not build is waited for no longer, until CI releases it after all", async () => {
    const system = await bench().current();
    const revision = await bench().push();
    ci.progress(revision, "failed");
    await bench().calls();
    for (const poll of ["the first", "the next"]) {
      assert.equal(await bench().poll(), false, poll);
      const { state, lastError } = await status();
      assert.deepEqual([state, lastError!.kind], ["failing", "ci-failed"]);
    }
    assert.doesNotMatch((await bench().calls()).join("\n"), /^nix/m);
    await assertSystem(bench().machine, system);
    const released = await ci.release(revision);
    assert.equal(await bench().poll(), true);
    await assertSystem(bench().machine, released.system);
  });

  it("merges that come faster than CI do not starve it: each release on the way is installed", async () => {
    const revisions = [];
    for (let merge = 0; merge < 5; merge++) revisions.push(await bench().push());
    // The branch is always two ahead of CI.
    for (const revision of revisions.slice(0, 3)) {
      const { system } = await ci.release(revision);
      assert.equal(await bench().poll(), true);
      await assertSystem(bench().machine, system);
      assert.equal((await status()).revision, revision);
      revisions.push(await bench().push());
    }
    assert.equal(await bench().poll(), true);
    const found = await status();
    assert.deepEqual([found.state, found.revision, found.wanted], ["awaiting", revisions[2], revisions.at(-1)]);
  });

  it("merges do not make the wait begin anew", async () => {
    const { releaseWait } = await status();
    await bench().push();
    assert.equal(await bench().poll(), true);
    assert.equal((await status()).releaseWait!.since, releaseWait!.since);
  });

  it("a release of a revision that is none of the branch's is refused", async () => {
    const system = await bench().current();
    const other = await bench().machine.output(`git -C /srv/work commit-tree -p HEAD -m other 'HEAD^{tree}'`);
    ci.record({ revision: other, system: system.replace(/-[^-]*$/, "-other") });
    assert.equal(await bench().poll(), false);
    assert.equal((await status()).lastError!.kind, "release-revision");
    await assertSystem(bench().machine, system);
  });

  it("a rewritten branch is refused at once, whatever is released", async () => {
    const { wanted } = await status();
    const { system } = await ci.release(wanted!);
    assert.equal(await bench().poll(), true);
    const rewritten = await bench().push({ onto: "HEAD~3" });
    assert.equal(await bench().poll(), false);
    assert.equal((await status()).lastError!.kind, "rewritten");
    await ci.release(rewritten);
    assert.equal(await bench().poll(), false);
    assert.equal((await status()).lastError!.kind, "rewritten");
    await assertSystem(bench().machine, system);
    // The way back, for the tests that follow.
    await bench().push({ onto: wanted! });
    ci.record({ revision: wanted, system });
  });

  it("after the wait the machine builds itself", async () => {
    assert.equal(await bench().poll(), true);
    assert.equal((await status()).state, "awaiting");
    await remember(".releaseWait.since -= 1300");
    await bench().calls();
    assert.equal(await bench().poll(), true);
    assert.match((await bench().calls()).join("\n"), /nix .*eval/);
    const found = await status();
    assert.deepEqual([found.state, found.revision, found.releaseWait], ["current", found.wanted, null]);
    assert.equal(found.release!.runs, false);
  });

  it("a record that CI renews while the machine is ahead of it is nothing new", async () => {
    const { release, revision } = await status();
    ci.record({ revision: release!.revision, system: "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-x" });
    assert.equal(await bench().poll(), true);
    const found = await status();
    assert.deepEqual([found.state, found.revision], ["current", revision]);
    // And what it found out about it is not asked again.
    await bench().calls();
    assert.equal(await bench().poll(), true);
    assert.deepEqual(
      (await bench().calls()).filter((call) => !call.startsWith("curl")),
      [lsRemote],
    );
  });

  it("during a deployment nothing is installed", async () => {
    const system = await bench().current();
    const revision = await bench().push();
    const released = await ci.release(revision);
    await bench().machine.output("mkdir -p /run/nixos-deploy; echo $(($(date +%s) + 600)) >/run/nixos-deploy/hold");
    assert.equal(await bench().poll(), true);
    assert.equal((await status()).state, "held");
    await assertSystem(bench().machine, system);
    await bench().machine.output("rm /run/nixos-deploy/hold");
    assert.equal(await bench().poll(), true);
    await assertSystem(bench().machine, released.system);
  });

  // Fault 135
  it("a newest record that has expired turns the probe red; one that is renewed ends that", async () => {
    await remember(".release.validUntil = (now | floor) - 10");
    assert.equal(await bench().poll("nixos-upgrade-freshness.service"), false);
    const { state, summary } = await status();
    assert.equal(state, "stale");
    assert.match(summary, /newest release has expired/);
    const { revision } = await status();
    ci.record({ revision, system: await bench().current() });
    assert.equal(await bench().poll(), true);
    assert.equal((await status()).state, "current");
    assert.equal(await bench().poll("nixos-upgrade-freshness.service"), true);
  });

  it("an expired record is installed by nobody, not by a machine without any memory either", async () => {
    const system = await bench().current();
    const revision = await bench().push();
    const { files, system: next } = await ci.build(revision);
    ci.upload(files);
    const now = Math.floor(Date.now() / 1000);
    ci.record({ revision, system: next, time: now - 9000, validUntil: now - 10 });
    assert.equal(await bench().poll(), false);
    assert.equal((await status()).lastError!.kind, "release-expired");
    await bench().machine.output("rm /var/lib/nixos-upgrade/state.json");
    assert.equal(await bench().poll(), false);
    assert.equal((await status()).lastError!.kind, "release-expired");
    await assertSystem(bench().machine, system);
    ci.record({ revision, system: next });
    assert.equal(await bench().poll(), true);
    await assertSystem(bench().machine, next);
  });

  describe("that installs nothing else", () => {
    const released = (system: string) => bench().machine.run(`/etc/upgrade/bin/nixos-upgrade-released ${system}`);

    before(() => ci.trust({ UPGRADE_RELEASE_REQUIRED: "true" }));

    it("stays as it is after the wait, and says so, until there is a release", async () => {
      const system = await bench().current();
      const revision = await bench().push();
      assert.equal(await bench().poll(), true);
      await remember(".releaseWait.since -= 1300");
      await bench().calls();
      const since = await cursor();
      assert.equal(await bench().poll(), false);
      assert.doesNotMatch((await bench().calls()).join("\n"), /^nix/m);
      assert.equal((await status()).lastError!.kind, "unreleased");
      assert.match(await journal(since), /within 1200 seconds.*release\.required/s);
      await assertSystem(bench().machine, system);
      const { system: next } = await ci.release(revision);
      assert.equal(await bench().poll(), true);
      await assertSystem(bench().machine, next);
    });

    it("tells a deployment whether a record names its system", async () => {
      assert.equal((await released(await bench().current())).code, 0);
      const other = await released("/nix/store/0123456789abcdfghijklmnpqrsvwxyz-nixos-system-other");
      assert.equal(other.code, 1);
      assert.match(other.stderr, /CI's newest release, number \d+ of revision [0-9a-f]{10}, is \/nix\/store\//);
      const before = new Map(ci.store.objects);
      ci.store.objects.clear();
      const none = await released(await bench().current());
      assert.deepEqual([none.code, /released nothing yet/.test(none.stderr)], [1, true]);
      for (const [name, content] of before) ci.store.objects.set(name, content);
    });
  });
});
