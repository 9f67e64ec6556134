// Mocha's "spec" report (or "dot", where only failures matter), then how many tests ran on a stand-in for a program that
// cannot be had, why tests were skipped, and one line of counts.
// MOCHA_COUNTS names a file that gets the counts too, so that .ci/run can add those of several runs.
const { writeFileSync } = require("node:fs");
const { reporters, Runner } = require("mocha");
const { collectSkips, takeSkips } = require("./skips.cjs");
const { takeStandIns } = require("./standIns.cjs");

module.exports = class {
  /**
   * @param {import("mocha").Runner} runner
   * @param {import("mocha").MochaOptions} options
   */
  constructor(runner, options) {
    const Base = options.reporterOptions?.base === "spec" ? reporters.Spec : reporters.Dot;
    collectSkips();
    const report = new Base(runner, options);
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures, pending } = report.stats;
      const standIns = takeStandIns();
      if (standIns > 0) console.log(`on the stand-in for Pulumi's language host (${standIns})`);
      for (const [reason, count] of takeSkips()) console.log(`skipped for want of ${reason} (${count})`);
      const counts = { passed: passes, failed: failures, skipped: pending, standIns };
      if (process.env.MOCHA_COUNTS) writeFileSync(process.env.MOCHA_COUNTS, JSON.stringify(counts));
      console.log(`${passes} passed, ${failures} failed, ${pending} skipped`);
    });
  }
};
