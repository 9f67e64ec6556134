// @ts-check
/** Where the branch is, and what leads on from what, asked of the repository itself. */
import { DeploymentError } from "../../../components/deploy/errors.mjs";
import { git, gitEnvironment } from "../../../components/deploy/git.mjs";
import { revisionIn } from "../../../components/deploy/revision.mjs";

/** @typedef {import("../../../components/deploy/process.mjs").Processes} Processes */

const SECONDS = 300;

export class Branch {
  /**
   * @param {string} folder the checkout, with its whole history
   * @param {string} name
   * @param {Processes} processes
   * @param {string} [token] to read a private repository: the checkout keeps none
   */
  constructor(folder, name, processes, token = "") {
    this.folder = folder;
    this.name = name;
    this.processes = processes;
    this.token = token;
  }

  /** Asks the server. The token is in the environment of this git alone. @param {string[]} args */
  async #remote(args) {
    const header = `Authorization: Basic ${Buffer.from(`x-access-token:${this.token}`).toString("base64")}`;
    const authorized =
      this.token === ""
        ? {}
        : {
            GIT_CONFIG_COUNT: "1",
            GIT_CONFIG_KEY_0: "http.https://github.com/.extraheader",
            GIT_CONFIG_VALUE_0: header,
          };
    const env = { ...gitEnvironment(this.processes.env), ...authorized };
    const result = await this.processes.run("git", ["-C", this.folder, ...args], { env, timeoutSeconds: SECONDS });
    if (result.code === 0) return result.stdout;
    throw new DeploymentError(`The repository did not answer git ${args[0]}.`, { details: result.stderr });
  }

  /** The branch's revision, by its exact name, with its history. */
  async tip() {
    for (let asked = 0; asked < 5; asked++) {
      const found = revisionIn(await this.#remote(["ls-remote", "--heads", "--", "origin"]), this.name);
      if ("problem" in found) throw new DeploymentError(`${found.problem}.`);
      if ("missing" in found) throw new DeploymentError(`The repository has no branch ${this.name} any more.`);
      if (await this.#isHere(found.revision)) return found.revision;
      await this.#remote(["fetch", "--quiet", "--no-tags", "origin", `+refs/heads/${this.name}:refs/release/tip`]);
      if (await this.#isHere(found.revision)) return found.revision;
      // It moved on in between, and was rewritten.
    }
    throw new DeploymentError(`The branch ${this.name} moves on faster than it can be fetched.`);
  }

  /** @param {string} revision */
  async #isHere(revision) {
    return (await git(this.folder, ["cat-file", "-e", `${revision}^{commit}`], this.processes)).code === 0;
  }

  /**
   * Whether one revision is another or comes after it. One that is not in the history at all is none.
   * @param {string} older
   * @param {string} newer
   */
  async leadsOn(older, newer) {
    if (older === newer) return true;
    if (!(await this.#isHere(older)) || !(await this.#isHere(newer))) return false;
    const result = await git(this.folder, ["merge-base", "--is-ancestor", older, newer], this.processes);
    if (result.code === 0 || result.code === 1) return result.code === 0;
    throw new DeploymentError("git merge-base failed.", { details: result.stderr });
  }
}
