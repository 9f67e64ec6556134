import { existsSync } from "node:fs";
import path from "node:path";
import type { Ui } from "../common/command";
import type { Context } from "../common/context";
import { makeOrUpdate } from "./run";
import { whyInUse } from "./source";

/**
 * Offers whoever has our whole repository to keep only what is the server's. Returns an exit code when that was done:
 * what comes next is to be committed before anything else.
 */
export async function offerOwnRepository(context: Context, ui: Ui): Promise<number | undefined> {
  const { folder } = context;
  if (!existsSync(path.join(folder, "template")) || !existsSync(path.join(folder, ".git"))) return undefined;
  if (whyInUse(folder) !== undefined) return undefined;
  if (ui.prompts === undefined) {
    ui.say("This is the program's whole repository. For the server's own part of it: npm run new -- --update .");
    return undefined;
  }
  const question = "Keep only what is your server's, without the program's own tests and examples?";
  if (!(await ui.prompts.confirm(question, true))) return undefined;
  const code = await makeOrUpdate(folder)(["--update", "."], context, ui);
  if (code === 0) ui.say("  npm run setup, again");
  return code;
}
