// Why tests were skipped; filled by test/require.ts and printed by the reporter.

/** @type {Map<string, number>} */
const reasons = new Map();

/** @param {string} reason */
exports.noteSkip = (reason) => {
  reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
};

exports.reasons = reasons;
