/** Secrets that are known by their form, with a name for a message: the secret itself is never repeated. */
const FORMS: Record<string, RegExp> = {
  "a private key": /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----/,
  "an age key": /AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{20}/i,
  "a token of GitHub": /\b(?:gh[pousr]_[A-Za-z0-9]{20}|github_pat_[A-Za-z0-9_]{20})/,
  "an access key of AWS": /\b(?:AKIA|ASIA)[A-Z2-7]{16}\b/,
  "a token of Pulumi": /\bpul-[0-9a-f]{40}\b/,
};

/** What kinds of secrets a value holds, at any depth. */
export function secretsIn(value: unknown): string[] {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  return Object.keys(FORMS).filter((form) => FORMS[form]!.test(text));
}
