// @ts-check
// Files in folders that other users of this computer may write too: what is there may be somebody else's, or a link to
// something that is not meant.
import fs from "node:fs";
import process from "node:process";

/**
 * Whether something belongs to the user of this process.
 * @param {fs.Stats} stat of `lstat` or `fstat`: not of what a link leads to
 */
export function isOurs(stat) {
  // Windows has no such numbers; Nix does not run there.
  return process.geteuid === undefined || stat.uid === process.geteuid();
}

/** @param {fs.Stats} stat */
function isOursAlone(stat) {
  return isOurs(stat) && (stat.mode & 0o022) === 0;
}

/**
 * Makes a folder that this user alone may write; whether it is one.
 * @param {string} folder
 */
export function makeOwnFolder(folder) {
  try {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (isOwnFolder(folder)) return true;
    if (!fs.lstatSync(folder).isDirectory()) return false;
    // Made under a umask that lets the group write. Somebody else's stays theirs.
    fs.chmodSync(folder, 0o700);
    return isOwnFolder(folder);
  } catch {
    return false;
  }
}

/** @param {string} folder */
export function isOwnFolder(folder) {
  try {
    const stat = fs.lstatSync(folder);
    return stat.isDirectory() && isOursAlone(stat);
  } catch {
    return false; // not there
  }
}

/**
 * The beginning of a file that only this user can have written; undefined for any other.
 * @param {string} file
 * @param {number} most bytes
 */
export function readOwnFile(file, most) {
  let descriptor;
  try {
    // Not through a link, and without waiting for whoever writes to a pipe.
    descriptor = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
    const stat = fs.fstatSync(descriptor);
    if (!stat.isFile() || !isOursAlone(stat)) return undefined;
    const buffer = Buffer.alloc(most);
    return buffer.toString("utf8", 0, fs.readSync(descriptor, buffer));
  } catch {
    return undefined;
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor);
  }
}
