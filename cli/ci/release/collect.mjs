// @ts-check
/**
 * What may go from the cache: all that the newest releases of every branch and attribute do not reach. Age alone says
 * nothing: a path that every system has is as old as the cache.
 */
import fs from "node:fs";
import path from "node:path";
import { DeploymentError } from "../../../components/deploy/errors.mjs";
import { decodeEnvelope, decodeRecord, numberIn, RELEASES } from "../../../components/release/record.mjs";

/** @typedef {import("./bucket.mjs").Listed} Listed */
/** @typedef {import("./bucket.mjs").Bucket} Bucket */

/** How many systems of each branch and attribute stay. A renewal is a record, but no other system. */
const KEPT_SYSTEMS = 10;
/** What is younger stays: somebody may be about to release it. */
const YOUNG_SECONDS = 2 * 24 * 60 * 60;
/** What became of a revision is no news after this. */
const PROGRESS_SECONDS = 30 * 24 * 60 * 60;

/**
 * @typedef {object} Collection
 * @property {string[]} remove keys, in the order in which they may go: cut off anywhere, the cache is whole
 * @property {number} bytes what that frees
 * @property {number} systems how many releases lead to
 * @property {string[]} missing what releases reach and the cache does not have
 * @property {number} kept builds
 */

/**
 * @param {Listed[]} objects all of the bucket
 * @param {(key: string) => Buffer} textOf a record's or a .narinfo's
 * @param {number} now seconds since 1970
 * @returns {Collection}
 */
export function planCollection(objects, textOf, now) {
  const size = new Map(objects.map((object) => [object.key, object.size]));
  const young = new Set(objects.filter(({ modified }) => now - modified < YOUNG_SECONDS).map(({ key }) => key));
  const { systems, old } = readReleases(objects, textOf);
  const infos = new Map(
    objects
      .filter(({ key }) => /^[0-9a-z]{32}\.narinfo$/.test(key))
      .map(({ key }) => [hashOf(key), readInfo(key, textOf(key))]),
  );

  /** @type {Set<string>} */
  const reached = new Set();
  const missing = new Set();
  const todo = [
    ...[...systems].map((system) => hashOf(path.basename(system))),
    ...[...young].filter((key) => key.endsWith(".narinfo")).map(hashOf),
  ];
  for (let hash = todo.pop(); hash !== undefined; hash = todo.pop()) {
    if (reached.has(hash)) continue;
    reached.add(hash);
    const info = infos.get(hash);
    if (info === undefined) missing.add(hash);
    else todo.push(...info.references);
  }

  const doomed = new Set([...infos.keys()].filter((hash) => !reached.has(hash)));
  const needed = new Set([...infos].filter(([hash]) => !doomed.has(hash)).map(([, { nar }]) => nar));
  const nars = objects
    .filter(({ key }) => key.startsWith("nar/") && !needed.has(key) && !young.has(key))
    .map(({ key }) => key);
  const progress = objects
    .filter(
      ({ key, modified }) =>
        key.startsWith(RELEASES) && key.includes("/progress/") && now - modified > PROGRESS_SECONDS,
    )
    .map(({ key }) => key);
  // First who names something, then what is named: whatever is still there is whole.
  const remove = [...old, ...progress, ...referrersFirst(doomed, infos).map((hash) => `${hash}.narinfo`), ...nars];
  return {
    remove,
    bytes: remove.reduce((sum, key) => sum + (size.get(key) ?? 0), 0),
    systems: systems.size,
    missing: [...missing],
    kept: infos.size - doomed.size,
  };
}

/**
 * The systems of the newest records, and the keys of the records before those.
 * @param {Listed[]} objects
 * @param {(key: string) => Buffer} textOf
 */
function readReleases(objects, textOf) {
  /** @type {Map<string, { key: string, number: number }[]>} */
  const folders = new Map();
  for (const { key } of objects) {
    const number = numberIn(key);
    if (number === undefined || !/^releases\/[^/]+\/[^/]+\/[0-9]+\.json$/.test(key)) continue;
    const folder = path.dirname(key);
    folders.set(folder, [...(folders.get(folder) ?? []), { key, number }]);
  }
  if (folders.size === 0) {
    throw new DeploymentError("There is no release, so nothing is collected: all would be unreachable.");
  }
  /** @type {Set<string>} */
  const systems = new Set();
  /** @type {string[]} */
  const old = [];
  for (const records of folders.values()) {
    /** @type {Set<string>} */
    const own = new Set();
    let full = false;
    for (const { key } of records.sort((one, two) => two.number - one.number)) {
      const system = systemIn(key, textOf(key));
      full ||= own.size === KEPT_SYSTEMS && !own.has(system);
      if (full) old.push(key);
      else own.add(system);
    }
    for (const system of own) systems.add(system);
  }
  return { systems, old: old.reverse() };
}

