import { FOREIGN, UNSEEN } from "../../components/signals";
import type { Preview } from "../preview/preview";
import { type Change, isDeployment } from "../render/change";
import { changeCounts, changeParts } from "../render/changeList";
import { type Block, heading, lines, paragraph, type Report, text } from "../render/document";

/** What differs, and whether anything does. */
export interface Drift {
  clean: boolean;
  report: Report;
}

/**
 * Says what a refreshed preview and the machine tell of drift.
 *
 * A deployment is none: its trigger names what the last update installed, and the machine has pulled newer revisions
 * since. Whether it runs the right one is asked of the machine itself.
 *
 * @param machine what is wrong with the machine, in a sentence; undefined: nothing
 */
export function driftReport(preview: Preview, machine: string | undefined): Drift {
  const differing = preview.changes.filter(isDrift);
  // No resource of the stack differs by them; the program looks for them and warns.
  const foreign = preview.warnings.filter(({ message }) => message.includes(FOREIGN));
  // A search that was refused has found nothing, and that is no good news.
  const unseen = preview.warnings.filter(({ message }) => message.includes(UNSEEN));
  const found = { differing, foreign: foreign.length, unseen: unseen.length, machine };
  const head: Block[] = [heading(text(verdict(preview, found)))];
  if (machine !== undefined) head.push(lines("text", [machine]));
  if (preview.failed) {
    head.push(paragraph(text("The preview failed:")));
    head.push(lines("text", preview.errors.flatMap(({ message }) => message.trim().split("\n")).slice(0, MOST_LINES)));
  }
  for (const { message } of [...foreign, ...unseen])
    head.push(lines("text", message.trim().split("\n").slice(0, MOST_LINES)));
  if (differing.length > 0) {
    head.push(paragraph(text("What an update would change, because somebody or something else changed it:")));
  }
  return {
    clean: [...differing, ...foreign, ...unseen].length === 0 && !preview.failed && machine === undefined,
    report: { head, parts: changeParts(differing), foot: differing.length > 0 ? [paragraph(text(WAY_OUT))] : [] },
  };
}

const MOST_LINES = 40;
const WAY_OUT =
  "Either write the change into the program, or let an update undo it: read its preview first. This issue closes by " +
  "itself when nothing differs any more.";

function isDrift(change: Change): boolean {
  return !isDeployment(change) && change.operation !== "read";
}

interface Found {
  differing: Change[];
  foreign: number;
  unseen: number;
  machine: string | undefined;
}

function verdict({ failed }: Preview, { differing, foreign, unseen, machine }: Found): string {
  const found = [
    ...(failed ? ["the infrastructure could not be compared"] : []),
    ...(differing.length > 0 ? [`the infrastructure differs (${changeCounts(differing)})`] : []),
    ...(foreign > 0 ? ["something was added by hand"] : []),
    ...(unseen > 0 ? ["not everything that is added by hand could be looked for"] : []),
    ...(machine === undefined ? [] : ["the machine needs attention"]),
  ].join("; ");
  return found === "" ? "No drift" : `${found[0]!.toUpperCase()}${found.slice(1)}`;
}
