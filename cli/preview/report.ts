import { changeCounts, changeParts } from "../render/changeList";
import {
  type Block,
  code,
  count,
  fold,
  heading,
  type Inline,
  lines,
  link,
  paragraph,
  type Part,
  type Report,
  strong,
  text,
} from "../render/document";
import { shortened, shortenedLines } from "../render/text";
import { evaluationFailure, messageLines, usefulLines } from "./errors";
import type { Diagnostic, Preview } from "./preview";
import { machinePart } from "./machine";
import type { PackageComparison } from "./packages";
import { advisoryPart, blockingPart, blockingRules } from "./policies";

/** Where the preview ran, as far as that is known. */
export interface RunInfo {
  url?: string | undefined;
  commit?: string | undefined;
}

/** What packages each system gains and loses, by the name of its deployment. */
export type Comparisons = Map<string, PackageComparison>;

/** Says what a preview found: the verdict first, then what is destroyed, then the rest. */
export function previewReport(preview: Preview, comparisons: Comparisons = new Map(), run: RunInfo = {}): Report {
  return {
    head: [
      heading(...verdict(preview)),
      ...errorBlocks(preview),
      ...incompleteNote(preview),
      ...unchangedNote(preview),
    ],
    parts: [
      blockingPart(preview.policies),
      ...changedParts(preview, comparisons),
      advisoryPart(preview.policies),
      warningPart(preview.warnings),
    ],
    foot: footer(run, preview.packs),
  };
}

/** What is replaced and deleted, then what changes on the machine, then the rest. */
export function changedParts(
  { changes, systems }: Pick<Preview, "changes" | "systems">,
  comparisons: Comparisons = new Map(),
): Part[] {
  const [destroyed, ...rest] = changeParts(changes);
  return [destroyed!, ...systems.map((system) => machinePart(system, comparisons.get(system.name))), ...rest];
}

function verdict(preview: Preview): Inline[] {
  const { project, stack, changes, failed, policies } = preview;
  const place = project === "" ? [text("Preview: ")] : [code(`${project}/${stack}`), text(": ")];
  const blocked = blockingRules(policies);
  if (failed && preview.errors.length === 0 && blocked > 0) {
    return [text("❌ "), ...place, text(`blocked by ${count(blocked, "mandatory policy", "mandatory policies")}`)];
  }
  if (failed) return [text("❌ "), ...place, text("the preview failed")];
  const counts = changeCounts(changes);
  if (counts === "") return [text("✅ "), ...place, text("nothing changes")];
  const grave = changes.some(({ operation }) => ["replace", "delete", "forget"].includes(operation));
  const graveWords = /\b(replaced|deleted|forgotten)\b/.test(counts);
  return [text(grave && graveWords ? "⚠️ " : "🔷 "), ...place, text(counts)];
}

/** Errors that are shown in full; the others are counted. */
const MOST_ERRORS = 5;

function errorBlocks({ errors }: Preview): Block[] {
  const shown = errors.slice(0, MOST_ERRORS).flatMap(errorBlock);
  const more = errors.length - MOST_ERRORS;
  return more > 0
    ? [...shown, paragraph(text(`… and ${count(more, "more error")}; the run's log has all of them.`))]
    : shown;
}

function errorBlock({ message, resource }: Diagnostic): Block[] {
  const evaluation = evaluationFailure(message);
  const useful = (evaluation ?? usefulLines(message)).map((line) => shortened(line, 300));
  const whole = messageLines(message).map((line) => shortened(line, 200));
  const title =
    evaluation !== undefined
      ? [strong("The flake does not evaluate"), text(", so the system cannot be built or deployed. Nix says:")]
      : [strong("Error"), ...(resource === undefined ? [] : [text(" of "), code(shortened(resource, 100))]), text(":")];
  const more =
    useful.length > 12 || whole.length > useful.length + 1
      ? [fold([text(`The whole message (${count(whole.length, "line")})`)], lines("text", shortenedLines(whole, 30)))]
      : [];
  return [paragraph(...title), lines("text", shortenedLines(useful, 12)), ...more];
}

function incompleteNote({ failed, errors, changes }: Preview): Block[] {
  // A preview that only policies blocked has compared everything.
  if (!failed || errors.length === 0 || changes.length === 0) return [];
  return [paragraph(text("What follows is what was compared before the failure; it may not be complete."))];
}

function unchangedNote({ failed, unchanged, changes }: Preview): Block[] {
  if (failed || unchanged === undefined || changes.length > 0) return [];
  return [
    paragraph(text(`All ${count(unchanged, "resource and component", "resources and components")} stay as they are.`)),
  ];
}

function warningPart(warnings: Diagnostic[]): Part {
  return {
    title: undefined,
    items: warnings.map(({ message, resource }) => {
      const shown = usefulLines(message).map((line) => shortened(line, 1000));
      const about = resource === undefined ? [] : [text(" about "), code(shortened(resource, 100))];
      const summary = [text("Warning"), ...about];
      return {
        blocks: [fold(summary, lines("text", shortenedLines(shown, 20)))],
        brief: [paragraph(...summary)],
        label: "warnings",
      };
    }),
  };
}

function footer({ url, commit }: RunInfo, packs: string[]): Block[] {
  const notes: Inline[][] = [
    ...(url === undefined ? [] : [[link("The run and its log", url)]]),
    ...(commit === undefined ? [] : [[text(url === undefined ? "Commit " : "commit "), code(commit.slice(0, 7))]]),
    ...packs.map((pack) => [text("policies "), code(pack)]),
  ];
  return notes.length === 0
    ? []
    : [paragraph(...notes.flatMap((note, at) => (at === 0 ? note : [text(" · "), ...note])))];
}
