import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { findProgram } from "../../../components/deploy/path.mjs";

const NAME = "pulumi-language-nodejs";

/** What runs programs in Node for an engine. */
export type LanguageHost = "Pulumi's own" | "a stand-in";

/** Pulumi's own where it is beside the CLI, as installers put it, or on PATH; the one of `languageHost/` elsewhere. */
export function languageHostOf(cli: string, PATH = process.env["PATH"] ?? ""): LanguageHost {
  const folders = { PATH: [path.dirname(cli), PATH].join(path.delimiter) };
  return findProgram(folders, NAME) === undefined ? "a stand-in" : "Pulumi's own";
}

/**
 * Puts the stand-in where an engine looks for plugins that it has downloaded: for one on PATH it would print a warning.
 *
 * @param home the engine's PULUMI_HOME
 */
export function installStandIn(home: string): void {
  const folder = path.join(home, "plugins", "language-nodejs-v0.0.0");
  const program = path.join(folder, NAME);
  mkdirSync(folder, { recursive: true });
  const words = [process.execPath, path.join(__dirname, "languageHost/host.mjs")];
  const quoted = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`);
  writeFileSync(program, `#!/bin/sh\nexec ${quoted.join(" ")} "$@"\n`);
  chmodSync(program, 0o755);
}
