// Which revision the branch is at, and whether it leads on from another: the machine's real scripts and the real git. What it
// cannot prove: that the poll asks before it records anything (test/system/upgrade.spec.ts).
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { Place } from "./scripts";

for (const format of ["sha1", "sha256"]) {
  describe(`the branch's revision by git (${format})`, () => {
    let place: Place;
    let main: string;
    beforeEach(() => {
      place = new Place(format);
      main = place.commit("one");
    });
    afterEach(() => place.remove());

    it("is that of the exact reference", async () => {
      place.push();
      assert.deepEqual(await place.remote(), { state: "ok", revision: main, tokenExpires: null, moved: null });
    });

    // Whoever may push any branch may push these.
    for (const name of [
      "refs/heads/a/refs/heads/main",
      "refs/heads/refs/heads/main",
      "refs/heads/a/main",
      "refs/heads/0/heads/main",
      "refs/tags/main",
      "refs/tags/refs/heads/main",
      "refs/heads/mainx",
      "refs/heads/MAIN",
      "refs/notes/refs/heads/main",
    ]) {
      it(`is not that of ${name}`, async () => {
        place.push();
        const evil = place.commit("evil");
        place.push(name);
        assert.equal((await place.remote())["revision"], main);
        // Nor is the other one taken for a part of the branch, though the server would hand it out.
        assert.equal(await place.leadsOn(main, evil), "moving");
      });

      it(`is none where there is only ${name}`, async () => {
        place.push(name);
        const answer = await place.remote();
        assert.equal(answer["state"], "waiting");
        assert.notEqual(await place.leadsOn(main, main), "yes");
      });
    }

    it("is none before the first push", async () => {
      assert.deepEqual(await place.remote(), { state: "waiting", branches: [] });
    });

    it("is none where only others are, which are named", async () => {
      place.push("refs/heads/master");
      assert.deepEqual(await place.remote(), { state: "waiting", branches: ["master"] });
    });

    it("leads on from what comes before it, over merges too", async () => {
      const first = main;
      place.git("checkout", "--quiet", "-b", "side");
      const side = place.commit("side");
      place.git("checkout", "--quiet", "main");
      place.git("commit", "--quiet", "--allow-empty", "--message", "other");
      place.git("merge", "--quiet", "--no-ff", "--message", "merge", "-X", "theirs", "side");
      const merge = place.git("rev-parse", "HEAD");
      place.push();
      assert.deepEqual(await Promise.all([place.leadsOn(first, merge)]), ["yes"]);
      assert.equal(await place.leadsOn(side, merge), "yes");
      const next = place.commit("next");
      place.push();
      assert.equal(await place.leadsOn(merge, next), "yes");
      assert.equal(await place.leadsOn(next, merge), "no");
    });

    it("does not lead on from what a forced push left out, whose child is refused too", async () => {
      const old = place.commit("old");
      place.push();
      assert.equal(await place.leadsOn(main, old), "yes");
      place.git("reset", "--quiet", "--hard", main);
      const forced = place.commit("forced");
      place.push();
      assert.equal(await place.leadsOn(old, forced), "no");
      const child = place.commit("child");
      place.push();
      assert.equal(await place.leadsOn(old, child), "no");
      assert.equal(await place.leadsOn("1".repeat(old.length), child), "no");
    });
  });
}

