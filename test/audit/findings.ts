/** Something that a scanner reports. */
export interface Finding {
  scanner: string;
  rule: string;
  file: string;
  line: number;
  /** The line or the value that was found, for `text` of an accepted finding. */
  text: string;
}

/** An entry of .ci/accepted-findings.yaml. */
export interface Accepted {
  scanner: string;
  rule: string;
  files: string;
  text?: string;
  reason: string;
}

const escaped = (text: string) => text.replace(/[\\^$.|?+()[\]{}]/g, "\\$&");

function matches(entry: Accepted, finding: Finding): boolean {
  return (
    entry.scanner === finding.scanner &&
    entry.rule === finding.rule &&
    new RegExp(`^${escaped(entry.files).replaceAll("*", ".*")}$`).test(finding.file) &&
    (entry.text === undefined || finding.text.includes(entry.text))
  );
}

/** What is wrong: findings that nobody accepted, entries without a reason, entries that match nothing any more. */
export function problems(findings: Finding[], accepted: Accepted[]): string[] {
  const open = findings.filter((finding) => !accepted.some((entry) => matches(entry, finding)));
  const stale = accepted.filter((entry) => !findings.some((finding) => matches(entry, finding)));
  return [
    // Never the text: it may be a secret, and this is printed in CI.
    ...open.map(({ scanner, rule, file, line }) => `${file}:${line}: ${scanner} reports ${rule}`),
    ...accepted.filter(({ reason }) => !reason?.trim()).map((entry) => `no reason is given for ${describe(entry)}`),
    ...stale.map((entry) => `an accepted finding is no longer found; remove it from the list: ${describe(entry)}`),
  ];
}

function describe({ scanner, rule, files }: Accepted): string {
  return `${scanner} ${rule} in ${files}`;
}
