import path from "node:path";
import type { Plan } from "../checks/githubUser";
import { type Answers, repositoryFields, stackChanges } from "./answers";
import { difference } from "./difference";
import { configurationProblems, type Project, REPOSITORY_FILE } from "./project";
import type { Prompts } from "./prompts";
import { changeRepositoryJson } from "./repositoryJson";
import { changeStackFile } from "./stackFile";
import { Refusal, type Ui } from "./ui";
import { writeFiles } from "./write";

/** The new text of each file. */
function changedFiles(project: Project, answers: Answers, plan: Plan): Map<string, string> {
  const files = new Map([
    [REPOSITORY_FILE, changeRepositoryJson(project.repositoryText, repositoryFields(answers, project.repository))],
    [project.stackFile, changeStackFile(project.stackText, stackChanges(answers, plan, project))],
  ]);
  const problems = configurationProblems(project, files.get(project.stackFile)!, files.get(REPOSITORY_FILE)!);
  if (problems !== "") throw new Refusal(problems);
  return files;
}

/** Shows what changes in the files, asks, and writes them. */
export async function changeFiles(
  project: Project,
  answers: Answers,
  plan: Plan,
  prompts: Prompts | undefined,
  ui: Ui,
): Promise<void> {
  const files = changedFiles(project, answers, plan);
  const before = new Map([
    [REPOSITORY_FILE, project.repositoryText],
    [project.stackFile, project.stackText],
  ]);
  const changed = [...files].filter(([file, text]) => text !== before.get(file));
  if (changed.length === 0) {
    ui.say("The files say all of this already.");
    return;
  }
  ui.say(`\n${changed.map(([file, text]) => difference(file, before.get(file)!, text)).join("\n")}`);
  if (prompts && !(await prompts.confirm("Write this?", true))) throw new Refusal("As you wish.");
  writeFiles(new Map(changed.map(([file, text]) => [path.join(project.folder, file), text])));
  ui.say(`Written: ${changed.map(([file]) => file).join(", ")}`);
}
