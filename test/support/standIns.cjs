// How many tests ran on a stand-in for Pulumi's language host; told by test/support/engine.ts and printed by the
// reporter. Beside the file of the skips, for the same reason.
const { appendFileSync, existsSync, readFileSync } = require("node:fs");
const { dirname, join } = require("node:path");

const file = () => process.env.MOCHA_SKIPS && join(dirname(process.env.MOCHA_SKIPS), "stand-ins");

exports.noteStandIn = () => {
  const place = file();
  // Absent where the tests run under another reporter.
  if (place) appendFileSync(place, ".");
};

/** How many there were; to be called before the skips are taken, which removes the folder. */
exports.takeStandIns = () => {
  const place = file();
  return place && existsSync(place) ? readFileSync(place, "utf8").length : 0;
};
