import fs from "node:fs";
import path from "node:path";

/** The text of a file, empty when there is none. */
export function readIfThere(file: string): string {
  return fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "";
}

/** Written beside its place and renamed: cut off, it leaves the old text or the new one. */
export function replaceFile(file: string, text: string): void {
  const there = fs.existsSync(file);
  // A link stays one.
  const place = there ? fs.realpathSync(file) : file;
  const beside = path.join(path.dirname(place), `.${path.basename(place)}.${process.pid}.new`);
  const old = there ? fs.statSync(place) : undefined;
  fs.writeFileSync(beside, text, { flag: "wx", mode: old === undefined ? 0o644 : old.mode & 0o777 });
  // With sudo, the file would be root's from then on.
  if (old !== undefined && process.getuid?.() === 0) fs.chownSync(beside, old.uid, old.gid);
  fs.renameSync(beside, place);
}
