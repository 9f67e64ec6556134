// How many evaluations run at once on one computer, whatever process starts them.
// Cannot prove: that so many fit into the computer's memory.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { withSlot } from "../../components/deploy/semaphore.mjs";
import { failureOf, programFolder, temporaryFolder } from "./support";

describe("slots of evaluations", () => {
  let folder: string;
  let slots: string;

  beforeEach(() => {
    folder = temporaryFolder();
    slots = path.join(folder, "cache/turns");
  });
  afterEach(() => fs.rmSync(folder, { recursive: true }));

  /** The most that ran at once. */
  async function most(actions: number, count: number, at = slots): Promise<number> {
    let running = 0;
    let highest = 0;
    const action = async () => {
      running += 1;
      highest = Math.max(highest, running);
      await sleep(20);
      running -= 1;
    };
    await Promise.all(Array.from({ length: actions }, () => withSlot(at, action, count)));
    return highest;
  }

  it("are as many at once as there are slots", async () => {
    assert.equal(await most(5, 1), 1);
    assert.equal(await most(6, 2), 2);
  });

  it("are given back, after a failure too", async () => {
    assert.equal(await withSlot(slots, () => Promise.resolve("done"), 1), "done");
    await failureOf(() => withSlot(slots, () => Promise.reject(new Error("no")), 1));
    assert.deepEqual(fs.readdirSync(slots), []);
  });

  it("wait for another process, and take the slot of a killed one", async () => {
    const waits = `import { withSlot } from "./semaphore.mjs";
      await withSlot(process.argv[1], () => { console.log("has it"); setInterval(() => {}, 1000); return new Promise(() => {}); }, 1);`;
    const holder = spawn(process.execPath, ["--input-type=module", "--eval", waits, slots], { cwd: programFolder });
    await new Promise((resolve) => holder.stdout.once("data", resolve));
    let taken = false;
    const slot = withSlot(slots, () => Promise.resolve((taken = true)), 1);
    await sleep(300);
    assert.equal(taken, false);
    const ended = new Promise((resolve) => holder.once("exit", resolve));
    holder.kill("SIGKILL");
    await ended;
    assert.equal(await slot, true);
  });

  it("are not bounded where there is nowhere to note them", async () => {
    fs.writeFileSync(path.join(folder, "file"), "");
    assert.equal(await most(4, 1, path.join(folder, "file/turns")), 4);
  });
});
