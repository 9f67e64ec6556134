import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { parseRepositoryFile, type RepositoryFile } from "../../program/repositoryFile";
import { DEFAULTS } from "../../components/values/defaults";
import { problemList } from "../../components/values/errors";
import { readConfig } from "../../program/readConfig";
import { CHECKS_FROM } from "../../program/requiredChecks";
import { stackConfig } from "../../program/stackConfig";
import { readWorkflows } from "../../program/workflows";
import { UserError } from "./userError";
import { asEngineConfig, groupProblems, readProject, readStackFile, type StackSettings } from "./stackFile";

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
  /** The program's own keys that the stack's file sets, by their paths; those of the last version too. */
  own: Record<string, unknown>;
}

/** Reads them; throws one error for people when one of them cannot be understood. An absent stack file is empty. */
export function readProjectFiles(folder: string, stack: string): Project {
  const repositoryText = readFileSync(path.join(folder, REPOSITORY_FILE), "utf8");
  const repository = parseRepositoryFile(repositoryText);
  if (repository.value === undefined) throw new UserError(problemList(REPOSITORY_FILE, repository.problems));
  const stackFile = `Pulumi.${stack}.yaml`;
  const stackPath = path.join(folder, stackFile);
  const stackText = existsSync(stackPath) ? readFileSync(stackPath, "utf8") : "";
  const settings = readStackFile(stackText, stackFile);
  const project = readProject(readFileSync(path.join(folder, "Pulumi.yaml"), "utf8"));
  return {
    folder,
    ...project,
    stack,
    repositoryText,
    repository: repository.value,
    stackFile,
    stackText,
    settings,
    own: ownKeys(settings, project.name),
  };
}

function ownKeys(settings: StackSettings, project: string): Record<string, unknown> {
  return readConfig(asEngineConfig(settings), `${project}:`, []).values;
}

/** The value that holds for a key, by its path: the stack's, or the default. */
export function setting(project: Project, path: string): unknown {
  const configured = ownKeys({ ...project.defaults, ...project.settings }, project.name);
  return configured[path] ?? usual(path);
}

/** What the components do where nothing is said. */
export function usual(path: string): unknown {
  if (path === "repository.checksFrom") return CHECKS_FROM;
  const [first, name] = path.split(".") as [string, string?];
  const value = (DEFAULTS as Record<string, unknown>)[first];
  return name === undefined ? value : (value as Record<string, unknown>)[name];
}

/**
 * Problems that `pulumi up` would stop at, in its own words; empty if there is none.
 *
 * @param warn is told what it would warn of
 */
export function configurationProblems(
  project: Project,
  stackText: string,
  repositoryText: string,
  warn: (text: string) => void = () => undefined,
): string {
  const settings = { ...project.defaults, ...readStackFile(stackText, project.stackFile) };
  const groups = groupProblems(settings, project.name);
  if (groups.length > 0) return problemList(project.stackFile, groups);
  try {
    // What is encrypted is not among the settings.
    stackConfig(
      asEngineConfig(settings),
      project.name,
      repositoryText,
      readWorkflows(project.folder),
      [],
      process.env,
      warn,
    );
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}
