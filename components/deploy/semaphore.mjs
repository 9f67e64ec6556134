// @ts-check
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

/** An evaluation of NixOS takes a processor, and a little more than one gigabyte of memory. */
const SLOTS = Math.max(1, Math.min(os.availableParallelism(), Math.floor(os.totalmem() / 2 ** 31)));

/** A slot that was taken so long ago is free, whatever process has the number of its holder by now. */
const LONGEST_MILLISECONDS = 3600_000;

/**
 * Does something when there is a slot for it on this computer: a stack of many machines starts all its evaluations at
 * once, each a process of its own, and together they would take all memory.
 * @template T
 * @param {string} folder where the slots are kept; what cannot be written there is not bounded
 * @param {() => Promise<T>} action
 * @param {number} [slots]
 * @returns {Promise<T>}
 */
export async function withSlot(folder, action, slots = SLOTS) {
  const slot = await takeSlot(folder, slots);
  try {
    return await action();
  } finally {
    if (slot !== undefined) fs.rmSync(slot, { force: true });
  }
}

/**
 * @param {string} folder
 * @param {number} slots
 */
async function takeSlot(folder, slots) {
  try {
    fs.mkdirSync(folder, { recursive: true });
  } catch {
    return undefined;
  }
  for (;;) {
    for (let at = 0; at < slots; at += 1) {
      // An older version of this program on the same computer counts the same files.
      const slot = path.join(folder, `place-${at}`);
      if (isAbandoned(slot)) fs.rmSync(slot, { force: true });
      try {
        fs.writeFileSync(slot, String(process.pid), { flag: "wx" });
        return slot;
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
 * Whether the slot's holder was killed. One that is being taken just now has no number in it yet.
 * @param {string} slot
 */
function isAbandoned(slot) {
  try {
    const holder = Number(fs.readFileSync(slot, "utf8"));
    if (Date.now() - fs.statSync(slot).mtimeMs > LONGEST_MILLISECONDS) return true;
    if (holder > 0) process.kill(holder, 0);
    return false;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === "ESRCH";
  }
}
