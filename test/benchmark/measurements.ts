import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Context } from "mocha";
import { readPreview } from "../../cli/preview/read";
import { previewReport } from "../../cli/preview/report";
import { toMarkdown } from "../../cli/render/markdown";
import { run } from "../bench/run";
import { EngineStack } from "../engine/stack";
import { digestOf, step } from "../preview/builders";
import { findEngine } from "../rehearsal/drivers/findEngine";
import { ROOT } from "../rehearsal/project";
import { type Figure, type Measured, median, sideBySide } from "./figures";

interface Sample {
  ms: number;
  mb: number;
  resources: number;
}

async function program(what: string): Promise<Sample> {
  const args = ["--require", "tsx/cjs", path.join(__dirname, "program.ts"), what];
  const { code, stdout, stderr } = await run(process.execPath, args, {
    env: process.env,
    cwd: ROOT,
    timeoutSeconds: 120,
  });
  if (code !== 0) throw new Error(`the program for ${what} failed:\n${stderr}`);
  return JSON.parse(stdout) as Sample;
}

/** Start and memory of the program, beside a process that only loads the SDK. */
export async function start(rounds: number): Promise<Measured> {
  const figures = await sideBySide(rounds, {
    "load the SDK": () => program("floor"),
    "program of one server, mock runtime": () => program("1"),
  });
  return { figures, left_out: [] };
}

/** What each further machine costs. */
export async function growth(rounds: number): Promise<Measured> {
  const counts = [1, 10, 50, 200];
  const samples = new Map(counts.map((count) => [count, [] as Sample[]]));
  for (let round = 0; round < rounds; round += 1) {
    for (const count of counts) samples.get(count)!.push(await program(String(count)));
  }
  const [one = [], ...more] = counts.map((count) => samples.get(count)!);
  const figures = more.flatMap((list, at): Figure[] => {
    const count = counts[at + 1]!;
    const name = `each machine beyond the first, of ${count}`;
    const each = (unit: "ms" | "mb") => list.map((sample, round) => (sample[unit] - one[round]![unit]) / (count - 1));
    return [
      { name, unit: "ms", runs: each("ms"), value: median(each("ms")) },
      { name, unit: "MB", runs: each("mb"), value: median(each("mb")) },
    ];
  });
  return { figures, left_out: [] };
}

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

/** The whole program under a real engine with emulated providers, beside Pulumi's default and an empty program. */
export async function engine(rounds: number): Promise<Measured> {
  const search = await findEngine(ROOT, () => {});
  if (!("cli" in search))
    return { figures: [], left_out: [{ name: "preview under an engine", reason: search.reason }] };
  const stack = await EngineStack.start({ skip: () => undefined } as unknown as Context);
  const file = (name: string, text: string) => writeFileSync(path.join(stack.project, name), text);
  try {
    const project = readFileSync(path.join(stack.project, "Pulumi.yaml"), "utf8");
    const plain = project.replace(/^runtime:\n(?: .*\n)+/m, "runtime: nodejs\n");
    if (plain === project) throw new Error("Pulumi.yaml has no options of the runtime to leave out");
    file("empty.js", "");
    const preview = (pulumiYaml: string) => async () => {
      file("Pulumi.yaml", pulumiYaml);
      const begin = performance.now();
      const { code, printed } = await stack.begin("preview").end;
      if (code !== 0) throw new Error(`the preview failed:\n${printed}`);
      return { ms: performance.now() - begin };
    };
    file("Pulumi.yaml", project);
    await stack.up();
    const figures = await sideBySide(rounds, {
      "preview with Pulumi's defaults": preview(plain),
      "preview as it is": preview(project),
      "preview of an empty program": preview(plain.replace("main: index.ts", "main: empty.js")),
    });
    file("Pulumi.yaml", project);
    const update = await sideBySide(rounds, {
      "update that changes nothing": async () => {
        const begin = performance.now();
        await stack.up();
        return { ms: performance.now() - begin };
      },
    });
    return { figures: [...figures, ...update], left_out: [] };
  } finally {
    await stack.stop();
  }
}

/** What this benchmark does not measure yet. */
export const NOT_MEASURED = [
  { name: "evaluation of the flake", reason: "not part of this benchmark yet" },
  {
    name: "deployment, phase by phase",
    reason: "not part of this benchmark yet; each prints its phases with their seconds",
  },
];
