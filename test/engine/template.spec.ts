/**
 * `pulumi new` from this repository, by the real CLI: what is made, and that it rehearses.
 * Cannot prove: the clone of a repository by its address, and the installation of packages from the network.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { parse } from "yaml";
import { engineEnvironment } from "../../cli/rehearse/drivers/engineRun";
import { run } from "../../cli/rehearse/processes";
import { ROOT } from "../../cli/rehearse/project";
import { closedEnvironment } from "../../cli/rehearse/environment";
import { requireCommands } from "../require";
import { requireEngine } from "../support/engine";
import { exportRepository, rehearse, repositoryFiles } from "../support/template";

describe("the engine: a project made by pulumi new", () => {
  let folder: string;
  let project: string;
  let printed: string;

  before(async function () {
    const cli = await requireEngine(this);
    requireCommands(this, "git", "git");
    folder = realpathSync(mkdtempSync(path.join(tmpdir(), "template-")));
    project = path.join(folder, "my-server");
    mkdirSync(project);
    exportRepository(path.join(folder, "repository"));
    const args = ["new", path.join(folder, "repository"), "--yes", "--non-interactive", "--generate-only"];
    const { code, stdout, stderr } = await run(cli, [...args, "--name", "my-server"], {
      cwd: project,
      env: engineEnvironment(cli, folder, closedEnvironment(folder), []),
    });
    printed = stdout + stderr;
    assert.equal(code, 0, printed);
  });
  after(() => folder && rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }));

  it("has every file of the repository", () => {
    const missing = repositoryFiles().filter((file) => !existsSync(path.join(project, file)));
    assert.deepEqual(missing, []);
  });

  it("has its own name, the same configuration keys, and is no template any more", () => {
    const made = parse(readFileSync(path.join(project, "Pulumi.yaml"), "utf8")) as Record<string, object>;
    const ours = parse(readFileSync(path.join(ROOT, "Pulumi.yaml"), "utf8")) as Record<string, object>;
    assert.equal(made["name"], "my-server");
    assert.equal("template" in made, false);
    // A tag that Pulumi itself writes there: which template the project came from.
    const config = Object.entries(made["config"]!).filter(([key]) => key !== "pulumi:tags");
    assert.deepEqual(Object.fromEntries(config), ours["config"]);
  });

  it("tells what to do next", () => {
    assert.match(printed, /npm run setup/);
  });

  it("rehearses", async () => {
    const { code, stdout, stderr } = await rehearse(project, folder);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /^\d+ held, /m);
  });
});
