/** Prints how long a preview of 2,000 changed resources takes: `npx tsx test/preview/benchmark.ts`. */
import { readPreview } from "../../cli/preview/read";
import { previewReport } from "../../cli/preview/report";
import { toMarkdown } from "../../cli/render/markdown";
import { digestOf, step } from "./builders";

const steps = Array.from({ length: 2000 }, (_, at) =>
  step(at % 10 === 0 ? "replace" : "update", `resource-${at}`, {
    before: { name: "a".repeat(100), tags: { number: at } },
    after: { name: "b".repeat(100), tags: { number: at + 1 } },
    detailedDiff: { name: { kind: "update", inputDiff: true }, "tags.number": { kind: "update", inputDiff: true } },
  }),
);
const text = digestOf(steps);

for (const run of ["first", "second", "third"]) {
  const start = performance.now();
  const preview = readPreview(text);
  const read = performance.now();
  const comment = toMarkdown(previewReport(preview));
  const done = performance.now();
  const milliseconds = (from: number, to: number) => `${(to - from).toFixed(0)} ms`;
  console.log(
    `${run}: read ${milliseconds(start, read)}, rendered ${milliseconds(read, done)}, ${comment.length} characters`,
  );
}
