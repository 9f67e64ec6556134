const { readdirSync } = require("node:fs");
const { TEST_MILLISECONDS } = require("./cli/rehearse/limits.cjs");

const FOLDER = "test/system";

/** Those that take longest begin first, or one of them would still run when everything else is done. */
const LONGEST = /^(?:rehearsal(?:-faults)?|upgrade(?:-\w+)?|deploy(?:-interrupted|-switch)?|npmPackage)\.spec/;

const specs = readdirSync(FOLDER).filter((name) => name.endsWith(".spec.ts"));
const first = specs.filter((name) => LONGEST.test(name));
const others = specs.filter((name) => !LONGEST.test(name));

module.exports = {
  require: ["tsx/cjs"],
  spec: [...first, ...others].map((name) => `${FOLDER}/${name}`),
  parallel: true,
  // More than there are processors: most of the time they wait, for connections, units and times.
  jobs: 5,
  timeout: TEST_MILLISECONDS,
  forbidOnly: true,
  reporter: "./test/support/reporter.cjs",
  "reporter-option": ["base=spec"],
};
