const { TEST_MILLISECONDS } = require("./cli/rehearse/limits.cjs");

module.exports = {
  require: ["tsx/cjs"],
  spec: ["test/engine/**/*.spec.ts"],
  parallel: true,
  jobs: 2,
  timeout: TEST_MILLISECONDS,
  forbidOnly: true,
  reporter: "./test/support/reporter.cjs",
  "reporter-option": ["base=spec"],
};
