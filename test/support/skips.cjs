// Why tests were skipped; told by test/require.ts and printed by the reporter. By a file, because tests that run in
// parallel do so in processes of their own.
const { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { dirname, join } = require("node:path");

/** Opens the file; to be called before a test, or a process of tests, begins. */
exports.collectSkips = () => {
  const file = join(mkdtempSync(join(tmpdir(), "test-skips-")), "reasons");
  writeFileSync(file, "");
  process.env.MOCHA_SKIPS = file;
};

/** @param {string} reason */
exports.noteSkip = (reason) => {
  // Absent where the tests run under another reporter.
  if (process.env.MOCHA_SKIPS) appendFileSync(process.env.MOCHA_SKIPS, `${reason.replaceAll("\n", " ")}\n`);
};

/** How often each reason was told; removes the file. */
exports.takeSkips = () => {
  const file = /** @type {string} */ (process.env.MOCHA_SKIPS);
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const reason of readFileSync(file, "utf8").split("\n").filter(Boolean)) {
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  rmSync(dirname(file), { recursive: true });
  return counts;
};
