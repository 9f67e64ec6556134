import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { type Command, command, refuse, type Ui, UsageError } from "../common/command";
import { shellWord } from "../../program/readConfig";
import { readProject } from "../common/stackFile";
import { UserError } from "../common/userError";
import { readGiven } from "./given";
import { History } from "./history";
import { FOLDER, projectName } from "./layout";
import type { Outcome } from "./merge";
import { type Plan, planMove, planUpdate, refuseUnsaved } from "./plan";
import { git, serverOf, type Tree, whyInUse } from "./source";

const HELP = `Makes the repository of a server of your own, or brings one to the version of this checkout.

  npm run new -- ../my-server             a new folder; its name becomes the project's
  npm run new -- --update ../my-server    a repository that exists: one that was made so, or a copy of this whole one
  npm run new -- --update .               this folder itself, where it is a fresh copy that nobody has set up

  --name NAME   the project's name, where the folder's is not to be it
  --markers     writes conflicts into the files, with git's markers, instead of changing nothing
  --replace     takes ${FOLDER}/ anew although something in it was changed

An update keeps what you changed and merges what both sides changed. It needs everything committed, commits nothing
itself, and changes either all that it names or nothing. The exit code is 0 when done, 1 for conflicts or where not all
could be written, 2 when nothing was done.`;

const ABOUT = {
  call: "npm run new --",
  help: HELP,
  options: {
    update: { type: "boolean" },
    name: { type: "string" },
    markers: { type: "boolean" },
    replace: { type: "boolean" },
  },
  positionals: true,
  refused: 2,
  undone: "Nothing was changed.",
} as const;

/** The command on a checkout of ours. */
export function makeOrUpdate(source: string): Command {
  return command(ABOUT, ({ values, positionals }, _, ui) => {
    if (positionals.length !== 1) throw new UsageError("Name one folder.");
    if (!existsSync(path.join(source, "template"))) throw new UserError("Run this in a clone of the program itself.");
    const folder = path.resolve(source, positionals[0]!);
    if (values.update === true) {
      if (values.name !== undefined)
        throw new UsageError("--name is for a new repository; one that exists keeps its name.");
      return update(folder, source, { markers: values.markers === true, replace: values.replace === true }, ui);
    }
    refuse(
      (["markers", "replace"] as const)
        .filter((name) => values[name])
        .map((name) => `--${name} is for a repository that exists: with --update.`),
    );
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === false)
      throw new UserError(`${folder} is no folder.`);
    if (existsSync(folder) && readdirSync(folder).some((name) => name !== ".git"))
      throw new UserError(`${folder} is not empty. To bring a server's repository to this version: --update.`);
    const tree = serverOf(source, projectName(values.name ?? path.basename(folder)));
    for (const [place, { text, executable }] of tree) write(folder, place, text, executable);
    ui.say(made(folder, tree));
    return 0;
  });
}

function update(
  folder: string,
  source: string,
  { markers, replace }: { markers: boolean; replace: boolean },
  { say, complain }: Ui,
): number {
  refuseUnsaved(folder);
  const given = readGiven(folder);
  if (folder === source) refuseUsed(source);
  else if (given === undefined) refuseShallow(source);
  const newer = serverOf(source, nameIn(folder));
  const plan =
    given === undefined ? planMove(folder, History.of(source), newer) : planUpdate(folder, given, newer, replace);
  const conflicts = [...plan.files].filter(([, { outcome }]) => outcome === "conflict").map(([place]) => place);
  say(report(plan));
  if (conflicts.length > 0 && !markers) {
    say(`\nBoth sides changed the same lines: ${conflicts.join(", ")}. Nothing was changed.`);
    say("Run this again with --markers: then all is written, and these have both versions between git's markers.");
    return 1;
  }
  try {
    for (const file of plan.removed) remove(folder, file);
    for (const [place, { text }] of plan.files) {
      if (text === undefined) remove(folder, place);
      else write(folder, place, text, newer.get(place)?.executable ?? false);
    }
    // The record of what was given comes last: before it, the same update can be run again.
    for (const [place, entry] of newer) if (!entry.owned) write(folder, place, entry.text, entry.executable);
  } catch (error) {
    complain(`${(error as Error).message}\nOnly a part was written. All was committed, so this takes it back:`);
    complain(`  git -C ${shellWord(folder)} reset --hard && git -C ${shellWord(folder)} clean --force -d`);
    return 1;
  }
  say(`\n${["Next:", `cd ${shellWord(folder)}`, "npm install && npm test", "git diff, and commit it"].join("\n  ")}`);
  return conflicts.length > 0 ? 1 : 0;
}

function refuseUsed(source: string): void {
  const why = whyInUse(source);
  if (why === undefined) return;
  const command = `npm run new -- --update ../${path.basename(source)}`;
  throw new UserError(`This copy is in use already: ${why}. Clone the program beside it, and there: ${command}`);
}

/** Without our older versions, files that somebody began with would look like their own. */
function refuseShallow(source: string): void {
  if (git(source, "rev-parse", "--is-shallow-repository").trim() === "true")
    throw new UserError(
      "This clone has not the whole history, which tells your files from ours: git fetch --unshallow",
    );
}

function nameIn(folder: string): string {
  const file = path.join(folder, "Pulumi.yaml");
  if (!existsSync(file)) throw new UserError(`${folder} has no Pulumi.yaml: it is no repository of a server.`);
  return readProject(readFileSync(file, "utf8")).name;
}

function write(folder: string, place: string, text: string, executable: boolean): void {
  const file = path.join(folder, place);
  if (!existsSync(file) || readFileSync(file, "utf8") !== text) {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  if (executable) chmodSync(file, 0o755);
}

/** A file, and the folders that are empty then. */
function remove(folder: string, place: string): void {
  rmSync(path.join(folder, place), { force: true });
  for (let above = path.dirname(place); above !== "."; above = path.dirname(above)) {
    const full = path.join(folder, above);
    if (existsSync(full) && readdirSync(full).length > 0) return;
    if (existsSync(full)) rmdirSync(full);
  }
}

const WORDS: Partial<Record<Outcome, string>> = {
  added: "added",
  updated: "updated",
  merged: "merged",
  kept: "kept yours",
  removed: "removed",
  conflict: "CONFLICT",
};

function report({ files, removed, unused }: Plan): string {
  const lines = [...files].flatMap(([place, { outcome }]) => {
    const word = WORDS[outcome];
    return word === undefined ? [] : [`  ${word.padEnd(10)}  ${place}`];
  });
  lines.push(`  replaced    ${FOLDER}/`);
  if (removed.length > 0) lines.push(`  removed     ${removed.length} files of the program that are not used any more`);
  for (const file of unused)
    lines.push(`  kept yours  ${file}, which was the program's and which nothing uses any more`);
  return lines.join("\n");
}

function made(folder: string, tree: Tree): string {
  const seen = [...tree.keys()].filter((place) => !place.startsWith(`${FOLDER}/`)).length;
  return [
    `Made ${folder}: ${seen} files of yours, and the program in ${FOLDER}/.`,
    "Next:",
    `  cd ${shellWord(folder)}`,
    "  git init --initial-branch=main && git add --all && git commit --message Begin",
    "  npm ci && npm test",
    "  npm run setup",
  ].join("\n");
}
