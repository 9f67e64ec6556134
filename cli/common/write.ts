import fs from "node:fs";
import path from "node:path";
import { isRunning } from "../../components/deploy/privateFolder.mjs";

/** The text of a file, empty when there is none. */
export function readIfThere(file: string): string {
  return fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "";
}

/** Replaces a file: cut off, it leaves the old text or the new one. */
export function replaceFile(file: string, text: string): void {
  writeFiles(new Map([[file, text]]));
}

/** Replaces files, each whole; a disk that is full at the first one leaves all as they were. */
export function writeFiles(contents: Map<string, string>): void {
  // A link stays one.
  const places = [...contents].map(([file, text]) => ({
    place: fs.existsSync(file) ? fs.realpathSync(file) : file,
    text,
  }));
  const prepared: { place: string; beside: string }[] = [];
  try {
    for (const { place, text } of places) {
      const beside = besideOf(place);
      prepared.push({ place, beside });
      const old = fs.statSync(place, { throwIfNoEntry: false });
      fs.writeFileSync(beside, text, { flag: "wx", mode: old === undefined ? 0o644 : old.mode & 0o777 });
      // With sudo, the file would be root's from then on.
      if (old !== undefined && process.getuid?.() === 0) fs.chownSync(beside, old.uid, old.gid);
    }
    for (const { place, beside } of prepared) fs.renameSync(beside, place);
  } finally {
    for (const { beside } of prepared) fs.rmSync(beside, { force: true });
  }
}

/** Makes a file that nobody else can read, whole or not at all; false when something is there, which stays. */
export function makePrivateFile(file: string, text: string): boolean {
  const beside = besideOf(file);
  fs.writeFileSync(beside, text, { flag: "wx", mode: 0o600 });
  try {
    // Unlike a rename, it takes no other file's place.
    fs.linkSync(beside, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    fs.rmSync(beside, { force: true });
  }
}

/** Where a file's new text is written first. What a killed run left there goes. */
function besideOf(file: string): string {
  const [folder, prefix, end] = [path.dirname(file), `.${path.basename(file)}.`, ".new"];
  for (const name of fs.readdirSync(folder)) {
    const pid = name.startsWith(prefix) && name.endsWith(end) ? name.slice(prefix.length, -end.length) : "";
    if (/^\d+$/.test(pid) && (Number(pid) === process.pid || !isRunning(Number(pid)))) {
      fs.rmSync(path.join(folder, name), { force: true });
    }
  }
  return path.join(folder, `${prefix}${process.pid}${end}`);
}
