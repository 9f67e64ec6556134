// Why tests were skipped; told by test/require.ts and printed by the reporter. By a file, because tests that run in
// parallel do so in processes of their own.
const { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { dirname, join } = require("node:path");

/**
 * Why a test, or every test of a suite, was skipped; both by the titles that lead there.
 * @typedef {{ file: string, titles: string[], reason: string }} Note
 */

/** Opens the file; to be called before a test, or a process of tests, begins. */
exports.collectSkips = () => {
  const file = join(mkdtempSync(join(tmpdir(), "test-skips-")), "reasons");
  writeFileSync(file, "");
  process.env.MOCHA_SKIPS = file;
};

/** @param {Note} note */
exports.noteSkip = (note) => {
  // Absent where the tests run under another reporter.
  if (process.env.MOCHA_SKIPS) appendFileSync(process.env.MOCHA_SKIPS, `${JSON.stringify(note)}\n`);
};

/**
 * How many of these tests were skipped for which reason; removes the file. Every test is counted once, so the numbers
 * add up to that of the tests.
 * @param {{ file?: string, titles: string[] }[]} skipped by the titles that lead there
 */
exports.takeSkips = (skipped) => {
  const file = /** @type {string} */ (process.env.MOCHA_SKIPS);
  const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
  rmSync(dirname(file), { recursive: true });
  const notes = lines.map((line) => /** @type {Note} */ (JSON.parse(line)));
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const test of skipped) {
    const about = notes.filter(
      (note) => note.file === test.file && note.titles.every((title, at) => test.titles[at] === title),
    );
    // The nearest: its own, or that of the innermost suite.
    const note = about.sort((one, other) => other.titles.length - one.titles.length)[0];
    const reason = note?.reason.replaceAll("\n", " ") ?? `a reason: ${test.titles.join(" ")}`;
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return counts;
};
