/**
 * Release records as CI writes them: real git and ssh-keygen, and moto's server as S3, which honours conditional writes.
 * The AWS CLI and signed requests have a test of their own: it is slow, and moto takes no signature of some (see moto.ts).
 * Cannot prove: that AWS's S3 orders writes as moto does, or that the role of the workflow may make them.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { Branch } from "../../cli/ci/release/branch.mjs";
import { Bucket } from "../../cli/ci/release/bucket.mjs";
import { Publisher } from "../../cli/ci/release/publisher.mjs";
import { newKey } from "../../cli/rehearse/keys";
import { output } from "../../cli/rehearse/processes";
import type { DeploymentError } from "../../components/deploy/errors.mjs";
import { Processes } from "../../components/deploy/process.mjs";
import {
  latestKey,
  numberIn,
  progressKey,
  releaseFolder,
  type ReleaseRecord,
} from "../../components/release/record.mjs";
import { openRecord } from "../../components/release/signature.mjs";
import { requireCommands } from "../require";
import { type Moto, requireMoto, startMoto } from "../release/moto";
import { motoBucket } from "../release/motoBucket";

const START = 1_800_000_000;
const DAY = 24 * 60 * 60;
/** A store path that begins with a name; Nix's hashes have no e. */
const system = (name: string) => `/nix/store/${name.slice(0, 32).replaceAll("e", "z").padEnd(32, "0")}-system`;

