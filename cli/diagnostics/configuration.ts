import { configurationProblems, type Project } from "../common/project";
import { failed, note, ok, type Result } from "../common/result";

const MOVE_KEYS = "`npm run setup -- --move-keys` gives them their names of today; the next version needs that.";

/** The stack's configuration and nix/repository.json, as the program itself checks them. */
export function checkConfiguration(project: Project): Result {
  const warnings: string[] = [];
  const problems = configurationProblems(project, project.stackText, project.repositoryText, (text) =>
    warnings.push(text),
  );
  if (problems === "" && warnings.length > 0)
    return note("configuration", `${project.stackFile} fits, with keys of the last version`, MOVE_KEYS);
  return problems === ""
    ? ok("configuration", `${project.stackFile} and nix/repository.json fit`)
    : failed(
        "configuration",
        problems.replaceAll("\n", " "),
        "`npm run setup` asks for what is missing and writes it.",
      );
}
