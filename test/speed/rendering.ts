import { readPreview } from "../../cli/preview/read";
import { previewReport } from "../../cli/preview/report";
import { toMarkdown } from "../../cli/render/markdown";
import { digestOf, step } from "../preview/builders";
import { type Measured, sideBySide } from "./figures";

/** Reading and rendering of a preview of 2,000 changed resources. */
export async function rendering(rounds: number): Promise<Measured> {
  const steps = Array.from({ length: 2000 }, (_, at) =>
    step(at % 10 === 0 ? "replace" : "update", `resource-${at}`, {
      before: { name: "a".repeat(100), tags: { number: at } },
      after: { name: "b".repeat(100), tags: { number: at + 1 } },
      detailedDiff: { name: { kind: "update", inputDiff: true }, "tags.number": { kind: "update", inputDiff: true } },
    }),
  );
  const text = digestOf(steps);
  const figures = await sideBySide(rounds, {
    "comment on a preview of 2,000 changes": () => {
      const begin = performance.now();
      toMarkdown(previewReport(readPreview(text)));
      return Promise.resolve({ ms: performance.now() - begin });
    },
  });
  return { figures, left_out: [] };
}
