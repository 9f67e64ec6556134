// @ts-check
/**
 * Writes release records: first the number, which nobody else can have (If-None-Match), then the pointer to it (If-Match).
 * A run that is killed in between leaves a number without a pointer, which the next one finds.
 */
import { DeploymentError } from "../../../components/deploy/errors.mjs";
import {
  checkRecord,
  latestKey,
  numberedKey,
  numberIn,
  progressKey,
  RecordRefused,
  releaseFolder,
  VALID_SECONDS,
} from "../../../components/release/record.mjs";
import { openRecord, signRecord } from "../../../components/release/signature.mjs";
import { decide } from "./decide.mjs";

/** @typedef {import("../../../components/deploy/process.mjs").Processes} Processes */
/** @typedef {import("../../../components/release/record.mjs").ReleaseRecord} ReleaseRecord */
/** @typedef {import("./decide.mjs").Decision} Decision */

/**
 * @typedef {object} Publication
 * @property {Pick<import("./bucket.mjs").Bucket, "get" | "put" | "list" | "has">} bucket
 * @property {Pick<import("./branch.mjs").Branch, "tip" | "leadsOn" | "name">} branch
 * @property {string} repository `owner/name`
 * @property {number | null} repositoryId
 * @property {string | null} run address of the job
 * @property {string} privateKey OpenSSH form
 * @property {string[]} keys whose records count: those of nix/release.json
 * @property {Processes} processes
 * @property {() => number} now seconds since 1970
 *
 * @typedef {{ record: ReleaseRecord, bytes: Buffer }} Found
 *
 * @typedef {object} Last
 * @property {Found} [found] the newest record
 * @property {number} number the highest that is taken
 * @property {boolean} unreadable
 */

/** So often somebody else was faster: more than there are jobs at once. */
const ATTEMPTS = 20;

export class Publisher {
  /** @param {Publication} publication */
  constructor(publication) {
    this.to = publication;
  }

