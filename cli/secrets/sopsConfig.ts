import { isAlias, isMap, isScalar, isSeq, type Document, Scalar, type YAMLMap, YAMLSeq } from "yaml";
import { type Access, accessFor } from "../../components/deploy/sopsFile.mjs";
import { SECRETS_FILE, SOPS_CONFIG } from "./names";
import { UserError } from "../common/userError";
import { readYaml } from "../common/yaml";

/** Someone who can open the secrets. */
export interface Recipient {
  /** `age1…` */
  recipient: string;
  /** Whose it is, for the comment. */
  whose: string;
}

const HEADER = ` Who can open ${SECRETS_FILE}. sops reads this file when it encrypts; after a change by hand, run
 \`npm run secrets -- init\`, which encrypts the file's key for everybody named here.`;

/** The text of .sops.yaml with these recipients beside those that it has. The rest of the text stays. */
export function withRecipients(text: string, added: Recipient[]): string {
  const missing = added.filter(({ recipient }) => !recipientsIn(text).includes(recipient));
  if (missing.length === 0 && text !== "") return text;
  const document = parsed(text);
  const rule = ruleFor(document) ?? newRule(document);
  const age = ageOf(document, rule);
  if (age.seq === undefined) {
    age.scalar!.value = [...namesIn(age.scalar!.value), ...missing.map(({ recipient }) => recipient)].join(",");
  } else {
    for (const { recipient, whose } of missing) {
      const item = new Scalar(recipient);
      item.comment = ` ${whose}`;
      age.seq.add(item);
    }
  }
  return printed(document);
}

/** The text of .sops.yaml without these recipients. */
export function withoutRecipients(text: string, removed: string[]): string {
  const document = parsed(text);
  const rule = ruleFor(document);
  if (rule === undefined) return text;
  const age = ageOf(document, rule);
  if (age.seq === undefined) {
    age.scalar!.value = namesIn(age.scalar!.value)
      .filter((name) => !removed.includes(name))
      .join(",");
  } else {
    age.seq.items = age.seq.items.filter((item) => !removed.includes(valueOf(document, item)));
  }
  return printed(document);
}

/** Whom .sops.yaml has the secrets encrypted for with age. */
export function recipientsIn(text: string): string[] {
  return [...new Set(accessIn(text).groups.flat())];
}

/** A rule as it is written, as far as it says who can open the file and what of it is encrypted. */
interface WrittenRule extends WrittenGroup {
  key_groups?: WrittenGroup[];
  shamir_threshold?: number;
}

interface WrittenGroup {
  age?: unknown;
  merge?: WrittenGroup[];
}

/** The key groups that .sops.yaml has the secrets encrypted for, and how many of them are needed to open them. */
export function accessIn(text: string): Access {
  const document = parsed(text);
  const rule = ruleFor(document)?.toJS(document) as WrittenRule | undefined;
  if (rule === undefined) return accessFor([], 0);
  const groups = Array.isArray(rule.key_groups) && rule.key_groups.length > 0 ? rule.key_groups : [rule];
  return accessFor(groups.map(ageIn), Number(rule.shamir_threshold ?? 0));
}

function ageIn(group: WrittenGroup | null): string[] {
  const own = [group?.age ?? []].flat().flatMap(namesIn);
  return [...own, ...(Array.isArray(group?.merge) ? group.merge.flatMap(ageIn) : [])];
}

/** Keys of a creation rule that leave values readable. */
const READABLE_KEYS = [
  "encrypted_regex",
  "unencrypted_regex",
  "encrypted_suffix",
  "unencrypted_suffix",
  "encrypted_comment_regex",
  "unencrypted_comment_regex",
];

/** What in the rule for the secrets leaves values readable, if anything. The number is the rule's, from 1. */
export function readableRule(text: string): { number: number; key: string; value: string } | undefined {
  const document = parsed(text);
  const rule = ruleFor(document);
  if (rule === undefined) return undefined;
  const written = rule.toJS(document) as Record<string, unknown>;
  const isUsual = (key: string) => ["", "_unencrypted"].includes(String(written[key])) && key === "unencrypted_suffix";
  const key = READABLE_KEYS.find((name) => (written[name] ?? "") !== "" && !isUsual(name));
  const number = (document.get("creation_rules") as YAMLSeq).items.indexOf(rule) + 1;
  return key === undefined ? undefined : { number, key, value: JSON.stringify(written[key]) };
}

function parsed(text: string): Document {
  const document = readYaml(text, SOPS_CONFIG);
  if (document.contents !== null && !isMap(document.contents)) {
    throw new UserError(`${SOPS_CONFIG} is of another form than sops reads: its top must be "creation_rules:".`);
  }
  return document;
}

/** Lines are not folded: a recipient stays findable. */
function printed(document: Document): string {
  return document.toString({ lineWidth: 0 });
}

/** The first rule whose pattern fits, as sops looks for it; a rule without a pattern fits every file. */
function ruleFor(document: Document): YAMLMap | undefined {
  const rules = document.get("creation_rules");
  if (!isSeq(rules)) return undefined;
  return rules.items.find((rule): rule is YAMLMap => {
    if (!isMap(rule)) return false;
    const pattern = rule.get("path_regex");
    return typeof pattern !== "string" || pattern === "" || expression(pattern).test(SECRETS_FILE);
  });
}

function expression(pattern: string): RegExp {
  try {
    return new RegExp(pattern);
  } catch {
    throw new UserError(
      `${SOPS_CONFIG}: path_regex ${JSON.stringify(pattern)} is not understood here. Write it more simply.`,
    );
  }
}

function newRule(document: Document): YAMLMap {
  const isNew = document.contents === null;
  if (isNew) document.commentBefore = HEADER;
  const rule = document.createNode({
    path_regex: `${SECRETS_FILE.replaceAll(".", "\\.")}$`,
    key_groups: [{ age: [] }],
  }) as YAMLMap;
  if (!isSeq(document.get("creation_rules"))) document.set("creation_rules", document.createNode([]));
  (document.get("creation_rules") as YAMLSeq).add(rule);
  return rule;
}

/** Where a rule keeps its age recipients: in a list, or in one text with commas. */
function ageOf(document: Document, rule: YAMLMap): { seq?: YAMLSeq; scalar?: Scalar } {
  const groups = rule.get("key_groups");
  if (isSeq(groups) && groups.items.length > 1) {
    throw new UserError(
      `${SOPS_CONFIG} has several key groups for ${SECRETS_FILE}. Change it by hand: see docs/secrets.md.`,
    );
  }
  const group = isSeq(groups) ? groups.items[0] : undefined;
  const isAbsent = (groups ?? null) === null || (isSeq(groups) && group === undefined);
  if (!isAbsent && !isMap(group)) {
    throw new UserError(
      `${SOPS_CONFIG} has key_groups for ${SECRETS_FILE} that are no list of maps. Change it by hand: see docs/secrets.md.`,
    );
  }
  const holder = isMap(group) ? group : rule;
  const age = holder.get("age", true);
  if (isSeq(age)) {
    age.flow = false;
    return { seq: age };
  }
  if (isScalar(age) && typeof age.value === "string") return { scalar: age };
  const seq = new YAMLSeq(document.schema);
  holder.set("age", seq);
  return { seq };
}

function valueOf(document: Document, item: unknown): string {
  const node = isAlias(item) ? item.resolve(document) : item;
  return isScalar(node) ? String(node.value) : "";
}

function namesIn(text: unknown): string[] {
  return String(text)
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}