describe("the history of the branch on the machine", () => {
  let place: Place;
  let first: string;
  let second: string;
  beforeEach(async () => {
    place = new Place();
    first = place.commit("one");
    place.push();
    assert.equal(await place.leadsOn(first, first), "yes");
    second = place.commit("two");
    place.push();
  });
  afterEach(() => place.remove());

  const { history } = { history: (...parts: string[]) => path.join(place.history, ...parts) };
  const objects = () =>
    fs
      .readdirSync(history("objects"), { recursive: true, encoding: "utf8" })
      .map((name) => history("objects", name))
      .filter((file) => fs.statSync(file).isFile());

  const states: Record<string, () => void> = {
    "half an init": () => {
      fs.rmSync(place.history, { recursive: true });
      fs.mkdirSync(history("refs"), { recursive: true });
      fs.writeFileSync(history("HEAD"), "ref: refs/he");
    },
    "an empty HEAD": () => fs.writeFileSync(history("HEAD"), ""),
    "no HEAD": () => fs.rmSync(history("HEAD")),
    "an empty configuration": () => fs.writeFileSync(history("config"), ""),
    "a broken configuration": () => fs.writeFileSync(history("config"), "[core\n"),
    locks: () => {
      for (const file of ["HEAD.lock", "config.lock", "packed-refs.lock", "shallow.lock", "refs/heads/branch.lock"])
        fs.writeFileSync(history(file), "");
    },
    "an empty reference": () => fs.writeFileSync(history("refs/heads/branch"), ""),
    "a reference to a commit that is not there": () =>
      fs.writeFileSync(history("refs/heads/branch"), `${"1".repeat(40)}\n`),
    "truncated objects": () => {
      for (const file of objects()) {
        fs.chmodSync(file, 0o644);
        fs.truncateSync(file, 7);
      }
    },
    "empty objects": () => {
      for (const file of objects()) {
        fs.chmodSync(file, 0o644);
        fs.truncateSync(file, 0);
      }
    },
    "no objects": () => fs.rmSync(history("objects"), { recursive: true }),
    "a file in its place": () => {
      fs.rmSync(place.history, { recursive: true });
      fs.writeFileSync(place.history, "");
    },
    "a link to nowhere in its place": () => {
      fs.rmSync(place.history, { recursive: true });
      fs.symlinkSync("/nowhere/at/all", place.history);
    },
    nothing: () => fs.rmSync(place.history, { recursive: true }),
    "half of a new one": () => fs.mkdirSync(`${place.history}.new/objects`, { recursive: true }),
    "a file in the new one's place": () => fs.writeFileSync(`${place.history}.new`, ""),
    "a shallow one": () => fs.writeFileSync(history("shallow"), `${first}\n`),
    "a partial clone of an older version": () => {
      fs.rmSync(place.history, { recursive: true });
      execFileSync("git", ["init", "--quiet", "--bare", place.history]);
      execFileSync("git", [
        ...["-C", place.history, "fetch", "--quiet", "--filter=tree:0"],
        ...[`file://${place.repository}`, "+refs/heads/main:refs/heads/branch"],
      ]);
    },
  };
  for (const [what, make] of Object.entries(states)) {
    it(`is made again, or goes on, after ${what}`, async () => {
      make();
      assert.equal(await place.leadsOn(first, second), "yes");
      // Nothing is left over, and the next one does not depend on luck.
      assert.deepEqual(fs.readdirSync(place.state), ["history.git"]);
      const third = place.commit("three");
      place.push();
      assert.equal(await place.leadsOn(second, third), "yes");
      assert.equal(await place.leadsOn(third, second), "no");
    });
  }

  it("is kept while it works, and holds commits alone", async () => {
    fs.writeFileSync(history("mark"), "");
    assert.equal(await place.leadsOn(first, second), "yes");
    assert.ok(fs.existsSync(history("mark")), "made again without need");
    const kinds = execFileSync(
      "git",
      ["-C", place.history, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)"],
      { encoding: "utf8" },
    );
    assert.deepEqual(new Set(kinds.trim().split("\n")), new Set(["commit"]));
  });

  it("survives being killed at any moment", async () => {
    for (let at = 0; at < 12; at++) {
      const revision = place.commit(`kill ${at}`);
      place.push();
      const env = { ...process.env, ...place.settings };
      const child = spawn(
        "bash",
        ["-c", `source "$UPGRADE_COMMON"; source "$UPGRADE_REPOSITORY"; leads_on ${first} ${revision}`],
        { env, detached: true, stdio: "ignore" },
      );
      await new Promise((resolve) => setTimeout(resolve, at * 8));
      try {
        process.kill(-child.pid!, "SIGKILL");
      } catch {
        // It has ended before.
      }
      assert.equal(await place.leadsOn(first, revision), "yes", `killed after ${at * 8} ms`);
    }
  });

  it("calls a full disk a full disk, and goes on when there is space", async () => {
    fs.rmSync(place.history, { recursive: true });
    // Every write beyond a few bytes fails, as on a full disk; the shell's own limit stands for one.
    const full = await place.script(
      `source "$UPGRADE_COMMON"; source "$UPGRADE_REPOSITORY"; trap '' XFSZ; ulimit -f 0
       status=0; leads_on ${first} ${second} || status=$?; [[ $status == 2 ]]`,
    );
    assert.equal(full.code, 0, full.stderr);
    assert.equal(await place.leadsOn(first, second), "yes");
  });

  it("is not called rewritten when the repository cannot be asked", async () => {
    fs.renameSync(place.repository, `${place.repository}.away`);
    assert.equal(await place.leadsOn(first, second), "not-found");
    fs.rmSync(place.history, { recursive: true });
    assert.equal(await place.leadsOn(first, second), "not-found");
    fs.renameSync(`${place.repository}.away`, place.repository);
    assert.equal(await place.leadsOn(first, second), "yes");
  });
});
