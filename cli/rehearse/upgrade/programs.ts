import fs from "node:fs";
import path from "node:path";
import { evaluateModules, flakeFolder } from "./evaluate";

/** A program of nix/upgrade as the module makes it: its name, its settings and its text. */
export interface Program {
  name: string;
  environment: Record<string, string>;
  text: string;
}

/** A unit's settings as the module makes them. */
export interface Units {
  services: Record<string, { serviceConfig: Record<string, unknown>; environment?: Record<string, string> }>;
}

/** The programs that the modules put on a machine with this configuration; by default those of this checkout. */
export type Programs = (configuration: object) => Program[];
export const programs: Programs = (configuration) =>
  asPrograms(
    evaluateModules(
      "map (program: program.application) (builtins.attrValues e.config.pulumiNixos.upgrade.programs)",
      configuration,
    ),
  );

/** Programs as the stand-in of nixpkgs' library makes them. */
export function asPrograms(applications: unknown): Program[] {
  return (applications as { name: string; runtimeEnv: Record<string, string>; text: string }[]).map(
    ({ name, runtimeEnv, text }) => ({ name, environment: runtimeEnv, text }),
  );
}

/** A program as nixpkgs' writeShellApplication writes it, its settings replaced where the bench differs. */
export function script(program: Program, settings: Record<string, string>): string {
  const environment = { ...program.environment, ...settings };
  const exports = Object.entries(environment).map(([name, value]) => `export ${name}=${quote(value)}`);
  return ["#!/bin/bash", "set -o errexit", "set -o nounset", "set -o pipefail", ...exports, program.text].join("\n");
}

/** A word of a shell command. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The files that the programs source, by the setting that says where they are. */
export const sourced = {
  UPGRADE_COMMON: "common.sh",
  UPGRADE_REPOSITORY: "repository.sh",
  UPGRADE_TROUBLE: "trouble.sh",
  UPGRADE_WAYS: "access",
};

/** Their texts, as far as a checkout's flake has them. */
export function sourcedFiles(flake = flakeFolder): Record<string, string> {
  const folder = path.join(flake, "upgrade");
  const there = Object.values(sourced).filter((name) => fs.existsSync(path.join(folder, name)));
  const files = there.flatMap((name) =>
    fs.statSync(path.join(folder, name)).isDirectory()
      ? fs.readdirSync(path.join(folder, name)).map((file) => path.join(name, file))
      : [name],
  );
  return Object.fromEntries(files.map((name) => [name, fs.readFileSync(path.join(folder, name), "utf8")]));
}