  /**
   * Publishes a revision of an attribute if the rules allow it.
   * @param {string} attribute
   * @param {{ mode: "publish" | "republish", revision: string, system: string, rewritten?: boolean }} what
   * @returns {Promise<Decision & { number?: number }>}
   */
  publish(attribute, { mode, revision, system, rewritten = false }) {
    return this.#write(
      attribute,
      mode,
      rewritten,
      (last, tip) => ({
        revision,
        system,
        republished: mode === "republish",
        tip: mode === "republish" ? tip : revision,
        previousRevision: last?.revision ?? null,
      }),
      revision,
    );
  }

  /**
   * Signs the newest record of an attribute anew, so that it does not expire.
   * @param {string} attribute
   */
  renew(attribute) {
    return this.#write(attribute, "renew", false, (last) => {
      if (last === undefined) throw new DeploymentError("There is nothing to renew.");
      const { revision, system, republished, tip, previousRevision } = last;
      return { revision, system, republished, tip, previousRevision };
    });
  }

  /** The newest record of an attribute. @param {string} attribute */
  async newest(attribute) {
    return (await this.#last(releaseFolder(this.to.branch.name, attribute), true)).found?.record;
  }

  /**
   * Says how far a revision is, for machines that wait for it.
   * @param {string} attribute
   * @param {"started" | "failed"} state
   * @param {string} revision
   */
  async progress(attribute, state, revision) {
    const { bucket, branch } = this.to;
    const bytes = await this.#signed(attribute, {
      state,
      revision,
      tip: revision,
      republished: false,
      previousRevision: null,
      system: null,
      number: null,
    });
    await bucket.put(progressKey(releaseFolder(branch.name, attribute), revision), bytes);
  }

  /**
   * @param {string} attribute
   * @param {"publish" | "republish" | "renew"} mode
   * @param {boolean} rewritten
   * @param {(last: ReleaseRecord | undefined, tip: string) => Pick<ReleaseRecord, "revision" | "system" | "republished" | "tip" | "previousRevision">} describe
   * @param {string} [revision]
   * @returns {Promise<Decision & { number?: number }>}
   */
  async #write(attribute, mode, rewritten, describe, revision) {
    const { bucket, branch, now } = this.to;
    const folder = releaseFolder(branch.name, attribute);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      // All of it anew after each lost race: what won may be of a newer revision.
      const { found, number: highest, unreadable } = await this.#last(folder, attempt > 0);
      const last = found?.record;
      const tip = await branch.tip();
      const decision = await decide({
        mode,
        revision: revision ?? last?.revision ?? "",
        tip,
        last,
        unreadable,
        rewritten,
        now: now(),
        leadsOn: (older, newer) => branch.leadsOn(older, newer),
      });
      if (decision.answer !== "publish") {
        // A run before this one may have ended between the two writes.
        if (found !== undefined) await this.#point(folder, Number(found.record.number), found.bytes);
        return decision;
      }
      const number = highest === 0 ? firstNumber(now()) : highest + 1;
      const bytes = await this.#signed(attribute, { ...describe(last, tip), state: "released", number });
      const key = numberedKey(folder, number);
      // A write whose answer was lost is repeated by the CLI, and then meets itself.
      if (!(await bucket.put(key, bytes, { absent: true })) && !(await bucket.get(key))?.bytes.equals(bytes)) continue;
      await this.#point(folder, number, bytes);
      return { ...decision, number };
    }
    throw new DeploymentError(`Somebody else was faster ${ATTEMPTS} times: ${folder} is written without an end.`);
  }

  /**
   * The newest record, by the pointer, and where that is lost or a number follows it, by the numbers.
   * @param {string} folder
   * @param {boolean} thorough whether to look beyond the pointer
   * @returns {Promise<Last>}
   */
  async #last(folder, thorough) {
    const { bucket } = this.to;
    const pointer = await bucket.get(latestKey(folder));
    let found = pointer === undefined ? undefined : await this.#read(pointer.bytes, folder);
    let number = found?.record.number ?? 0;
    if (found !== undefined && !thorough) return { found, number, unreadable: false };
    const numbers = (await bucket.list(folder)).flatMap(({ key }) => numberIn(key) ?? []).sort((one, two) => two - one);
    for (const candidate of numbers) {
      if (candidate <= number) break;
      const stored = await bucket.get(numberedKey(folder, candidate));
      found = (stored && (await this.#read(stored.bytes, folder, candidate))) ?? found;
      if (found?.record.number === candidate) break;
    }
    number = Math.max(number, numbers[0] ?? 0);
    return { found, number, unreadable: found === undefined && (pointer !== undefined || numbers.length > 0) };
  }

  /**
   * A record that our keys have signed, for this place; expired ones count for the order, too.
   * @param {Buffer} bytes
   * @param {string} folder
   * @param {number} [number]
   * @returns {Promise<Found | undefined>}
   */
  async #read(bytes, folder, number) {
    const { repository, branch, keys, processes } = this.to;
    try {
      const record = await openRecord(bytes, keys, processes);
      if (record.state !== "released" || (number !== undefined && record.number !== number)) return undefined;
      const wanted = { repository, branch: branch.name, attribute: record.attribute, now: record.time };
      checkRecord(record, wanted);
      return releaseFolder(record.branch, record.attribute) === folder ? { record, bytes } : undefined;
    } catch (error) {
      if (error instanceof RecordRefused) return undefined;
      throw error;
    }
  }

  /**
   * Moves the pointer to a record, unless it is at a newer one.
   * @param {string} folder
   * @param {number} number
   * @param {Buffer} bytes
   */
  async #point(folder, number, bytes) {
    const { bucket } = this.to;
    const key = latestKey(folder);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const stored = await bucket.get(key);
      if (stored?.bytes.equals(bytes)) return;
      const there = stored && (await this.#read(stored.bytes, folder));
      if (there !== undefined && Number(there.record.number) >= number) return;
      const condition = stored === undefined ? { absent: true } : { etag: stored.etag };
      if (await bucket.put(key, bytes, condition)) return;
    }
    throw new DeploymentError(`Somebody else was faster ${ATTEMPTS} times: ${key} is written without an end.`);
  }

  /**
   * @param {string} attribute
   * @param {Pick<ReleaseRecord, "state" | "revision" | "tip" | "republished" | "previousRevision" | "system" | "number">} what
   */
  #signed(attribute, what) {
    const { repository, repositoryId, branch, run, privateKey, processes, now } = this.to;
    const time = now();
    const from = { repository, repositoryId, branch: branch.name, attribute, run };
    return signRecord({ version: 1, ...from, ...what, time, validUntil: time + VALID_SECONDS }, privateKey, processes);
  }
}

/**
 * Not 1: a machine that knows the records of a bucket which was lost remembers their numbers, and would refuse all below.
 * There is never more than one a second.
 * @param {number} now
 */
const firstNumber = (now) => now;
