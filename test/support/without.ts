import { mkdirSync, readdirSync, symlinkSync } from "node:fs";
import path from "node:path";
import { isExecutable } from "../../components/deploy/path.mjs";

/**
 * What PATH has, without some programs: a folder of links, because a folder of the system's cannot be left out without
 * everything else in it.
 *
 * @param folder does not exist yet
 */
export function pathWithout(programs: string[], folder: string, searched = process.env["PATH"] ?? ""): string {
  mkdirSync(folder);
  const seen = new Set(programs);
  for (const place of searched.split(path.delimiter).filter((one) => path.isAbsolute(one))) {
    for (const name of namesIn(place)) {
      if (seen.has(name) || !isExecutable(path.join(place, name))) continue;
      seen.add(name);
      symlinkSync(path.join(place, name), path.join(folder, name));
    }
  }
  return folder;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // PATH may name what is not there.
  }
}
