// /metrics, from the records that the upgrade leaves: the real script, read by Prometheus's own promtool and line by line.
// What it cannot prove: that nginx serves it (test/system/page.spec.ts).
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { hasCommand } from "../../cli/rehearse/commands";
import { requireCommands, requireOrSkip } from "../require";
import { Place, shared } from "./scripts";

describe("/metrics", () => {
  let place: Place;
  const now = Math.floor(Date.now() / 1000);
  const revision = "1".repeat(40);

  before(function () {
    requireOrSkip(this, "systemd", hasCommand("systemd-analyze"), "systemd-analyze is missing");
  });
  beforeEach(() => {
    place = new Place();
    place.program("nixos-upgrade-status", ...shared, "status.sh");
    // There is no store here.
    place.standIn("df", 'exec /bin/df "${@:1:2}" /');
    Object.assign(place.settings, {
      ...{ UPGRADE_ENABLED: "true", UPGRADE_DETAILS: "false", UPGRADE_COMMIT_URL: "", UPGRADE_DATES: "minutely" },
      ...{ NIXOS_DEPLOY_RUN_FOLDER: place.root, UPGRADE_FRESH_SECONDS: "1800", UPGRADE_RETRY_SECONDS: "3600" },
    });
  });
  afterEach(() => place?.remove());

  async function written(state: object): Promise<string> {
    fs.writeFileSync(path.join(place.state, "state.json"), JSON.stringify(state));
    const { code, stderr } = await place.script("nixos-upgrade-status");
    assert.equal(code, 0, stderr);
    return fs.readFileSync(path.join(place.root, "public/metrics"), "utf8");
  }

  /** What the file says, by the sample's name with its labels. */
  async function metrics(state: object): Promise<{ text: string; samples: Record<string, number> }> {
    const text = await written(state);
    const samples: Record<string, number> = {};
    for (const line of text
      .trimEnd()
      .split("\n")
      .filter((line) => !line.startsWith("# "))) {
      const [, name, value] = /^([a-z_]+(?:\{[a-z]+="[a-z-]+"\})?) (\d+)$/.exec(line) ?? [];
      assert.ok(name !== undefined, line);
      assert.ok(!(name in samples), line);
      samples[name] = Number(value);
    }
    return { text, samples };
  }

  const system = fs.existsSync("/run/current-system") ? fs.realpathSync("/run/current-system") : "/run/current-system";
  const running = { system, revision, since: now - 9000 };
  const states: Record<string, object> = {
    "a machine that has just started": {},
    "one that is up to date": {
      check: now,
      success: now,
      running,
      wanted: { revision, since: now - 9000 },
      tokenExpires: now + 99,
    },
    "one that fails": {
      check: now,
      success: now - 500,
      running,
      wanted: { revision: "2".repeat(40), since: now - 300 },
      error: { kind: "build", summary: "s", message: 'a "text"\nwith lines', since: now - 200, at: now },
      failures: { build: 3, "rate-limit": 12 },
    },
    "one whose record is damaged": { failures: { 'a"b\n': 1, health: "many", build: 2 }, check: "x".length },
  };

  const damaged: Record<string, object> = {
    "a kind that ends with a line": { failures: { "build\n": 3, build: 2 } },
    "a kind of an error with all that a label must not have": {
      error: { kind: 'a"b\n\\c\u001b', summary: "s", since: now, at: now },
    },
    "failures that are a list": { failures: [1, 2] },
    "failures that are a text": { failures: "many" },
    "a time before all times": { check: now, success: -5, wanted: { revision, since: -1 } },
  };
  for (const [what, state] of Object.entries(damaged)) {
    it(`is whole, and what Prometheus reads, of ${what}`, async function () {
      requireCommands(this, "promtool", "promtool");
      const text = await written(state);
      const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
      assert.deepEqual([status, stdout, stderr], [0, "", ""]);
      assert.match(text, /^nixos_upgrade_written_timestamp_seconds \d+\n$/m);
    });
  }

  for (const [what, state] of Object.entries(states)) {
    it(`is what Prometheus reads, of ${what}`, async function () {
      requireCommands(this, "promtool", "promtool");
      const { text } = await metrics(state);
      const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
      assert.deepEqual([status, stdout, stderr], [0, "", ""]);
    });
  }

  it("has no sample of what is not known", async () => {
    const { samples } = await metrics({});
    assert.deepEqual(
      Object.keys(samples).filter((name) => !/_state\{|_disk|written/.test(name)),
      ["nixos_upgrade_healthy", "nixos_upgrade_waiting", "nixos_upgrade_reboot_needed"],
    );
    assert.equal(samples['nixos_upgrade_state{state="starting"}'], 1);
  });

  it("tells age, last success, failures by kind and what is waited for", async () => {
    const good = (await metrics(states["one that is up to date"]!)).samples;
    assert.equal(good["nixos_upgrade_running_since_timestamp_seconds"], now - 9000);
    assert.equal(good["nixos_upgrade_last_success_timestamp_seconds"], now);
    assert.equal(good["nixos_upgrade_token_expiry_timestamp_seconds"], now + 99);
    assert.deepEqual([good["nixos_upgrade_healthy"], good["nixos_upgrade_reboot_needed"]], [1, 0]);
    assert.ok(!("nixos_upgrade_behind_since_timestamp_seconds" in good));

    const bad = (await metrics(states["one that fails"]!)).samples;
    assert.equal(bad["nixos_upgrade_healthy"], 0);
    assert.equal(bad['nixos_upgrade_error{kind="build"}'], 1);
    assert.equal(bad['nixos_upgrade_failures_total{kind="rate-limit"}'], 12);
    assert.equal(bad["nixos_upgrade_behind_since_timestamp_seconds"], now - 300);
    assert.deepEqual(
      Object.entries(bad).filter(([name, value]) => name.startsWith("nixos_upgrade_state") && value === 1),
      [['nixos_upgrade_state{state="failing"}', 1]],
    );

    assert.equal((await metrics({ check: now, waiting: true })).samples["nixos_upgrade_waiting"], 1);
    const awaiting = (await metrics({ check: now, phase: "awaiting" })).samples;
    assert.deepEqual([awaiting["nixos_upgrade_waiting"], awaiting['nixos_upgrade_state{state="awaiting"}']], [1, 1]);
  });

  it("says nothing that the page keeps to itself", async () => {
    const { text } = await metrics(states["one that fails"]!);
    assert.doesNotMatch(text, /with lines|2222/);
  });
});
