const { TEST_MILLISECONDS } = require("./cli/rehearse/limits.cjs");

module.exports = {
  require: ["tsx/cjs"],
  spec: ["test/**/*.spec.ts"],
  ignore: ["test/system/**", "test/engine/**"],
  timeout: TEST_MILLISECONDS,
  forbidOnly: true,
  parallel: true,
  jobs: 2,
  reporter: "./test/support/reporter.cjs",
};
