import { configurationProblems, type Project } from "../common/project";
import { failed, ok, type Result } from "../common/result";

/** The stack's configuration and nix/repository.json, as the program itself checks them. */
export function checkConfiguration(project: Project): Result {
  const problems = configurationProblems(project, project.stackText, project.repositoryText);
  return problems === ""
    ? ok("configuration", `${project.stackFile} and nix/repository.json fit`)
    : failed(
        "configuration",
        problems.replaceAll("\n", " "),
        "`npm run setup` asks for what is missing and writes it.",
      );
}
