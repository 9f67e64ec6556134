// Loaded into the program's process with `--require`: notes, in the file that BENCHMARK_CLOCK names, how long the process
// lived and the most memory that it had.
const { writeFileSync } = require("node:fs");

const { BENCHMARK_CLOCK: file = "" } = process.env;

process.once("exit", () => {
  const sample = { ms: performance.now(), mb: process.resourceUsage().maxRSS / 1024 };
  writeFileSync(file, JSON.stringify(sample));
});
