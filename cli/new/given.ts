import { readFileSync } from "node:fs";
import path from "node:path";
import { createHash } from "node:crypto";
import { readJson } from "../../components/values/nesting";
import { UserError } from "../common/userError";
import { GIVEN } from "./layout";

/** What a repository was given by `npm run new`. */
export interface Given {
  /** Commit of ours that it was made from. */
  revision: string;
  /** The owner's files, as they were given. */
  owned: Record<string, string>;
  /** Hashes of the program's files, which nobody changes but an update. */
  program: Record<string, string>;
}

/** Undefined where the repository was not made by `npm run new`. */
export function readGiven(folder: string): Given | undefined {
  let text: string;
  try {
    text = readFileSync(path.join(folder, GIVEN), "utf8");
  } catch {
    return undefined;
  }
  const given = readJson(text) as Partial<Given> | undefined;
  if (given?.owned === undefined || given.program === undefined)
    throw new UserError(`${GIVEN} is not what was written there. Put it back: git log -p ${GIVEN} shows what changed.`);
  return given as Given;
}

export function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
