// @ts-check
import fs from "node:fs";
import path from "node:path";

/**
 * The first program of this name in the folders of PATH. A folder that depends on where one is brings none along.
 * @param {NodeJS.ProcessEnv} env
 * @param {string} name
 * @param {(folder: string) => boolean} [skip] leaves folders out
 */
export function findProgram(env, name, skip = () => false) {
  return (env["PATH"] ?? "")
    .split(path.delimiter)
    .filter((folder) => path.isAbsolute(folder) && !skip(folder))
    .map((folder) => path.join(folder, name))
    .find(isExecutable);
}

/** @param {string} file */
export function isExecutable(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}
