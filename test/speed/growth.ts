import * as path from "node:path";
import { run } from "../../cli/rehearse/processes";
import { ROOT } from "../../cli/rehearse/project";
import { type Figure, type Measured, median, sideBySide } from "./figures";

interface Sample {
  ms: number;
  mb: number;
}

/** Started as Pulumi starts the program: with the start file, and with the source maps that its runner puts in place. */
async function program(what: "servers" | "bare", count: number): Promise<Sample> {
  const hooks = [path.join(ROOT, ".pulumi/start.cjs"), "source-map-support/register"];
  const args = [...hooks.flatMap((hook) => ["--require", hook]), path.join(__dirname, "program.ts"), what, `${count}`];
  const options = { env: process.env, cwd: ROOT };
  const { code, stdout, stderr } = await run(process.execPath, args, options);
  if (code !== 0) throw new Error(`the program of ${count} ${what} failed:\n${stderr}`);
  return JSON.parse(stdout) as Sample;
}

/** Start and memory of the program, beside a process that only loads the SDK. */
export async function start(rounds: number): Promise<Measured> {
  // What a first start keeps is there in every further one.
  await program("servers", 1);
  const figures = await sideBySide(rounds, {
    "load the SDK": () => program("servers", 0),
    "program of one server, mock runtime": () => program("servers", 1),
  });
  return { figures, left_out: [] };
}

/** What each further server costs, beside the same resources of the providers without components. */
export async function growth(rounds: number): Promise<Measured> {
  const counts = [10, 50, 200];
  const most = counts.at(-1)!;
  const each = { servers: new Map<number, Sample[]>(), bare: new Map<number, Sample[]>() };
  for (let round = 0; round < rounds; round += 1) {
    for (const [what, measured] of [["servers", counts] as const, ["bare", [most]] as const]) {
      const one = await program(what, 1);
      for (const count of measured) {
        const all = await program(what, count);
        const further = { ms: (all.ms - one.ms) / (count - 1), mb: (all.mb - one.mb) / (count - 1) };
        each[what].set(count, [...(each[what].get(count) ?? []), further]);
      }
    }
  }
  const figures = (name: string, samples: Sample[]): Figure[] =>
    (["ms", "mb"] as const).map((key) => {
      const runs = samples.map((sample) => sample[key]);
      return { name, unit: key === "ms" ? "ms" : "MB", runs, value: median(runs) };
    });
  const floorName = `its plain resources, of ${most}`;
  const floor = figures(floorName, each.bare.get(most)!);
  const servers = counts.flatMap((count) =>
    figures(`each further server, of ${count}`, each.servers.get(count)!).map((figure, at) => ({
      ...figure,
      ratio: { to: floorName, value: figure.value / floor[at]!.value },
    })),
  );
  return { figures: [...servers, ...floor], left_out: [] };
}
