import { appendFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";
import { command, refuse, start as startCommand, wrong } from "../../cli/common/command";
import { problem, quote } from "../../components/values/errors";
import { tableOf } from "./figures";
import { engine } from "./engine";
import { growth, start } from "./growth";
import { loopback } from "./loopback";
import { rendering } from "./rendering";

const PARTS = { start, growth, loopback, rendering, engine };

const HELP = `Measures what people wait for: npm run speed -- [options]

  --runs N         runs of each figure, 5 at least (default 5); the median counts
  --only PARTS     measures only these parts: ${Object.keys(PARTS).join(",")}
  --json FILE      writes every run to FILE
  --history FILE   adds the medians to FILE, one line of JSON

Ratios are of runs made in turn. What this computer lacks is left out, and named.`;

const ABOUT = {
  call: "npm run speed --",
  help: HELP,
  options: {
    runs: { type: "string", default: "5" },
    only: { type: "string", default: Object.keys(PARTS).join(",") },
    json: { type: "string" },
    history: { type: "string" },
  },
} as const;

const bench = command(ABOUT, async ({ values: options }) => {
  const wanted = options.only.split(",");
  const unknown = wanted.filter((part) => !Object.hasOwn(PARTS, part));
  const parts = Object.keys(PARTS).join(",");
  refuse([
    ...wrong("--runs", options.runs, /^([5-9]|[1-9]\d+)$/, "a whole number, 5 at least"),
    ...unknown.map((part) => problem("--only", quote(part), parts)),
  ]);
  const runs = Number(options.runs);
  const surroundings = {
    date: new Date().toISOString(),
    node: process.version,
    processors: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    loadBefore: loadavg()[0]!,
  };
  const figures = [];
  const leftOut = [];
  for (const [name, measure] of Object.entries(PARTS)) {
    if (!wanted.includes(name)) {
      leftOut.push({ name, reason: "not asked for" });
      continue;
    }
    console.error(`measuring: ${name}`);
    const measured = await measure(runs);
    figures.push(...measured.figures);
    leftOut.push(...measured.left_out);
  }
  const { date, node, processors, memoryGiB, loadBefore } = surroundings;
  console.log(`${date.slice(0, 10)}, ${processors} processors, ${memoryGiB} GiB, Node ${node}, ${runs} runs each`);
  console.log(`load before: ${loadBefore.toFixed(1)}\n`);
  console.log(tableOf({ figures, left_out: leftOut }));
  const all = { ...surroundings, runs, figures, leftOut };
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(all, undefined, 2)}\n`);
  if (options.history !== undefined) {
    const medians = Object.fromEntries(figures.map(({ name, unit, value }) => [`${name} (${unit})`, value]));
    appendFileSync(options.history, `${JSON.stringify({ ...surroundings, runs, medians })}\n`);
  }
  return 0;
});

void startCommand(bench);
