// What the page and the probe say after an outage, from the records that the upgrade and the probe leave: the real scripts.
// What it cannot prove: that the upgrade leaves such records (test/system/upgrade.spec.ts).
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { requireOrSkip } from "../require";
import { hasCommand } from "../../cli/rehearse/commands";
import { Place, shared } from "./scripts";

const HOUR = 3600;

describe("what the machine says after an outage", () => {
  let place: Place;
  let main: string;
  const now = Math.floor(Date.now() / 1000);

  before(function () {
    requireOrSkip(this, "systemd", hasCommand("systemd-analyze"), "systemd-analyze is missing");
  });
  beforeEach(() => {
    place = new Place();
    main = place.commit("one");
    place.push();
    place.program("nixos-upgrade-remote", "remote.sh");
    place.program("nixos-upgrade-status", ...shared, "status.sh");
    place.program("nixos-upgrade-probe", ...shared, "probe.sh");
    // There is no store here.
    place.standIn("df", 'exec /bin/df "${@:1:2}" /');
    // The machine was started long ago.
    place.standIn("cut", `[[ \${*: -1} != /proc/uptime ]] || { echo 999999; exit; }\nexec /usr/bin/cut "$@"`);
    Object.assign(place.settings, {
      ...{ UPGRADE_ENABLED: "true", UPGRADE_DETAILS: "true", UPGRADE_COMMIT_URL: "", UPGRADE_DATES: "minutely" },
      ...{ NIXOS_DEPLOY_RUN_FOLDER: place.root, UPGRADE_FRESH_SECONDS: "1800" },
      UPGRADE_TOKEN_WARNING_SECONDS: "604800",
      UPGRADE_RETRY_SECONDS: "3600",
    });
  });
  afterEach(() => place?.remove());

  const system = () =>
    fs.existsSync("/run/current-system") ? fs.realpathSync("/run/current-system") : "/run/current-system";
  const record = (name: string, value: object) =>
    fs.writeFileSync(path.join(place.state, `${name}.json`), JSON.stringify(value));
  const running = () => ({ system: system(), revision: main, since: now - 9 * HOUR });

  interface Page {
    state: string;
    healthy: boolean;
    problems: string[];
    nextTry: string | null;
  }
  async function page(): Promise<Page> {
    const { code, stderr } = await place.script("nixos-upgrade-status");
    assert.equal(code, 0, stderr);
    return JSON.parse(fs.readFileSync(path.join(place.root, "public/status.json"), "utf8")) as Page;
  }
  const probe = () => place.script("nixos-upgrade-probe");

  describe("the page", () => {
    const problem = (kind: string) => ({ kind, summary: `summary of ${kind}`, message: `message of ${kind}` });
    const installing = {
      check: now - 10,
      phase: "building",
      wanted: { revision: "1".repeat(40), since: now - 10 },
      error: null,
      waiting: false,
      tokenExpires: now + 9999 * HOUR,
    };

    for (const kind of ["contact", "looking", "behind", "branch", "token"]) {
      it(`does not show what is over while the new revision is installed (${kind})`, async () => {
        record("probe", { at: now - 100, tokenExpires: now + HOUR, problems: [problem(kind)] });
        record("state", { ...installing, running: running() });
        const { state, healthy, problems } = await page();
        assert.deepEqual({ state, healthy, problems }, { state: "upgrading", healthy: true, problems: [] });
      });

      it(`shows what the probe has found since (${kind})`, async () => {
        record("probe", { at: now - 5, tokenExpires: now + HOUR, problems: [problem(kind)] });
        record("state", { ...installing, running: running() });
        const { state, problems } = await page();
        assert.deepEqual({ state, problems }, { state: "stale", problems: [`message of ${kind}`] });
      });
    }

    for (const kind of ["contact", "looking", "behind", "branch", "token"]) {
      // Fault 116
      it(`shows it too where the record was written while the clock was years ahead (${kind})`, async () => {
        record("probe", { at: now - 5, tokenExpires: now + HOUR, problems: [problem(kind)] });
        const ahead = { check: now + 50_000 * HOUR, success: now + 50_000 * HOUR, notBefore: now + 50_000 * HOUR };
        record("state", { ...installing, ...ahead, phase: null, running: { ...running(), revision: "1".repeat(40) } });
        const { state, problems, nextTry } = await page();
        assert.deepEqual({ state, problems }, { state: "stale", problems: [`message of ${kind}`] });
        assert.ok(Date.parse(nextTry ?? "") < Date.now() + 2 * 60_000, nextTry ?? "no next try");
      });
    }

    it("goes on showing what lasts", async () => {
      record("probe", { at: now - 100, tokenExpires: now + HOUR, problems: [problem("branch"), problem("token")] });
      record("state", { ...installing, phase: null, waiting: true, tokenExpires: now + HOUR });
      assert.deepEqual((await page()).problems, ["message of branch", "message of token"]);
    });
  });

  describe("the probe", () => {
    it("reports no delay that is over: the upgrade has read the repository since", async () => {
      fs.renameSync(place.repository, `${place.repository}.away`);
      record("probe", { begun: now - 9 * HOUR, contact: now - 5 * HOUR });
      record("state", { check: now - 4 * HOUR, running: running() });
      const failed = await probe();
      assert.equal(failed.code, 1);
      assert.match(failed.stderr, /could not be read for 2[34]\d minutes/);
      record("state", { check: now - 60, running: running() });
      assert.equal((await probe()).code, 0);
    });

    it("reports no delay of a revision that was caught up with, nor of one that came just now", async () => {
      record("probe", { begun: now - 9 * HOUR, contact: now, behindSince: now - 5 * HOUR });
      record("state", { check: now, running: running() });
      assert.equal((await probe()).code, 0);
      const next = place.commit("two");
      place.push();
      assert.equal((await probe()).code, 0);
      record("probe", { begun: now - 9 * HOUR, contact: now, behindSince: now - 5 * HOUR });
      record("state", { check: now, running: { ...running(), since: now - 60 } });
      assert.equal((await probe()).code, 0, "installed one a minute ago");
      record("probe", { begun: now - 9 * HOUR, contact: now, behindSince: now - 5 * HOUR });
      record("state", { check: now, running: running() });
      const { code, stderr } = await probe();
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`The branch is at ${next}, this machine runs ${main}`));
    });

    it("waits for an upgrade at work, and not for one that has died in the middle", async () => {
      record("probe", { begun: now - 9 * HOUR, contact: now });
      record("state", { check: now - 2 * HOUR, phase: "building", running: running() });
      assert.equal((await probe()).code, 0);
      record("state", { check: now - 5 * HOUR, phase: "building", running: running() });
      const { code, stderr } = await probe();
      assert.equal(code, 1);
      assert.match(stderr, /has not asked the repository for \d+ minutes/);
    });

    // Fault 112
    it("advises no command with a name in it that a shell would obey", async () => {
      place.settings["UPGRADE_BRANCH"] = "live";
      record("probe", { begun: now - 9 * HOUR, waitingSince: now - 5 * HOUR });
      place.push("refs/heads/$(touch${IFS}evil)");
      execFileSync("git", ["-C", place.repository, "update-ref", "-d", "refs/heads/main"]);
      assert.match((await probe()).stderr, /git push origin HEAD:live;/);
      place.push("refs/heads/main");
      assert.match((await probe()).stderr, /git push origin main:live;/);
    });
  });

  it("keeps git's progress out of the journal, and nothing else", async () => {
    for (let at = 0; at < 9; at++) place.commit(`${at}`, "--allow-empty");
    place.push();
    const target = path.join(place.root, "clone");
    const upgrade = fs.readFileSync(path.join(__dirname, "../../nix/upgrade/upgrade.sh"), "utf8");
    const functions = /^logged\(\)[^]*?^}[^]*?^without_progress\(\)[^]*?^}/m.exec(upgrade)?.[0] ?? "";
    const { code, stdout, stderr } = await place.script(`${functions}
      logged ${place.root}/output bash -c 'echo result; git clone --progress ${place.settings["UPGRADE_REMOTE"]} ${target}
        echo "error: the cause" >&2; printf "warning: first\\\\r\\\\nsecond\\\\r\\\\n" >&2; exit 3'`);
    assert.deepEqual([code, stdout], [3, "result"]);
    const kept = `Cloning into '${target}'...\nerror: the cause\nwarning: first\nsecond`;
    assert.equal(stderr, kept);
    assert.equal(execFileSync("cat", [`${place.root}/output`], { encoding: "utf8" }), `${kept}\n`);
  });
});
