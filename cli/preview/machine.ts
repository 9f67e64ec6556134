import { oldAndNew } from "../../components/deploy/text.mjs";
import {
  code,
  count,
  fold,
  type Inline,
  type Item,
  lines,
  paragraph,
  type Part,
  separated,
  text,
} from "../render/document";
import { shortened } from "../render/text";
import type { PackageChange, PackageComparison } from "./packages";
import type { SystemChange } from "./preview";

/** Package names that are shown without unfolding anything. */
const FEW = 8;

/** What a deployment changes on its machine. */
export function machinePart(system: SystemChange, comparison: PackageComparison | undefined): Part {
  const { name, before, after, reasons } = system;
  const why = reasons.length === 0 ? "" : `, because ${reasons.join("; ")}`;
  const sentence = paragraph(text("The system is deployed by "), code(shortened(name, 100)), text(`${why}.`));
  const item = (...blocks: Item["blocks"]): Item => ({
    blocks,
    brief: blocks.slice(0, 1),
    important: true,
    label: "facts of the machine",
  });
  return {
    title: [text("On the machine")],
    items: [
      item(sentence, derivations(before, after)),
      ...(before !== undefined && before === after
        ? [item(paragraph(text("The derivation is the same as before.")))]
        : []),
      ...(before === undefined || before === after ? [] : packageItems(comparison, item)),
    ],
  };
}

function derivations(before: string | undefined, after: string | undefined): Item["blocks"][number] {
  if (before === after) return lines("text", [`  ${after ?? "(known after the update)"}`]);
  const old = before === undefined ? undefined : shortened(before, 300);
  return lines("diff", oldAndNew(old, shortened(after ?? "(known after the update)", 300)));
}

function packageItems(comparison: PackageComparison | undefined, item: (...blocks: Item["blocks"]) => Item): Item[] {
  if (comparison === undefined) return [];
  if (comparison.kind === "unknown")
    return [item(paragraph(text(`Packages were not compared: ${comparison.reason}.`)))];
  const { added, removed, bumped, units, basis } = comparison;
  const remark = basis === "derivations" ? " (from the derivations, so build tools count too)" : "";
  const packages = [
    ...kind("bumped", bumped, ({ name, before, after }) => `${name} ${before.join(", ")} → ${after.join(", ")}`),
    ...kind("added", added, ({ name, after }) => `${name} ${after.join(", ")}`),
    ...kind("removed", removed, ({ name, before }) => `${name} ${before.join(", ")}`),
  ];
  return [
    ...(packages.length === 0
      ? [item(paragraph(text(`No package is added, removed or bumped${remark}.`)))]
      : packages.map((block, at) =>
          item(block, ...(at === 0 && remark !== "" ? [paragraph(text(remark.trim()))] : [])),
        )),
    ...(units.length === 0 ? [] : [item(paragraph(text("Units that change: "), ...few(units), text(".")))]),
  ];
}

function kind(word: string, changes: PackageChange[], line: (change: PackageChange) => string): Item["blocks"] {
  if (changes.length === 0) return [];
  const title = `${count(changes.length, "package")} ${word}`;
  if (changes.length <= FEW)
    return [paragraph(text(`${title}: `), ...separated(changes.map((change) => code(line(change)))))];
  const shown = changes.slice(0, 500).map((change) => shortened(line(change), 200));
  const more = changes.length > shown.length ? [`… (${count(changes.length - shown.length, "more package")})`] : [];
  return [fold([text(title)], lines("text", [...shown, ...more]))];
}

function few(names: string[]): Inline[] {
  const shown = names.slice(0, FEW).map((name) => code(shortened(name, 100)));
  return separated(names.length > FEW ? [...shown, text(`${names.length - FEW} more`)] : shown);
}
