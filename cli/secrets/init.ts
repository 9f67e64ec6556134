import os from "node:os";
import { ageIdentity, x25519Recipient } from "../../components/keys/age";
import { accessOf, opens, sameAccess } from "../../components/deploy/sopsFile.mjs";
import { type AdminKey, adminKeys, makeAdminKey } from "./ageKeys";
import { changedLines } from "../common/difference";
import { standardInput } from "../common/prompts";
import { SECRETS_FILE, SOPS_CONFIG } from "./names";
import { UserError } from "../common/userError";
import { accessIn, type Recipient, readableRule, recipientsIn, withRecipients } from "./sopsConfig";
import { readSecretsFile, readSopsConfig, type Workplace, writeSopsConfig } from "./workplace";

export interface InitOptions {
  /** Recipients of the machine, instead of asking the stack; "-" reads them from standard input. */
  recipient?: string[];
  /** Whose the key of this computer is, for the comment in .sops.yaml. */
  name?: string;
}

/** Lets the machine and the person at this computer open the secrets. Run again, it does what is still missing. */
export async function init(place: Workplace, options: InitOptions): Promise<void> {
  const machine = await machineRecipients(place, options);
  refuseUnopened(place, machine);
  const admin = adminKey(place);
  const name = options.name ?? os.userInfo().username;
  await nameRecipients(place, [...machine, { recipient: admin.recipient, whose: `admin: ${name}` }]);
  await (isPlain(place) ? encryptPlain(place) : encryptFor(place));
  place.person.tell(
    `${SOPS_CONFIG} names the machine and this computer's key (${admin.place}). Commit it.\n` +
      "Next: `npm run secrets -- set NAME`, or `npm run secrets -- token` for the GitHub token.",
  );
  const rule = readableRule(readSopsConfig(place));
  if (rule === undefined) return;
  place.person.tell(
    `But "${rule.key}: ${rule.value}" in creation rule ${rule.number} leaves values in plain text, and what would be is refused. ` +
      `Take that line out, or put a rule for ${SECRETS_FILE} without it before.`,
  );
}

async function machineRecipients({ stack }: Workplace, { recipient: given }: InitOptions): Promise<Recipient[]> {
  if (given !== undefined) {
    const texts = given.flatMap((text) => (text === "-" ? [] : [text]));
    if (given.includes("-")) {
      const lines = (await standardInput()).split("\n").map((line) => line.trim());
      texts.push(...lines.filter((line) => line !== ""));
    }
    const problems = texts.flatMap((text) => x25519Recipient("recipient", text));
    if (texts.length === 0) problems.push("No recipient came from standard input.");
    if (problems.length > 0) throw new UserError(problems);
    return texts.map((recipient) => ({ recipient, whose: "the machine" }));
  }
  const keys = await stack.keys();
  if (keys === undefined) {
    throw new UserError([
      "The machine's key is not there yet: the stack has no output ageRecipients.",
      "Run `npx pulumi up` first, or give the recipient yourself: npm run secrets -- init --recipient age1…",
    ]);
  }
  return keys.recipients.map((recipient, index) => ({
    recipient,
    whose: `the machine, key ${keys.versions[index]}`,
  }));
}

/** In key groups that a person made, the machine may be named and yet not open anything; nor is that changed here. */
function refuseUnopened(place: Workplace, machine: Recipient[]): void {
  const access = accessIn(readSopsConfig(place));
  if (access.groups.length < 2 || machine.every(({ recipient }) => opens(access, [recipient]).enough)) return;
  throw new UserError([
    `${SOPS_CONFIG} has ${access.groups.length} key groups for ${SECRETS_FILE}, of which ${access.needed} are needed together, and the machine is not in as many:`,
    `it could not open the file. Put all recipients into one group, or ${machine.map(({ recipient }) => recipient).join(", ")} into each, and run this again.`,
  ]);
}

/** The key of this computer that .sops.yaml names already, else the first one, else a new one. */
function adminKey(place: Workplace): AdminKey {
  const keys = adminKeys(place.context);
  const named = recipientsIn(readSopsConfig(place));
  const known = keys.find(({ recipient }) => named.includes(recipient)) ?? keys[0];
  if (known !== undefined) return known;
  const made = makeAdminKey(place.context);
  place.person.tell(`Made an age key for you: ${made.place}. Keep a copy of it somewhere safe.`);
  return made;
}

async function nameRecipients(place: Workplace, recipients: Recipient[]): Promise<void> {
  const before = readSopsConfig(place);
  const after = withRecipients(before, recipients);
  if (after === before) return;
  place.person.tell(`${SOPS_CONFIG}:\n${changedLines(before, after)}`);
  if (!(await place.person.agree(`Write ${SOPS_CONFIG}?`))) throw new UserError("Nothing was written.");
  writeSopsConfig(place, after);
}

function isPlain(place: Workplace): boolean {
  const file = readSecretsFile(place);
  return file !== "" && !/^sops:\s*$/m.test(file);
}

async function encryptPlain(place: Workplace): Promise<void> {
  if (!(await place.person.agree(`${SECRETS_FILE} is in plain text. Encrypt it?`))) {
    throw new UserError("It stays as it is, and no deployment will take it.");
  }
  await (await place.sops()).encryptInPlace();
  place.person.tell(
    `${SECRETS_FILE} is encrypted. What was committed in plain text stays in git: change those secrets.`,
  );
}

/** Encrypts the key of an existing file for everybody whom .sops.yaml names. */
export async function encryptFor(place: Workplace): Promise<void> {
  const file = readSecretsFile(place);
  if (file === "") return;
  const [wanted, access] = [accessIn(readSopsConfig(place)), accessOf(file)];
  if (sameAccess(wanted, access)) return;
  const [named, has] = [wanted, access].map(({ groups }) => [...new Set(groups.flat())]) as [string[], string[]];
  const changes = changedLines([...has].sort().join("\n"), [...named].sort().join("\n"));
  place.person.tell(`${SECRETS_FILE} will be encrypted for:\n${changes}`);
  if (!(await place.person.agree(`Change who can open ${SECRETS_FILE}?`))) throw new UserError("It stays as it is.");

  const sops = await place.sops();
  const own = adminKeys(place.context).map(({ recipient }) => recipient);
  const opensIt = opens(access, own).enough;
  const opening = opensIt ? sops : sops.with(await borrowedIdentity(place));
  const removed = has.filter((recipient) => !named.includes(recipient));
  const added = named.filter((recipient) => !has.includes(recipient));
  if (wanted.groups.length < 2 && access.groups.length < 2) {
    await (removed.length === 0 ? opening.updateKeys() : opening.replaceKey(removed, added));
    return;
  }
  // Only this command knows of groups; the key of the values is changed after it.
  await opening.updateKeys();
  if (removed.length > 0) await opening.replaceKey([]);
}

/** A new laptop, or a new colleague: the machine's own key, which the stack holds, opens the file once. */
async function borrowedIdentity({ person, stack }: Workplace): Promise<string> {
  const question = `This computer's key cannot open ${SECRETS_FILE} yet. Open it once with the machine's key from the stack?`;
  if (!(await person.agree(question))) throw new UserError("It stays as it is.");
  return ageIdentity(await stack.machineKey());
}
