import { setTimeout as sleep } from "node:timers/promises";
import { type Github, GithubError, githubTrouble, isGood, type Needs } from "./github";
import { field, textField } from "./http";

/** A place in GitHub where one text of ours is kept up to date from run to run: a pull request, or the issues. */
export interface Place {
  /** Path that lists what is there. */
  list: string;
  /** Path to which a new one is posted. */
  create: string;
  /** Path of one. */
  at(found: Found): string;
  /** How a log names one. */
  name(found: Found): string;
  remove(found: Found): Promise<unknown>;
  /** What a token or a job lacks that may not do this. */
  needs: Needs;
}

export interface Found {
  id: number;
  /** Of an issue. */
  number: number;
  body: string;
}

/** What there is to say, in Markdown, below its mark. */
export interface Text {
  body: string;
  title?: string;
}

/** Whether it was said, and how, or why not: for the person who reads the log. */
export interface Keeping {
  done: boolean;
  message: string;
}

/** The hidden first line by which a text of ours is found again. */
export function hiddenMark(kind: string, ...names: string[]): string {
  // Two dashes would end an HTML comment.
  const safe = (name: string) => encodeURIComponent(name).replaceAll("--", "-%2D");
  return `<!-- ${kind} ${names.map(safe).join("/")} -->`;
}

/** Writes or edits the one text with this mark; undefined: takes away what is there. Never throws. */
export async function keepMarked(github: Github, place: Place, mark: string, text: Text | undefined): Promise<Keeping> {
  try {
    const marked = text && { ...text, body: `${mark}\n${text.body}` };
    return { done: true, message: await keep(github, place, mark, marked) };
  } catch (error) {
    return { done: false, message: (error as Error).message };
  }
}

async function keep(github: Github, place: Place, mark: string, text: Text | undefined): Promise<string> {
  const me = await github.login();
  const own = () => ownTexts(github, place, mark, me);
  const all = await own();
  const [first, ...others] = all;
  const names = all.map((one) => place.name(one)).join(", ");
  for (const one of text === undefined ? all : others) await place.remove(one);
  if (text === undefined) return names === "" ? "There is nothing to say, and nothing was said." : `Closed ${names}.`;
  if (first !== undefined) return edit(github, place, first, text);
  const created = await create(github, place, text, own);
  // Two runs at the same time both find nothing: the older text stays, and gets what the later run knows.
  const [oldest = created] = await own();
  if (oldest.id === created.id) return `Created ${place.name(created)}.`;
  await place.remove(created);
  return edit(github, place, oldest, text);
}

async function edit(github: Github, place: Place, found: Found, text: Text): Promise<string> {
  if (found.body !== text.body)
    await github.send(`editing ${place.name(found)}`, "PATCH", place.at(found), text, place.needs);
  return `Edited ${place.name(found)}.`;
}

async function create(github: Github, place: Place, text: Text, own: () => Promise<Found[]>): Promise<Found> {
  const { attempts, secondMilliseconds } = github.patience;
  for (let attempt = 1; ; attempt++) {
    const answer = await github.ask("POST", place.create, text);
    if (isGood(answer)) return foundOf(answer.body);
    const trouble = githubTrouble(answer);
    if (!trouble.retry || trouble.kind === "rate-limit" || attempt >= attempts)
      throw new GithubError(
        "writing it",
        { ...answer, attempts: Math.max(attempt, answer.attempts ?? 1) },
        place.needs,
      );
    await sleep(2 ** (attempt - 1) * secondMilliseconds);
    // It may be there although the answer was lost.
    const [there] = await own();
    if (there !== undefined) return there;
  }
}

/**
 * The oldest first. Anybody can write a text that begins with the mark; only our own may be trusted, or changed.
 *
 * @param me whose token it is; undefined: a bot's
 */
async function ownTexts(github: Github, place: Place, mark: string, me: string | undefined): Promise<Found[]> {
  const listed = await github.list("looking for what was written before", place.list, place.needs);
  return listed
    .filter((one) =>
      me === undefined ? textField(one, "user", "type") === "Bot" : textField(one, "user", "login") === me,
    )
    .map(foundOf)
    .filter(({ body }) => body.split(/\r?\n/, 1)[0] === mark)
    .sort((one, other) => one.id - other.id);
}

function foundOf(body: unknown): Found {
  return { id: Number(field(body, "id")), number: Number(field(body, "number")), body: textField(body, "body") };
}
