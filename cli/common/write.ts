import { renameSync, rmSync, writeFileSync } from "node:fs";

/** Replaces files, each whole; a disk that is full at the first one leaves all as they were. */
export function writeFiles(contents: Map<string, string>): void {
  const temporary = [...contents].map(([file, text]) => ({ file, text, beside: `${file}.${process.pid}.new` }));
  try {
    for (const { beside, text } of temporary) writeFileSync(beside, text, { flag: "wx" });
    for (const { beside, file } of temporary) renameSync(beside, file);
  } finally {
    for (const { beside } of temporary) rmSync(beside, { force: true });
  }
}
