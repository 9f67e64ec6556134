// Mocha's "spec" report (or "dot", where only failures matter), then how many tests ran on a stand-in for a program that
// cannot be had, why tests were skipped, and one line of counts, of which the last is the sum of those of the reasons.
// MOCHA_COUNTS names a file that gets the counts too, with what failed, so that .ci/run can end with those of several runs.
const { writeFileSync } = require("node:fs");
const { reporters, Runner } = require("mocha");
const { collectSkips, takeSkips } = require("./skips.cjs");
const { takeStandIns } = require("./standIns.cjs");

/** What the end of a run repeats of a failure; the whole of it stands above. */
const FAILURE_CHARACTERS = 400;

module.exports = class {
  /**
   * @param {import("mocha").Runner} runner
   * @param {import("mocha").MochaOptions} options
   */
  constructor(runner, options) {
    const Base = options.reporterOptions?.base === "spec" ? reporters.Spec : reporters.Dot;
    collectSkips();
    const report = new Base(runner, options);
    /** @type {{ file?: string, titles: string[] }[]} */
    const skipped = [];
    runner.on(Runner.constants.EVENT_TEST_PENDING, (test) =>
      skipped.push({ file: test.file, titles: test.titlePath() }),
    );
    /** @type {string[]} */
    const failed = [];
    runner.on(Runner.constants.EVENT_TEST_FAIL, (test, error) =>
      failed.push(`${test.titlePath().join(" > ")}: ${String(error?.message).slice(0, FAILURE_CHARACTERS)}`),
    );
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures } = report.stats;
      const standIns = takeStandIns();
      if (standIns > 0) console.log(`on the stand-in for Pulumi's language host (${standIns})`);
      const reasons = takeSkips(skipped);
      for (const [reason, count] of reasons) console.log(`skipped for want of ${reason} (${count})`);
      const counts = { passed: passes, failed: failures, skipped: skipped.length, standIns };
      const all = { ...counts, reasons: Object.fromEntries(reasons), failures: failed };
      if (process.env.MOCHA_COUNTS) writeFileSync(process.env.MOCHA_COUNTS, JSON.stringify(all));
      console.log(`${passes} passed, ${failures} failed, ${skipped.length} skipped`);
    });
  }
};
