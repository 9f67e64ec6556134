import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { stringify } from "yaml";
import { UserError } from "../common/userError";
import { type Given, hashOf } from "./given";
import { FOLDER, GIVEN, placeOf, textAt } from "./layout";
import { manifests } from "./packages";

/** One file of a repository. Every file of ours is text. */
export interface Entry {
  text: string;
  executable: boolean;
  /** Whether it is the owner's, who may change it, or the program's. */
  owned: boolean;
}

/** A server's repository, by the places of its files. */
export type Tree = Map<string, Entry>;

export function git(folder: string, ...args: string[]): string {
  try {
    return execFileSync("git", ["-C", folder, ...args], {
      encoding: "utf8",
      maxBuffer: 1 << 28,
      stdio: ["ignore", "pipe", "pipe"],
    });
  } catch (error) {
    const { code, stderr } = error as { code?: string; stderr?: string };
    if (code === "ENOENT") throw new UserError("git was not found on PATH.");
    throw new UserError(`git cannot read ${folder}: ${stderr?.trim() || (error as Error).message}`);
  }
}

/** The files that git follows, in a folder that is the root of a checkout. */
export function followed(folder: string): string[] {
  return git(folder, "ls-files", "-z", "--cached", "--deduplicate").split("\0").filter(Boolean);
}

/** Makes a server's repository of a checkout of ours. */
export function serverOf(source: string, name: string): Tree {
  const tree: Tree = new Map();
  const put = (place: string, text: string, owned: boolean, executable = false) =>
    void tree.set(place, { text, executable, owned });
  for (const file of followed(source)) {
    const at = placeOf(file);
    if (at === undefined) continue;
    const full = path.join(source, file);
    const executable = (statSync(full).mode & 0o100) !== 0;
    put(at.place, named(at.place, textAt(file, readFileSync(full, "utf8")), name), at.owned, executable);
  }
  const program = [...tree].filter(([, { owned }]) => !owned).map(([, { text }]) => text);
  const { own, ours, lock } = manifests(source, name, program);
  put("package.json", own, true);
  put("package-lock.json", lock, true);
  put(`${FOLDER}/package.json`, ours, false);
  const given: Given = {
    revision: git(source, "rev-parse", "HEAD").trim(),
    owned: Object.fromEntries([...tree].filter(([, { owned }]) => owned).map(([place, { text }]) => [place, text])),
    program: Object.fromEntries(
      [...tree].filter(([, { owned }]) => !owned).map(([place, { text }]) => [place, hashOf(text)]),
    ),
  };
  put(GIVEN, `${JSON.stringify(given, null, 1)}\n`, false);
  return tree;
}

/** The project's name is in front of its configuration keys and in its resources' URNs. */
function named(place: string, text: string, name: string): string {
  // Without quotes some names, such as 2026, are no text for Pulumi.
  if (place === "Pulumi.yaml")
    return text.replace(/^name: .*$/m, `name: ${stringify(name, { compat: "yaml-1.1" }).trimEnd()}`);
  return place === "README.md" ? text.replaceAll("my-server", name) : text;
}

/**
 * Why a checkout is not as it came, or undefined. In one where somebody has worked, git cannot tell their commits from
 * ours, and an update would take their changes for something that we gave.
 */
export function whyInUse(source: string): string | undefined {
  try {
    const { owner } = JSON.parse(git(source, "show", "HEAD:nix/repository.json")) as { owner: string };
    if (owner !== "") return "nix/repository.json names an owner";
    // `pulumi new` leaves no history, so the first commit has all as it came; a clone has its remote's.
    const isFirst = git(source, "rev-list", "--count", "HEAD").trim() === "1";
    const isRemote = git(source, "branch", "--remotes", "--contains", "HEAD").trim() !== "";
    return isFirst || isRemote ? undefined : "it has commits of its own";
  } catch {
    return "it is no git repository with a commit";
  }
}
