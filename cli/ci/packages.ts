import { command, start, UsageError } from "../common/command";
import { comparePackages, type PackageChange, type PackageComparison } from "../preview/packages";

const HELP = `Prints as Markdown which packages and units differ between two systems, whose derivations are in the Nix store.

  npx tsx cli/ci/packages.ts BEFORE.drv AFTER.drv
`;

function section(title: string, lines: string[]): string[] {
  if (lines.length === 0) return [];
  return [`**${title}** (${lines.length})`, "", "```", ...lines, "```", ""];
}

function markdown(comparison: PackageComparison): string {
  if (comparison.kind === "unknown") return `Packages were not compared: ${comparison.reason}.`;
  const { bumped, added, removed, units } = comparison;
  const versions = ({ before, after }: PackageChange) => [before, after].map((list) => list.join(", ")).join(" → ");
  const sections = [
    ...section(
      "Updated",
      bumped.map((change) => `${change.name} ${versions(change)}`),
    ),
    ...section(
      "Added",
      added.map(({ name, after }) => `${name} ${after.join(", ")}`),
    ),
    ...section(
      "Removed",
      removed.map(({ name, before }) => `${name} ${before.join(", ")}`),
    ),
    ...section("Units that change", units),
  ];
  const nothing = "The machine's packages and units stay as they are.";
  return ["### Packages of the machine", "", ...(sections.length === 0 ? [nothing] : sections)].join("\n");
}

const ABOUT = { call: "npx tsx cli/ci/packages.ts", help: HELP, options: {}, positionals: true };

void start(
  command(ABOUT, async ({ positionals }, _, { say }) => {
    const [before, after] = positionals;
    if (before === undefined || after === undefined || positionals.length > 2)
      throw new UsageError("Name two derivations.");
    const comparison = await comparePackages(before, after);
    say(markdown(comparison));
    return comparison.kind === "compared" ? 0 : 1;
  }),
);
