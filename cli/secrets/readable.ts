import { nameIn, sopsFacts } from "../../components/deploy/sopsFile.mjs";
import { UserError } from "../common/userError";
import { SECRETS_FILE, SOPS_CONFIG } from "./names";
import { readableRule } from "./sopsConfig";

/**
 * Refuses a text of the secrets file in which a value can be read that could not be read before. sops encrypts what the
 * rules say and no more, without a word.
 *
 * @param text as sops made it
 * @param before what is in the file now, empty when there is none
 * @param config the text of .sops.yaml
 */
export function refuseReadable(text: string, before: string, config: string): void {
  const { encrypted, plain, cause, readable } = sopsFacts(text);
  const open = readable.find((name) => !sopsFacts(before).readable.includes(name));
  if (encrypted && plain === undefined && open === undefined) return;
  if (!encrypted) throw new UserError(`sops gave no encrypted ${SECRETS_FILE}. Nothing was changed.`);
  if (plain === undefined) {
    throw new UserError([
      `${JSON.stringify(open)} would stand in ${SECRETS_FILE} in plain text: sops leaves what ends in "_unencrypted" as it is.`,
      "Nothing was changed. Choose another name.",
    ]);
  }
  const name = nameIn(plain);
  throw new UserError([
    `${name === undefined ? "A value" : JSON.stringify(name)} would stand in ${SECRETS_FILE} in plain text. Nothing was changed.`,
    ...whyReadable(cause, config),
  ]);
}

/** Which key of which rule leaves values readable, and what to do. */
function whyReadable(cause: string | undefined, config: string): string[] {
  const [key = ""] = cause?.split(":") ?? [];
  const rule = readableRule(config);
  if (rule !== undefined && (cause === undefined || rule.key === key)) {
    return [
      `That is because of "${rule.key}: ${rule.value}" in creation rule ${rule.number} of ${SOPS_CONFIG}. Take that line out of the rule, or put`,
      `a rule without it before: - path_regex: ${SECRETS_FILE.replaceAll(".", "\\.")}$, with the same recipients.`,
      ...encryptAgain(cause),
    ];
  }
  if (cause === undefined)
    return [`A value was put into the file without sops. Take the last good file back from git.`];
  return [`That is because of "${cause}", which the file was encrypted under.`, ...encryptAgain(cause)];
}

/** A file keeps the rules that it was made under. */
function encryptAgain(cause: string | undefined): string[] {
  if (cause === undefined) return [];
  const again = `sops encrypt --filename-override ${SECRETS_FILE} --input-type yaml --output-type yaml`;
  return [
    `A file that is there keeps its old rules until it is encrypted again: sops decrypt ${SECRETS_FILE} | ${again} > new.yaml,`,
    `and mv new.yaml ${SECRETS_FILE}.`,
  ];
}
