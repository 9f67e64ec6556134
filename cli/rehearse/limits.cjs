// The one limit on how long something may take in the tests. It is there to end what hangs, and nothing else: a test
// waits for what it is about and never for a time, so that it fails when the product is wrong and not when the computer
// is busy. .eslint.config.mjs refuses other limits in the tests.

/**
 * How long one thing may take: a program to end, a condition to come true. The longest, a whole rehearsal, takes half a
 * minute on a quiet computer.
 */
const WAIT_SECONDS = 600;

exports.WAIT_SECONDS = WAIT_SECONDS;
exports.WAIT_MILLISECONDS = WAIT_SECONDS * 1000;

/** How long a whole test or hook may take, which waits more than once. For the .mocharc files. */
exports.TEST_MILLISECONDS = 2 * WAIT_SECONDS * 1000;
