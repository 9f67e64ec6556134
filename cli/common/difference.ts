import { createTwoFilesPatch, diffLines, FILE_HEADERS_ONLY } from "diff";

/** The change of a file as a unified diff; empty if there is none. */
export function difference(file: string, before: string, after: string): string {
  if (before === after) return "";
  return createTwoFilesPatch(before === "" ? "/dev/null" : file, file, before, after, undefined, undefined, {
    context: 3,
    headerOptions: FILE_HEADERS_ONLY,
  });
}

/** The lines that go and the lines that come, of a text of a few lines. Empty: no difference. */
export function changedLines(before: string, after: string): string {
  const lines = (text: string) => (text === "" ? "" : `${text.replace(/\n$/, "")}\n`);
  return diffLines(lines(before), lines(after))
    .filter(({ added, removed }) => added || removed)
    .flatMap(({ added, value }) =>
      value
        .replace(/\n$/, "")
        .split("\n")
        .map((line) => `  ${added ? "+" : "-"} ${line}`),
    )
    .join("\n");
}