/** @param {string} key @param {Buffer} bytes */
function systemIn(key, bytes) {
  try {
    const { system } = decodeRecord(decodeEnvelope(bytes).text);
    if (system !== null) return system;
  } catch {
    // Said below.
  }
  // It may be one of a newer version, which needs what this program would delete.
  throw new DeploymentError(`${key} is no release that this program can read, so nothing is collected.`);
}

/** @param {string} name of a store path or of its .narinfo */
function hashOf(name) {
  return name.slice(0, 32);
}

/** @param {string} key @param {Buffer} text */
function readInfo(key, text) {
  const lines = Object.fromEntries(
    text
      .toString("utf8")
      .split("\n")
      .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
  );
  const { URL: nar, References: references } = lines;
  if (!nar || references === undefined)
    throw new DeploymentError(`${key} is no .narinfo that this program can read, so nothing is collected.`);
  return {
    nar,
    references: references
      .split(" ")
      .filter((name) => name !== "")
      .map(hashOf),
  };
}

/** @param {Set<string>} doomed @param {Map<string, { references: string[] }>} infos */
function referrersFirst(doomed, infos) {
  /** @type {string[]} */
  const done = [];
  const seen = new Set();
  for (const root of doomed) {
    // A stack of its own: closures are deeper than that of the program may be.
    const stack = [{ hash: root, left: false }];
    for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
      if (top.left) done.push(top.hash);
      else if (!seen.has(top.hash) && doomed.has(top.hash)) {
        seen.add(top.hash);
        stack.push({ hash: top.hash, left: true });
        for (const hash of infos.get(top.hash)?.references ?? []) stack.push({ hash, left: false });
      }
    }
  }
  return done.reverse();
}

/** Marks of what is under way in the bucket; who shares it has the same. */
const UPLOADS = "locks/upload-";
const COLLECTING = "locks/collect.json";
/** After this, whoever set a mark is gone: no job runs as long. */
const MARK_SECONDS = 2 * 60 * 60;
const WAIT_SECONDS = 30;

/**
 * Does something that brings builds to the cache, and never while they are collected: each side sets its mark and then
 * looks for the other's, so that one of both always sees it.
 * @template T
 * @param {Pick<Bucket, "put" | "list" | "remove">} bucket
 * @param {string} name of this run
 * @param {() => Promise<T>} upload
 * @param {{ now: () => number, sleep: (seconds: number) => Promise<unknown> }} clock
 */
export async function whileUploading(bucket, name, upload, { now, sleep }) {
  const mark = `${UPLOADS}${name}.json`;
  await bucket.put(mark, Buffer.from("{}\n"));
  try {
    while ((await marks(bucket, COLLECTING, now)).length > 0) await sleep(WAIT_SECONDS);
    return await upload();
  } finally {
    await bucket.remove([mark]);
  }
}

/**
 * Deletes what no release reaches, unless somebody uploads; undefined then.
 * @param {Bucket} bucket
 * @param {{ folder: string, dryRun: boolean, now: () => number }} how `folder`: an empty one
 * @returns {Promise<Collection | undefined>}
 */
export async function collect(bucket, { folder, dryRun, now }) {
  if (!dryRun) await bucket.put(COLLECTING, Buffer.from("{}\n"));
  try {
    if (!dryRun && (await marks(bucket, UPLOADS, now)).length > 0) return undefined;
    const objects = await bucket.list("");
    fs.mkdirSync(folder, { recursive: true });
    await bucket.download(["*.narinfo", `${RELEASES}*`], folder);
    const plan = planCollection(objects, (key) => fs.readFileSync(path.join(folder, key)), now());
    if (!dryRun) await bucket.remove(plan.remove);
    return plan;
  } finally {
    if (!dryRun) await bucket.remove([COLLECTING]);
  }
}

/** @param {Pick<Bucket, "list">} bucket @param {string} prefix @param {() => number} now */
async function marks(bucket, prefix, now) {
  return (await bucket.list(prefix)).filter(({ modified }) => now() - modified < MARK_SECONDS);
}
