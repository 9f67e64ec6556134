import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { parseRepositoryFile, type RepositoryFile } from "../../program/repositoryFile";
import { problemList } from "../../components/values/errors";
import { stackConfig } from "../../program/stackConfig";
import { readWorkflows } from "../../program/workflows";
import { UserError } from "./userError";
import { asEngineConfig, readProject, readStackFile, type StackSettings } from "./stackFile";

export const REPOSITORY_FILE = "nix/repository.json";

/** The files of a checkout that say what a stack is. */
export interface Project {
  folder: string;
  /** Namespace of its own configuration keys. */
  name: string;
  stack: string;
  repositoryText: string;
  repository: RepositoryFile;
  stackFile: string;
  stackText: string;
  /** What the stack's file sets. */
  settings: StackSettings;
  /** What Pulumi.yaml says where the stack's file says nothing. */
  defaults: StackSettings;
}

/** Reads them; throws one error for people when one of them cannot be understood. An absent stack file is empty. */
export function readProjectFiles(folder: string, stack: string): Project {
  const repositoryText = readFileSync(path.join(folder, REPOSITORY_FILE), "utf8");
  const repository = parseRepositoryFile(repositoryText);
  if (repository.value === undefined) throw new UserError(problemList(REPOSITORY_FILE, repository.problems));
  const stackFile = `Pulumi.${stack}.yaml`;
  const stackPath = path.join(folder, stackFile);
  const stackText = existsSync(stackPath) ? readFileSync(stackPath, "utf8") : "";
  return {
    folder,
    ...readProject(readFileSync(path.join(folder, "Pulumi.yaml"), "utf8")),
    stack,
    repositoryText,
    repository: repository.value,
    stackFile,
    stackText,
    settings: readStackFile(stackText, stackFile),
  };
}

/** The value that holds for a key of the project: the stack's, or the default. */
export function setting(project: Project, key: string): unknown {
  const name = `${project.name}:${key}`;
  return project.settings[name] ?? project.defaults[name];
}

/** Problems that `pulumi up` would stop at, in its own words; empty if there is none. */
export function configurationProblems(project: Project, stackText: string, repositoryText: string): string {
  const settings = { ...project.defaults, ...readStackFile(stackText, project.stackFile) };
  try {
    // What is encrypted is not among the settings.
    stackConfig(asEngineConfig(settings), project.name, repositoryText, readWorkflows(project.folder), []);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}
