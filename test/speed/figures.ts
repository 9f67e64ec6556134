/** One figure: the median of several runs. */
export interface Figure {
  name: string;
  /** Median. */
  value: number;
  unit: "ms" | "MB";
  /** All runs, in their order. */
  runs: number[];
  /** What it is compared with, measured in turn with it. */
  ratio?: { to: string; value: number };
}

/** What was measured, and what could not be, with the reason. */
export interface Measured {
  figures: Figure[];
  left_out: { name: string; reason: string }[];
}

export function median(values: number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * Runs several things in turn, round after round, so that a machine that is busy for a while slows all of them.
 * The first of them is what the others are compared with.
 */
export async function sideBySide<Name extends string>(
  rounds: number,
  things: Record<Name, () => Promise<{ ms: number; mb?: number }>>,
): Promise<Figure[]> {
  const names = Object.keys(things) as Name[];
  const results = new Map(names.map((name) => [name, [] as { ms: number; mb?: number }[]]));
  for (let round = 0; round < rounds; round += 1) {
    for (const name of names) results.get(name)!.push(await things[name]());
  }
  const of = (name: Name, unit: "ms" | "MB"): Figure | undefined => {
    const runs = results.get(name)!.flatMap(({ ms, mb }) => (unit === "ms" ? [ms] : mb === undefined ? [] : [mb]));
    return runs.length === 0 ? undefined : { name, unit, runs, value: median(runs) };
  };
  return (["ms", "MB"] as const).flatMap((unit) => {
    const figures = names.flatMap((name) => of(name, unit) ?? []);
    const [first, ...others] = figures;
    if (first === undefined) return [];
    const compared = others.map((figure) => ({
      ...figure,
      ratio: { to: first.name, value: figure.value / first.value },
    }));
    return [first, ...compared];
  });
}

/** The figures as a table of text. */
export function tableOf({ figures, left_out }: Measured): string {
  const rows = figures.map(({ name, value, unit, runs, ratio }) => [
    name,
    `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`,
    `${Math.min(...runs).toFixed(0)} to ${Math.max(...runs).toFixed(0)}`,
    ratio === undefined ? "" : `${ratio.value.toFixed(2)} x ${ratio.to}`,
  ]);
  const table = [["What", "Median", "Range", "Ratio"], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => row[column]!.length)));
  const lines = table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  );
  return [...lines, ...left_out.map(({ name, reason }) => `left out: ${name}: ${reason}`)].join("\n");
}
