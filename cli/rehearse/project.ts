import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import * as path from "node:path";
import { parse } from "yaml";
import { withKeys } from "../common/stackFile";
import { FOLDER } from "../new/layout";

/** What a run of the program reads; everything else of the repository stays out of the copy. */
export const PARTS = [
  "Pulumi.yaml",
  "index.ts",
  "package.json",
  "tsconfig.json",
  ".pulumi",
  "components",
  "program",
  FOLDER,
  "nix",
  ".github",
  "garnix.yaml",
];

/** The folder of our program, which this file is in. */
const PROGRAM = path.resolve(__dirname, "../..");

/** The project's root folder: in a server's own repository, the program is in a folder of it. */
export const ROOT = existsSync(path.join(PROGRAM, "Pulumi.yaml")) ? PROGRAM : path.dirname(PROGRAM);

/** Where a file of the program is in a project, relative to the project's root. */
export function inProject(file: string): string {
  return path.join(path.relative(ROOT, PROGRAM), file);
}

/** A key of the program's own configuration. Whoever uses the project as a template gives it a name of their own. */
export function ownKey(key: string): string {
  const { name } = parse(readFileSync(path.join(ROOT, "Pulumi.yaml"), "utf8")) as { name: string };
  return `${name}:${key}`;
}

/** The engine's configuration with some of the program's own keys set, by their paths. */
export function configured(config: Record<string, string>, values: Record<string, unknown>): Record<string, string> {
  return withKeys(config, ownKey(""), values);
}

/** Copies the real program and the real flake, so that the rehearsal can edit them. Returns the copy's folder. */
export function copyProject(folder: string): string {
  const copy = path.join(folder, "project");
  mkdirSync(copy);
  for (const part of PARTS) {
    const source = path.join(ROOT, part);
    // An installed component package would bring a second copy of every provider.
    if (existsSync(source))
      cpSync(source, path.join(copy, part), {
        recursive: true,
        filter: (file) => path.basename(file) !== "node_modules",
      });
  }
  symlinkSync(path.join(ROOT, "node_modules"), path.join(copy, "node_modules"), "junction");
  return copy;
}
