/** Medians, ratios and the table of the benchmark. Cannot prove: that what is measured is what people wait for. */
import assert from "node:assert/strict";
import { median, sideBySide, tableOf } from "./figures";

describe("benchmark figures", () => {
  it("takes the median of odd and even numbers of runs", () => {
    assert.equal(median([9, 1, 2]), 2);
    assert.equal(median([4, 1, 2, 9]), 3);
  });

  it("runs things in turn, and compares each with the first", async () => {
    const order: string[] = [];
    const thing = (name: string, ms: number) => () => {
      order.push(name);
      return Promise.resolve({ ms, mb: 10 });
    };
    const figures = await sideBySide(2, { slow: thing("slow", 100), fast: thing("fast", 25) });
    assert.deepEqual(order, ["slow", "fast", "slow", "fast"]);
    assert.deepEqual(
      figures.map(({ name, unit, value, ratio }) => [name, unit, value, ratio?.value]),
      [
        ["slow", "ms", 100, undefined],
        ["fast", "ms", 25, 0.25],
        ["slow", "MB", 10, undefined],
        ["fast", "MB", 10, 1],
      ],
    );
  });

  it("prints a row for each figure and names what was left out", () => {
    const figures = [{ name: "start", unit: "ms" as const, value: 12, runs: [10, 12, 14] }];
    const text = tableOf({ figures, left_out: [{ name: "engine", reason: "there is none" }] });
    assert.match(text, /^start +12 ms +10 to 14$/m);
    assert.match(text, /^left out: engine: there is none$/m);
  });
});
