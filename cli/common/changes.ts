/** The lines that go and the lines that come, for a person to read before a file is written. Empty: no difference. */
export function changedLines(before: string, after: string): string {
  const [old, young] = [linesOf(before), linesOf(after)];
  const same = commonLines(old, young);
  const shown: string[] = [];
  let [o, y] = [0, 0];
  for (const line of [...same, undefined]) {
    while (o < old.length && old[o] !== line) shown.push(`  - ${old[o++]}`);
    while (y < young.length && young[y] !== line) shown.push(`  + ${young[y++]}`);
    o++;
    y++;
  }
  return shown.join("\n");
}

function linesOf(text: string): string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

/** The longest common subsequence; the files are a few lines long. */
function commonLines(a: string[], b: string[]): string[] {
  const best: string[][] = Array.from({ length: b.length + 1 }, () => []);
  for (const line of a) {
    let diagonal: string[] = [];
    for (let column = 1; column <= b.length; column++) {
      const above = best[column]!;
      const left = best[column - 1]!;
      best[column] = line === b[column - 1] ? [...diagonal, line] : above.length >= left.length ? above : left;
      diagonal = above;
    }
  }
  return best[b.length]!;
}
