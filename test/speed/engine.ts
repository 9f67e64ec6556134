import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import type { Context } from "mocha";
import { EngineStack } from "../engine/stack";
import { findEngine } from "../../cli/rehearse/drivers/findEngine";
import { languageHostOf } from "../../cli/rehearse/drivers/languageHost";
import { ROOT } from "../../cli/rehearse/project";
import { type Figure, type Measured, median, sideBySide } from "./figures";

interface Preview {
  ms: number;
  mb: number;
}

/** The whole program under a real engine with emulated providers, beside Pulumi's defaults and an empty program. */
export async function engine(rounds: number): Promise<Measured> {
  const search = await findEngine(ROOT, () => {});
  if (!("cli" in search))
    return { figures: [], left_out: [{ name: "previews and updates under an engine", reason: search.reason }] };
  const stack = await EngineStack.start({ skip: () => undefined } as unknown as Context);
  try {
    const left_out = [];
    if (languageHostOf(search.cli) === "a stand-in")
      left_out.push({
        name: "Pulumi's own host of Node programs",
        reason: "it is not here, and its stand-in starts slower",
      });
    return { figures: await previews(stack, rounds), left_out };
  } finally {
    stack.stop();
  }
}

async function previews(stack: EngineStack, rounds: number): Promise<Figure[]> {
  const inProject = (name: string) => path.join(stack.project, name);
  const clock = path.join(stack.folder, "clock.json");
  stack.environment["BENCHMARK_CLOCK"] = clock;

  const timed = `--require ${path.join(__dirname, "clock.cjs")}`;
  const own = readFileSync(inProject("Pulumi.yaml"), "utf8");
  const asItIs = own.replace('nodeargs: "', `nodeargs: "${timed} `);
  const byDefault = own.replace(
    /^runtime:\n(?: .*\n)+/m,
    `runtime:\n  name: nodejs\n  options:\n    nodeargs: "${timed}"\n`,
  );
  if (asItIs === own || byDefault === own) throw new Error("Pulumi.yaml has no options of the runtime to replace");
  writeFileSync(inProject("empty.ts"), "");

  const split: Record<"engine" | "program" | "providers", number[]> = { engine: [], program: [], providers: [] };
  const preview = (pulumiYaml: string, before = () => {}, after = (_: Record<keyof typeof split, number>) => {}) =>
    async function measured(): Promise<Preview> {
      writeFileSync(inProject("Pulumi.yaml"), pulumiYaml);
      before();
      const [begin, busy] = [performance.now(), process.cpuUsage()];
      await stack.succeed("preview");
      const ms = performance.now() - begin;
      const { user, system } = process.cpuUsage(busy);
      const program = JSON.parse(readFileSync(clock, "utf8")) as Preview;
      // The emulators run in this process, which does little else meanwhile.
      after({ engine: ms - program.ms, program: program.ms, providers: (user + system) / 1000 });
      return { ms, mb: program.mb };
    };
  const edit = () => appendFileSync(inProject("index.ts"), `// ${Math.random()}\n`);

  writeFileSync(inProject("Pulumi.yaml"), asItIs);
  await stack.up();
  const edited = await sideBySide(rounds, {
    "preview by Pulumi's defaults, index.ts edited": preview(byDefault, edit),
    "preview, index.ts edited": preview(asItIs, edit),
  });
  const unchanged = await sideBySide(rounds, {
    "preview by Pulumi's defaults, nothing edited": preview(byDefault),
    "preview, nothing edited": preview(asItIs, undefined, (parts) => {
      for (const part of ["engine", "program", "providers"] as const) split[part].push(parts[part]);
    }),
    "preview of an empty program": preview(asItIs.replace("main: index.ts", "main: empty.ts")),
  });
  const part = (name: string, runs: number[]): Figure => ({ name, unit: "ms", runs, value: median(runs) });
  const parts = [
    part("  nothing edited: life of the program's process", split.program),
    part("  nothing edited: engine, before and after it", split.engine),
    part("  nothing edited: processor time of the emulated providers", split.providers),
  ];
  writeFileSync(inProject("Pulumi.yaml"), asItIs);
  const update = await sideBySide(rounds, {
    "update that changes nothing": async () => {
      const begin = performance.now();
      await stack.up();
      return { ms: performance.now() - begin };
    },
  });
  return [...edited, ...unchanged, ...parts, ...update];
}