describe("releasing", function () {
  const key = newKey();
  const publicKey = key.publicKeyOpenssh.trim();
  let moto: Moto;
  let folder: string;
  let branchName: string;
  let time: number;
  let count = 0;

  before(async function () {
    requireMoto(this);
    requireCommands(this, "git", "git", "ssh-keygen");
    moto = await startMoto({ signed: false });
  });
  after(() => moto?.stop());

  beforeEach(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "release-"));
    // Each test has a branch of its own, and so a place of its own in the bucket.
    branchName = `feature/${++count}`;
    time = START;
    await git("init", "--quiet", "--bare", "server.git");
    await git("init", "--quiet", "-b", branchName, "work");
    await git("-C", "work", "remote", "add", "origin", path.join(folder, "server.git"));
  });
  afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

  const identity = {
    GIT_AUTHOR_NAME: "a",
    GIT_AUTHOR_EMAIL: "a@b",
    GIT_COMMITTER_NAME: "a",
    GIT_COMMITTER_EMAIL: "a@b",
  };
  const git = (...args: string[]) =>
    output("git", args, { cwd: folder, env: { PATH: process.env["PATH"], HOME: folder, ...identity } });

  /** A commit on the branch, pushed. */
  async function push(message: string, { force = false } = {}): Promise<string> {
    await git("-C", "work", "commit", "--quiet", "--allow-empty", "-m", message);
    await git(
      "-C",
      "work",
      "push",
      "--quiet",
      ...(force ? ["--force"] : []),
      "origin",
      `HEAD:refs/heads/${branchName}`,
    );
    return git("-C", "work", "rev-parse", "HEAD");
  }

  /** A job of CI: a clone of its own, as it was when the job began. */
  async function job({
    kill,
    keys = [publicKey],
    signing = key,
  }: { kill?: RegExp; keys?: string[]; signing?: typeof key } = {}) {
    const clone = fs.mkdtempSync(path.join(folder, "job-"));
    await git("clone", "--quiet", "--branch", branchName, "server.git", clone);
    const processes = new Processes(moto.env);
    const bucket = motoBucket(moto);
    const { put } = bucket;
    bucket.put = (name, ...rest) => (kill?.test(name) ? Promise.reject(new Error("killed")) : put(name, ...rest));
    return new Publisher({
      bucket,
      branch: new Branch(clone, branchName, processes),
      repository: "octocat/server",
      repositoryId: 7,
      // As on GitHub, each job has one of its own.
      run: `https://github.com/octocat/server/actions/runs/${path.basename(clone).slice(4)}`,
      privateKey: signing.privateKeyOpenssh,
      keys,
      processes,
      now: () => time,
    });
  }
  type Job = Awaited<ReturnType<typeof job>>;
  const publish = (by: Job, revision: string, more: { rewritten?: boolean; mode?: "publish" | "republish" } = {}) =>
    by.publish("default", {
      mode: "publish",
      revision,
      system: system(revision.slice(0, 8)),
      ...more,
    });

  async function publishNext(message: string) {
    const revision = await push(message);
    return publish(await job(), revision);
  }

  const place = () => releaseFolder(branchName, "default");
  async function stored(name: string): Promise<ReleaseRecord | undefined> {
    const processes = new Processes(moto.env);
    const object = await motoBucket(moto).get(name);
    return object && openRecord(object.bytes, [publicKey], processes);
  }
  const latest = () => stored(latestKey(place()));
  const numbers = async () =>
    (await motoBucket(moto).list(place()))
      .flatMap(({ key }) => numberIn(key) ?? [])
      .map((number) => number - START + 1);

  it("writes under its conditions in requests that are signed, and a request of nobody fails", async () => {
    const strict = await startMoto({ signed: true });
    try {
      const bucketOf = (env: NodeJS.ProcessEnv) =>
        new Bucket(`s3://builds?region=us-east-1&endpoint=${strict.url}`, folder, new Processes(env));
      const bucket = bucketOf(strict.env);
      const name = latestKey(releaseFolder("feature/ü ~%", "web.example.com"));
      assert.equal(await bucket.get(name), undefined);
      assert.equal(await bucket.put(name, Buffer.from("1"), { absent: true }), true);
      assert.equal(await bucket.put(name, Buffer.from("2"), { absent: true }), false);
      const { bytes, etag } = (await bucket.get(name))!;
      assert.equal(bytes.toString(), "1");
      assert.equal(await bucket.put(name, Buffer.from("3"), { etag }), true);
      assert.equal(await bucket.put(name, Buffer.from("4"), { etag }), false);
      assert.equal((await bucket.get(name))!.bytes.toString(), "3");
      assert.equal(await bucket.has(name), true);
      assert.equal(await bucket.has("none"), false);
      const stranger = bucketOf({ ...strict.env, AWS_SECRET_ACCESS_KEY: "another" });
      await assert.rejects(stranger.get(name), (error: DeploymentError) =>
        error.details.includes("SignatureDoesNotMatch"),
      );
      await assert.rejects(stranger.put(name, Buffer.from("5"), { absent: true }), /could not be written/);
    } finally {
      await strict.stop();
    }
  });

  it("publishes one revision after the other, each with the next number, and nothing twice", async () => {
    const one = await push("one");
    const first = await publish(await job(), one);
    assert.equal(first.number, START);
    const { run, ...record } = (await latest())!;
    assert.match(run!, /^https:\/\/github.com\/octocat\/server\/actions\/runs\/\w+$/);
    assert.deepEqual(record, {
      version: 1,
      state: "released",
      repository: "octocat/server",
      repositoryId: 7,
      branch: branchName,
      attribute: "default",
      revision: one,
      previousRevision: null,
      tip: one,
      republished: false,
      system: system(one.slice(0, 8)),
      number: START,
      time: START,
      validUntil: START + 7 * DAY,
    });
    assert.match((await publish(await job(), one)).why, /it is release/);
    const two = await push("two");
    await publish(await job(), two);
    assert.deepEqual(await numbers(), [1, 2]);
    const { revision, previousRevision } = (await latest())!;
    assert.deepEqual([revision, previousRevision], [two, one]);
  });

  it("keeps the attributes of a branch and the branches of a repository apart", async () => {
    const one = await push("one");
    const by = await job();
    await publish(by, one);
    await by.publish("web.example.com", { mode: "publish", revision: one, system: system("web") });
    assert.equal((await stored(latestKey(releaseFolder(branchName, "web.example.com"))))!.system, system("web"));
    assert.deepEqual(await numbers(), [1]);
  });

  it("publishes a revision that the branch has left behind, but none after a newer one: A that finishes after B", async () => {
    const a = await push("a");
    const jobA = await job();
    const b = await push("b");
    const jobB = await job();
    const c = await push("c");
    assert.equal((await publish(jobB, b)).answer, "publish");
    assert.deepEqual(await publish(jobA, a), { answer: "nothing", why: `release ${START} is of a newer revision` });
    assert.equal((await latest())!.revision, b);
    assert.equal((await publish(await job(), c)).answer, "publish");
  });

  it("does nothing in a run that somebody starts again much later", async () => {
    const old = await push("old");
    await publish(await job(), old);
    await publishNext("new");
    const again = await job();
    assert.equal((await publish(again, old)).answer, "nothing");
    assert.deepEqual(await numbers(), [1, 2]);
  });

  it("asks for the branch by its exact name, which other branches may end with", async () => {
    const one = await push("one");
    await git("-C", "work", "commit", "--quiet", "--allow-empty", "-m", "of somebody else");
    await git("-C", "work", "push", "--quiet", "origin", `HEAD:refs/heads/a/refs/heads/${branchName}`);
    const other = await git("-C", "work", "rev-parse", "HEAD");
    assert.match((await publish(await job(), other)).why, /was never on it/);
    assert.equal((await publish(await job(), one)).answer, "publish");
  });

  it("lets two publishers at once make two numbers, or one, and the pointer end at the newest", async () => {
    const a = await push("a");
    const jobA = await job();
    const b = await push("b");
    const [second, other] = [await job(), await job()];
    const decisions = await Promise.all([publish(jobA, a), publish(second, b), publish(other, b)]);
    const made = decisions.filter(({ answer }) => answer === "publish").length;
    assert.ok(made === 1 || made === 2, JSON.stringify(decisions));
    assert.equal((await numbers()).length, made);
    assert.equal((await latest())!.revision, b);
    assert.equal((await latest())!.number, START + made - 1);
  });

  it("refuses a branch that was rewritten, until somebody says so, and then only its newest revision", async () => {
    await push("base");
    const gone = await push("gone");
    await publish(await job(), gone);
    await git("-C", "work", "reset", "--quiet", "--hard", "HEAD~1");
    const between = await push("other", { force: true });
    const mine = await push("mine", { force: true });
    const refused = await publish(await job(), mine);
    assert.equal(refused.answer, "refuse");
    assert.match(refused.why, /does not lead on from [0-9a-f]{40}, of release 1800000000\. .*by hand with `rewritten`/);
    assert.match((await publish(await job(), gone)).why, /it was rewritten, or this revision was never on it/);
    assert.match((await publish(await job(), between, { rewritten: true })).why, /only its newest revision/);
    assert.equal((await publish(await job(), mine, { rewritten: true })).answer, "publish");
    assert.deepEqual(await numbers(), [1, 2]);
    // From there it goes on as before.
    assert.equal((await publishNext("next")).answer, "publish");
  });

  it("goes back to an older revision under a new number, and stays there until the next commit", async () => {
    const good = await push("good");
    await publish(await job(), good);
    const between = await push("between");
    const bad = await push("bad");
    await publish(await job(), bad);
    assert.equal((await publish(await job(), good, { mode: "republish" })).answer, "publish");
    const record = (await latest())!;
    assert.deepEqual(
      [record.revision, record.tip, record.republished, record.previousRevision],
      [good, bad, true, bad],
    );
    // Neither a run of the bad one, nor of one in between, nor the schedule brings it back.
    for (const old of [bad, between, good]) assert.equal((await publish(await job(), old)).answer, "nothing", old);
    assert.equal((await publish(await job(), good, { mode: "republish" })).answer, "nothing");
    time += DAY;
    assert.equal((await (await job()).renew("default")).answer, "publish");
    const renewed = (await latest())!;
    assert.deepEqual([renewed.revision, renewed.tip, renewed.republished], [good, bad, true]);
    // A revert is a commit like any other.
    const revert = await push("revert");
    assert.equal((await publish(await job(), revert)).answer, "publish");
    assert.deepEqual(await numbers(), [1, 2, 3, 4, 5]);
  });

  it("renews once a day, with the same system and a new number, also after the end", async () => {
    assert.equal(
      (await (await job({}).catch(async () => (await push("one"), job()))).renew("default")).answer,
      "nothing",
    );
    const one = await git("-C", "work", "rev-parse", "HEAD");
    await publish(await job(), one);
    time += 60;
    assert.match((await (await job()).renew("default")).why, /younger than half a day/);
    time += 30 * DAY;
    // CI may have failed for what came since: the last release is what machines still run.
    await push("broken");
    assert.equal((await (await job()).renew("default")).answer, "publish");
    const record = (await latest())!;
    assert.deepEqual([record.revision, record.number, record.validUntil], [one, START + 1, time + 7 * DAY]);
  });

  it("does not renew what was rewritten away", async () => {
    await push("base");
    await publishNext("gone");
    await git("-C", "work", "reset", "--quiet", "--hard", "HEAD~1");
    await push("mine", { force: true });
    time += DAY;
    assert.match((await (await job()).renew("default")).why, /is not on the branch any more/);
  });

  it("finds the number of a run that was killed before it moved the pointer", async () => {
    const one = await push("one");
    await publish(await job(), one);
    const two = await push("two");
    await assert.rejects(publish(await job({ kill: /latest/ }), two), /killed/);
    assert.equal((await latest())!.revision, one);
    // The same run again finds its own.
    assert.match((await publish(await job(), two)).why, /it is release/);
    assert.equal((await latest())!.revision, two);
    const three = await push("three");
    await assert.rejects(publish(await job({ kill: /latest/ }), three), /killed/);
    // And the next one goes on after it.
    await publishNext("four");
    assert.deepEqual(await numbers(), [1, 2, 3, 4]);
    assert.equal((await latest())!.previousRevision, three);
    // Killed before the number, there is nothing to find.
    const five = await push("five");
    await assert.rejects(publish(await job({ kill: /\d\.json/ }), five), /killed/);
    assert.equal((await publish(await job(), five)).number, START + 4);
  });

  it("goes on by the numbers when the pointer is lost or is rubbish", async () => {
    const one = await push("one");
    await publish(await job(), one);
    const two = await push("two");
    await publish(await job(), two);
    await motoBucket(moto).remove([latestKey(place())]);
    assert.equal((await publish(await job(), one)).answer, "nothing");
    assert.equal((await latest())!.revision, two);
    await motoBucket(moto).put(latestKey(place()), Buffer.from("<html>"));
    await publishNext("three");
    assert.deepEqual(await numbers(), [1, 2, 3]);
    assert.equal((await latest())!.number, START + 2);
  });

  it("numbers what comes after a lost bucket higher than all before, as machines remember the highest", async () => {
    for (let at = 0; at < 3; at++) {
      await publishNext(`${at}`);
      time += 60;
    }
    const before = (await latest())!.number!;
    const all = await motoBucket(moto).list(place());
    await motoBucket(moto).remove(all.map(({ key }) => key));
    await publishNext("anew");
    assert.ok((await latest())!.number! > before);
  });

  it("follows the keys of nix/release.json: a new one counts beside the old one, a removed one no more", async () => {
    const next = newKey();
    const both = [publicKey, next.publicKeyOpenssh.trim()];
    await publishNext("by the old key");
    for (const [message, signing] of [
      ["both are trusted", key],
      ["by the new key", next],
    ] as const) {
      const revision = await push(message);
      await publish(await job({ keys: both, signing }), revision);
    }
    const last = await push("the old key is gone");
    await publish(await job({ keys: [both[1]!], signing: next }), last);
    assert.deepEqual(await numbers(), [1, 2, 3, 4]);
    // Of a key that is not trusted any more, nothing says what the order was.
    const stranger = newKey();
    const refused = await publish(await job({ keys: [stranger.publicKeyOpenssh.trim()], signing: stranger }), last);
    assert.equal(refused.answer, "refuse");
    assert.match(refused.why, /No key of nix\/release.json has signed any/);
  });

  it("says that a revision has begun, and that it has failed", async () => {
    const one = await push("one");
    const by = await job();
    for (const state of ["started", "failed"] as const) {
      await by.progress("default", state, one);
      const record = (await stored(progressKey(place(), one)))!;
      assert.deepEqual([record.state, record.revision, record.system, record.number], [state, one, null, null]);
    }
    assert.deepEqual(await numbers(), []);
  });

  it("starves nobody: with a merge each minute for an hour, each job of five minutes ends in a release", async () => {
    let running: { by: Job; revision: string; done: number } | undefined;
    let waiting: string | undefined;
    const ages: number[] = [];
    const pushed = new Map<string, number>();
    for (let minute = 0; minute < 60; minute++) {
      time = START + minute * 60;
      if (running !== undefined && running.done <= minute) {
        assert.equal((await publish(running.by, running.revision)).answer, "publish");
        running = undefined;
      }
      waiting = await push(`merge ${minute}`);
      pushed.set(waiting, minute);
      // As GitHub does: one job runs, the newest waits, and those between are dropped.
      running ??= { by: await job(), revision: waiting, done: minute + 5 };
      const there = await latest();
      if (there !== undefined) ages.push(minute - pushed.get(there.revision)!);
    }
    const made = await numbers();
    assert.equal(made.length, 11);
    assert.deepEqual(
      made,
      made.map((_, at) => made[0]! + at),
    );
    // What a machine finds is never older than two jobs.
    assert.ok(Math.max(...ages) <= 10, ages.join());
  });
});
