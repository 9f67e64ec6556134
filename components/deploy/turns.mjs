// @ts-check
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

/** An evaluation of NixOS takes a processor, and a little more than one gigabyte of memory. */
const PLACES = Math.max(1, Math.min(os.availableParallelism(), Math.floor(os.totalmem() / 2 ** 31)));

/** A place that was taken so long ago is free, whatever process has the number of its holder by now. */
const LONGEST_MILLISECONDS = 3600_000;

/**
 * Does something when there is a place for it on this computer: a stack of many machines starts all its evaluations at
 * once, each a process of its own, and together they would take all memory.
 * @template T
 * @param {string} folder where the places are kept; what cannot be written there is not bounded
 * @param {() => Promise<T>} action
 * @param {number} [places]
 * @returns {Promise<T>}
 */
export async function inTurn(folder, action, places = PLACES) {
  const place = await taken(folder, places);
  try {
    return await action();
  } finally {
    if (place !== undefined) fs.rmSync(place, { force: true });
  }
}

/**
 * @param {string} folder
 * @param {number} places
 */
async function taken(folder, places) {
  try {
    fs.mkdirSync(folder, { recursive: true });
  } catch {
    return undefined;
  }
  for (;;) {
    for (let at = 0; at < places; at += 1) {
      const place = path.join(folder, `place-${at}`);
      if (isLeft(place)) fs.rmSync(place, { force: true });
      try {
        fs.writeFileSync(place, String(process.pid), { flag: "wx" });
        return place;
      } catch (error) {
        // Another has it. A folder that cannot be written bounds nothing.
        if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EEXIST") return undefined;
      }
    }
    // Not all at the same moment.
    await sleep(50 + Math.random() * 50);
  }
}

/**
 * Whether the place's holder was killed. One that is being taken just now has no number in it yet.
 * @param {string} place
 */
function isLeft(place) {
  try {
    const holder = Number(fs.readFileSync(place, "utf8"));
    if (Date.now() - fs.statSync(place).mtimeMs > LONGEST_MILLISECONDS) return true;
    if (holder > 0) process.kill(holder, 0);
    return false;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === "ESRCH";
  }
}
