import os from "node:os";
import { ageIdentity, x25519Recipient } from "../../components/age";
import { recipientsOf } from "../../components/deploy/flakeSecrets.mjs";
import { type AdminKey, adminKeys, makeAdminKey } from "./ageKeys";
import { changedLines } from "./changes";
import { standardInput } from "./person";
import { Refusal } from "./refusal";
import { SECRETS_FILE, SOPS_CONFIG } from "./sops";
import { type Recipient, recipientsIn, withRecipients } from "./sopsConfig";
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
  const admin = adminKey(place);
  const name = options.name ?? os.userInfo().username;
  await nameRecipients(place, [...machine, { recipient: admin.recipient, whose: `admin: ${name}` }]);
  await (isPlain(place) ? encryptPlain(place) : encryptFor(place));
  place.person.tell(
    `${SOPS_CONFIG} names the machine and this computer's key (${admin.place}). Commit it.\n` +
      "Next: `npm run secrets -- set NAME`, or `npm run secrets -- token` for the GitHub token.",
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
    if (problems.length > 0) throw new Refusal(problems);
    return texts.map((recipient) => ({ recipient, whose: "the machine" }));
  }
  const keys = await stack.keys();
  if (keys === undefined) {
    throw new Refusal([
      "The machine's key is not there yet: the stack has no output ageRecipients.",
      "Run `npx pulumi up` first, or give the recipient yourself: npm run secrets -- init --recipient age1…",
    ]);
  }
  return keys.recipients.map((recipient, index) => ({
    recipient,
    whose: `the machine, key ${keys.generations[index]}`,
  }));
}

/** The key of this computer that .sops.yaml names already, else the first one, else a new one. */
function adminKey(place: Workplace): AdminKey {
  const keys = adminKeys(place.around);
  const named = recipientsIn(readSopsConfig(place));
  const known = keys.find(({ recipient }) => named.includes(recipient)) ?? keys[0];
  if (known !== undefined) return known;
  const made = makeAdminKey(place.around);
  place.person.tell(`Made an age key for you: ${made.place}. Keep a copy of it somewhere safe.`);
  return made;
}

async function nameRecipients(place: Workplace, recipients: Recipient[]): Promise<void> {
  const before = readSopsConfig(place);
  const after = withRecipients(before, recipients);
  if (after === before) return;
  place.person.tell(`${SOPS_CONFIG}:\n${changedLines(before, after)}`);
  if (!(await place.person.agree(`Write ${SOPS_CONFIG}?`))) throw new Refusal("Nothing was written.");
  writeSopsConfig(place, after);
}

function isPlain(place: Workplace): boolean {
  const file = readSecretsFile(place);
  return file !== "" && !/^sops:\s*$/m.test(file);
}

async function encryptPlain(place: Workplace): Promise<void> {
  if (!(await place.person.agree(`${SECRETS_FILE} is in plain text. Encrypt it?`))) {
    throw new Refusal("It stays as it is, and no deployment will take it.");
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
  const [named, has] = [recipientsIn(readSopsConfig(place)), recipientsOf(file)];
  if (named.length === has.length && named.every((recipient) => has.includes(recipient))) return;
  const changes = changedLines([...has].sort().join("\n"), [...named].sort().join("\n"));
  place.person.tell(`${SECRETS_FILE} will be encrypted for:\n${changes}`);
  if (!(await place.person.agree(`Change who can open ${SECRETS_FILE}?`))) throw new Refusal("It stays as it is.");

  const sops = await place.sops();
  const opensIt = adminKeys(place.around).some(({ recipient }) => has.includes(recipient));
  const opening = opensIt ? sops : sops.with(await borrowedIdentity(place));
  const removed = has.filter((recipient) => !named.includes(recipient));
  const added = named.filter((recipient) => !has.includes(recipient));
  await (removed.length === 0 ? opening.updateKeys() : opening.replaceKey(removed, added));
}

/** A new laptop, or a new colleague: the machine's own key, which the stack holds, opens the file once. */
async function borrowedIdentity({ person, stack }: Workplace): Promise<string> {
  const question = `This computer's key cannot open ${SECRETS_FILE} yet. Open it once with the machine's key from the stack?`;
  if (!(await person.agree(question))) throw new Refusal("It stays as it is.");
  return ageIdentity(await stack.identityKey());
}
