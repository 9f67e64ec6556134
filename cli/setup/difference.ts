import { createTwoFilesPatch } from "diff";

/** The change of a file in git's form; empty if there is none. */
export function difference(file: string, before: string, after: string): string {
  if (before === after) return "";
  const patch = createTwoFilesPatch(before === "" ? "/dev/null" : file, file, before, after, undefined, undefined, {
    context: 3,
  });
  // The library's own heading line says nothing here.
  return patch.replace(/^=+\n/, "");
}
