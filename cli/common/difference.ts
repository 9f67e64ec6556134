import { createTwoFilesPatch, FILE_HEADERS_ONLY } from "diff";

/** The change of a file as a unified diff; empty if there is none. */
export function difference(file: string, before: string, after: string): string {
  if (before === after) return "";
  return createTwoFilesPatch(before === "" ? "/dev/null" : file, file, before, after, undefined, undefined, {
    context: 3,
    headerOptions: FILE_HEADERS_ONLY,
  });
}
