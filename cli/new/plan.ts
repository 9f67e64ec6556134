import { existsSync, lstatSync, readFileSync } from "node:fs";
import path from "node:path";
import { problemList } from "../../components/values/errors";
import { readJson } from "../../components/values/nesting";
import { UserError } from "../common/userError";
import { type Given, hashOf } from "./given";
import type { History } from "./history";
import { FOLDER, GIVEN, placeOf, textAt } from "./layout";
import { merge, type Merged } from "./merge";
import { followed, git, type Tree } from "./source";

/** What an update does to the repository of a server. */
export interface Plan {
  /** By place: what becomes of the owner's files. */
  files: Map<string, Merged>;
  /** Files of the old program that go; those of the new one are written over them. */
  removed: string[];
  /** What was ours once and was changed by the owner: it stays where it is, and nothing uses it. */
  unused: string[];
}

/** What a server's repository has of its own in place of ours. */
const REWRITTEN = ["README.md", "package.json", "package-lock.json"];

/** A repository that `npm run new` has made; `replace` gives up what was changed in the program's folder. */
export function planUpdate(folder: string, given: Given, newer: Tree, replace: boolean): Plan {
  const known = Object.keys(given.program);
  const inside = followed(folder).filter((file) => file.startsWith(`${FOLDER}/`) && file !== GIVEN);
  const foreign = inside.filter((file) => !known.includes(file) && given.owned[file] === undefined);
  const problems = [
    ...known
      .filter((place) => hashAt(folder, place) !== given.program[place])
      .map((place) => `${place} is not what it was given as; an update would lose that.`),
    ...foreign.map((file) => `${file} is none of the program's; an update would lose it.`),
  ];
  if (problems.length > 0 && !replace)
    throw new UserError(
      `${problemList(`The folder ${FOLDER}`, problems)}\nPut it back (git log -p ${FOLDER} shows what changed), or give --replace.`,
    );
  return {
    files: mergeAll(newer, given.owned, (place) => textOf(folder, place)),
    removed: [...known, ...foreign].filter((place) => !newer.has(place)),
    unused: [],
  };
}

/** A copy of our whole repository, which earlier versions were begun with: what is ours goes, by our own history. */
export function planMove(folder: string, history: History, newer: Tree): Plan {
  const plan: Plan = { files: new Map(), removed: [], unused: [] };
  const base: Record<string, string> = {};
  const yours: Record<string, string> = {};
  for (const [file, blob] of blobs(folder)) {
    const at = placeOf(file);
    const place = REWRITTEN.includes(file) ? file : at?.owned === true ? at.place : undefined;
    const same = history.has(file, blob);
    if (place === undefined) {
      if (same) plan.removed.push(file);
      else if (history.knows(file)) plan.unused.push(file);
      continue;
    }
    const text = textOf(folder, file)!;
    const before = same ? text : history.nearest(file, text);
    yours[place] = textAt(file, text);
    if (before !== undefined) base[place] = textAt(file, before);
    if (place !== file) plan.removed.push(file);
    // These have little in common with ours, so a merge would be nothing but conflicts.
    if (same) continue;
    if (file === "README.md") base[place] = newer.get(place)!.text;
    if (file === "package.json") {
      base[place] = newer.get(place)!.text;
      yours[place] = withAdditions(newer.get(place)!.text, before ?? "{}", text);
    }
  }
  plan.files = mergeAll(newer, base, (place) => yours[place] ?? textOf(folder, place));
  return plan;
}

/** A manifest with the packages and scripts that the owner had added to ours. */
function withAdditions(newer: string, before: string, yours: string): string {
  type Lists = Record<string, Record<string, string> | undefined>;
  if (typeof readJson(yours) !== "object") throw new UserError("package.json is no JSON.");
  const [result, old, mine] = [newer, before, yours].map((text) => JSON.parse(text) as Lists) as [Lists, Lists, Lists];
  for (const list of ["scripts", "dependencies", "devDependencies"]) {
    const added = Object.entries(mine[list] ?? {}).filter(([name]) => old[list]?.[name] === undefined);
    if (added.length > 0) result[list] = { ...result[list], ...Object.fromEntries(added) };
  }
  return `${JSON.stringify(result, null, 2)}\n`;
}

function mergeAll(newer: Tree, base: Record<string, string>, yours: (place: string) => string | undefined) {
  const owned = [...newer].filter(([, entry]) => entry.owned).map(([place]) => place);
  const places = [...new Set([...owned, ...Object.keys(base)])].sort();
  const files = places.map((place): [string, Merged] => {
    const versions = { base: base[place], yours: yours(place), newer: newer.get(place)?.text };
    // npm writes it, and puts a changed one right in its next install: a merge of it would be worth nothing.
    if (place === "package-lock.json" && versions.yours !== versions.base && versions.yours !== versions.newer)
      return [place, { outcome: "kept", text: versions.yours }];
    return [place, merge(versions)];
  });
  return new Map(files);
}

function* blobs(folder: string): Generator<[file: string, blob: string]> {
  for (const line of git(folder, "ls-files", "-s", "-z").split("\0").filter(Boolean)) {
    const [facts = "", file = ""] = line.split("\t");
    yield [file, facts.split(" ")[1]!];
  }
}

/** What is not committed could not be had back. */
export function refuseUnsaved(folder: string): void {
  if (!existsSync(folder)) throw new UserError(`${folder} does not exist.`);
  // Without git, what an update changes could not be seen or had back.
  const status = git(folder, "status", "--porcelain", "--untracked-files=normal").trimEnd();
  if (status !== "")
    throw new UserError(`${folder} has changes that are not committed. Commit or remove them:\n${status}`);
  if (followed(folder).length === 0) throw new UserError(`${folder} has no commit yet.`);
}

function hashAt(folder: string, place: string): string | undefined {
  const text = textOf(folder, place);
  return text === undefined ? undefined : hashOf(text);
}

function textOf(folder: string, place: string): string | undefined {
  const file = path.join(folder, place);
  if (!existsSync(file)) return undefined;
  if (!lstatSync(file).isFile()) throw new UserError(`${file} is no file.`);
  return readFileSync(file, "utf8");
}
