import path from "node:path";
import type { Plan } from "../diagnostics/githubUser";
import { type SetupChoices, newStackSettings, repositoryFields, stackChanges } from "./choices";
import { difference } from "../common/difference";
import { changeGarnixYaml, GARNIX_FILE } from "./garnix";
import { configurationProblems, type Project, REPOSITORY_FILE } from "../common/project";
import type { Prompts } from "../common/prompts";
import { changeRepositoryJson } from "./repositoryJson";
import { changeStackFile, moveKeys } from "../common/stackFile";
import type { Ui } from "../common/command";
import { UserError } from "../common/userError";
import { readIfThere, writeFiles } from "../common/write";

interface Change {
  file: string;
  before: string;
  after: string;
}

/** Each file that the answers concern, as it is and as it is to be. */
function changes(project: Project, answers: SetupChoices, plan: Plan, isNew: boolean): Change[] {
  const repository = {
    file: REPOSITORY_FILE,
    before: project.repositoryText,
    after: changeRepositoryJson(project.repositoryText, repositoryFields(answers, project.repository)),
  };
  const stack = {
    file: project.stackFile,
    before: project.stackText,
    after: changeStackFile(movedKeys(project), {
      ...stackChanges(answers, plan, project),
      ...(isNew ? newStackSettings(project) : {}),
    }),
  };
  // Required checks that nobody reports are said at the end and do not stop setup; with protection off nothing is required.
  const unprotected = changeStackFile(stack.after, { [`${project.name}:repository.branchProtection`]: "off" });
  const problems = configurationProblems(project, unprotected, repository.after);
  if (problems !== "") throw new UserError(problems);
  return [repository, stack, ...(answers.checksFrom === "garnix" ? [garnix(project.folder)] : [])];
}

/** The stack's file with the keys of today. */
function movedKeys({ stackText, name, stackFile }: Project): string {
  try {
    return moveKeys(stackText, name);
  } catch (error) {
    throw new UserError(`${stackFile}: ${(error as Error).message}`);
  }
}

/** Writes the stack's file with the keys of today, and changes nothing else. */
export async function moveKeysOf(project: Project, prompts: Prompts | undefined, ui: Ui): Promise<void> {
  await write(
    project.folder,
    [{ file: project.stackFile, before: project.stackText, after: movedKeys(project) }],
    prompts,
    ui,
  );
}

function garnix(folder: string): Change {
  const at = path.join(folder, GARNIX_FILE);
  const before = readIfThere(at);
  return { file: GARNIX_FILE, before, after: changeGarnixYaml(before) };
}

/** Shows what changes in the files, asks, and writes them. Returns the names of all of them, changed or not. */
export async function changeFiles(
  project: Project,
  answers: SetupChoices,
  plan: Plan,
  isNew: boolean,
  prompts: Prompts | undefined,
  ui: Ui,
): Promise<string[]> {
  const all = changes(project, answers, plan, isNew);
  const names = all.map(({ file }) => file);
  await write(project.folder, all, prompts, ui);
  return names;
}

async function write(folder: string, all: Change[], prompts: Prompts | undefined, ui: Ui): Promise<void> {
  const changed = all.filter(({ before, after }) => before !== after);
  if (changed.length === 0) return ui.say("The files say all of this already.");
  ui.say(`\n${changed.map(({ file, before, after }) => difference(file, before, after)).join("\n")}`);
  if (prompts && !(await prompts.confirm("Write this?", true))) throw new UserError("As you wish.");
  writeFiles(new Map(changed.map(({ file, after }) => [path.join(folder, file), after])));
  ui.say(`Written: ${changed.map(({ file }) => file).join(", ")}`);
}
