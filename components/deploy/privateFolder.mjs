// @ts-check
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { DeploymentError } from "./errors.mjs";
import { isOurs } from "./ownFiles.mjs";

const PREFIX = "pulumi-nixos-deploy";

/** A folder for the key of this run, which nobody else can read. */
export class PrivateFolder {
  /** @param {NodeJS.ProcessEnv} env */
  constructor(env) {
    const base = temporaryFolder(env);
    removeThoseOfDeadRuns(base);
    this.path = fs.mkdtempSync(path.join(base, `${PREFIX}.${hostName()}.${process.pid}.`)); // mode 0700
    removeAfterDeath(this.path);
  }

  /**
   * @param {string} name
   * @param {string} content
   */
  write(name, content) {
    const file = path.join(this.path, name);
    fs.writeFileSync(file, content, { mode: 0o600, flag: "wx" });
    return file;
  }

  remove() {
    fs.rmSync(this.path, { recursive: true, force: true });
  }
}

/**
 * Whether a folder can stand in the options of ssh: Nix and nixos-rebuild take them as one text and split it at spaces.
 * @param {string} folder
 */
export function isPlainPath(folder) {
  return /^\/[A-Za-z0-9_./+-]+$/.test(folder);
}

/** @param {NodeJS.ProcessEnv} env */
function temporaryFolder(env) {
  const candidates = [env.XDG_RUNTIME_DIR, os.tmpdir(), "/tmp"];
  for (const folder of candidates) {
    if (folder === undefined || !isPlainPath(folder)) continue;
    try {
      fs.accessSync(folder, fs.constants.W_OK | fs.constants.X_OK);
      const stat = fs.statSync(folder);
      // Where all may write and none is kept from the others' files (no sticky bit), anybody could put another folder in
      // the place of ours; and its owner may everywhere, such as whoever called sudo -E. A container may show the
      // system's own as nobody's.
      const keepsOurs = (stat.mode & 0o022) === 0 || (stat.mode & 0o1000) !== 0;
      if (keepsOurs && (isOurs(stat) || stat.uid === 0 || folder === "/tmp")) return folder;
    } catch {
      // The next one.
    }
  }
  throw new DeploymentError(
    "There is no temporary folder for the key: TMPDIR and /tmp cannot be written, have spaces in their paths, belong to somebody else, or others may rename what is in them (chmod +t).",
  );
}

/**
 * Leaves a shell behind that removes the folder when this process is gone, however it went: Pulumi's command provider
 * answers Ctrl-C with SIGKILL to the whole process group, which the shell is not in.
 * @param {string} folder
 */
function removeAfterDeath(folder) {
  const script = 'trap "" INT TERM HUP; cat >/dev/null; rm -rf -- "$1"';
  // The pipe is the sign of life: the kernel closes it with the process.
  const shell = spawn("/bin/sh", ["-c", script, "sh", folder], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
    // Not this process's environment, which holds the key.
    env: { PATH: process.env.PATH },
  });
  shell.on("error", () => {
    // Without a shell the next run removes the folder, as below.
  });
  shell.unref();
  /** @type {import("node:net").Socket} */ (shell.stdin).unref();
}

/** A run whose computer went down cannot clean up; the next one does. @param {string} base */
function removeThoseOfDeadRuns(base) {
  for (const name of namesIn(base)) {
    const [prefix, host, pid] = name.split(".");
    // Another host name: a container that shares the folder, whose processes cannot be seen from here.
    if (prefix !== PREFIX || host !== hostName() || isRunning(Number(pid))) continue;
    const folder = path.join(base, name);
    try {
      // Whoever may write here can choose such a name, for a folder of theirs or for a link.
      const stat = fs.lstatSync(folder);
      if (stat.isDirectory() && isOurs(stat)) fs.rmSync(folder, { recursive: true, force: true });
    } catch {
      // It is gone.
    }
  }
}

/** @param {string} folder */
function namesIn(folder) {
  try {
    return fs.readdirSync(folder);
  } catch {
    return []; // One may write in a folder and not list it.
  }
}

/** Without dots: the name's fields are separated by them. */
export function hostName() {
  return os.hostname().replaceAll(/[^A-Za-z0-9-]/g, "-");
}

/** @param {number} pid */
export function isRunning(pid) {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === "EPERM";
  }
}
