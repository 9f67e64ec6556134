import { randomUUID } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { output } from "../processes";

/** Copies the stub flake, with what is particular to this computer and, unless given, a word of its own. */
export function writeFlake(folder: string, nonce: string = randomUUID()): void {
  fs.mkdirSync(path.dirname(folder), { recursive: true });
  fs.cpSync(path.join(__dirname, "flake"), folder, { recursive: true });
  const machine = process.arch === "arm64" ? "aarch64" : "x86_64";
  fs.writeFileSync(path.join(folder, "platform"), `${machine}-linux`);
  fs.writeFileSync(path.join(folder, "nonce"), nonce);
}

/** A repository such as the one that is deployed: the flake in nix/, committed. */
export interface Project {
  folder: string;
  /** Makes every system of the flake a new one, and commits it. */
  change(): Promise<void>;
  git(...args: string[]): Promise<string>;
  /** Names a repository in repository.json, and pushes everything to one of that name beside the project. */
  followRemote(): Promise<void>;
}

export async function makeProject(folder: string): Promise<Project> {
  const git = (...args: string[]) =>
    output("git", ["-C", folder, "-c", "user.name=bench", "-c", "user.email=bench@example.invalid", ...args], {
      // The settings of whoever runs the tests (signing, hooks, templates) must not matter.
      env: { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" },
    });
  const nix = path.join(folder, "nix");
  writeFlake(nix);
  const writeRepository = (owner: string) => {
    const repository = { owner, name: "pulumi-nixos", branch: "main", access: "deploy-key" };
    fs.writeFileSync(path.join(nix, "repository.json"), `${JSON.stringify(repository, null, 2)}\n`);
  };
  writeRepository("");
  // The program under test lies in the project, as it does for whoever uses it: where the path has spaces, too.
  fs.cpSync(path.join(__dirname, "../../../components/deploy"), path.join(folder, "components/deploy"), {
    recursive: true,
  });
  await git("init", "--quiet", "--initial-branch=main");
  const commit = async (message: string) => {
    await git("add", "--all");
    await git("commit", "--quiet", "--message", message);
  };
  await commit("First");
  return {
    folder,
    git,
    async change() {
      fs.writeFileSync(path.join(nix, "nonce"), randomUUID());
      await commit("Change");
    },
    async followRemote() {
      writeRepository("example");
      await commit("Name the repository");
      const remote = `${folder}.remote/example/pulumi-nixos.git`;
      fs.mkdirSync(remote, { recursive: true });
      await git("init", "--quiet", "--bare", remote);
      await git("push", "--quiet", remote, "main");
      // GitHub's address, answered by this folder: only the repository itself is asked where its branch is.
      await git("remote", "add", "origin", "git@github.com:example/pulumi-nixos.git");
      const ssh = path.join(`${folder}.remote`, "ssh");
      fs.writeFileSync(ssh, `#!/bin/sh\nexec git upload-pack '${remote}'\n`, { mode: 0o755 });
      await git("config", "core.sshCommand", `'${ssh}'`);
      await git("config", "ssh.variant", "simple");
    },
  };
}
