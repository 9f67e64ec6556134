import { adminKeys } from "./ageKeys";
import { UsageError } from "../common/command";
import { UserError } from "../common/userError";
import { SECRETS_FILE, SOPS_CONFIG } from "./names";
import { recipientsIn } from "./sopsConfig";
import { readSecretsFile, readSopsConfig, type Workplace } from "./workplace";
import { readYaml } from "../common/yaml";

/** Stores one secret under a name; `a/b` is the value b in the group a, as sops-nix names it too. */
export async function set(place: Workplace, name: string): Promise<void> {
  const names = checkedName(name);
  requireOwnKey(place);
  refuseOther(readSecretsFile(place), names);
  const value = withoutLineEnd(await place.person.secret(`Value of ${name} (not shown):`));
  if (value === "") throw new UserError(`${name}: got an empty text. Nothing was changed.`);
  if (await store(place, names, value)) {
    place.person.tell(
      `With sops.secrets.${JSON.stringify(name)} = { }; in nix/machine.nix it is /run/secrets/${name} there.`,
    );
  }
}

/** Writes one value and says what was done; false when the file had it already. */
export async function store(place: Workplace, names: string[], value: string): Promise<boolean> {
  const before = readSecretsFile(place);
  const sops = await place.sops();
  if (before === "") {
    const nested = names.reduceRight<unknown>((inner, name) => ({ [name]: inner }), value);
    await sops.create(nested as Record<string, unknown>);
  } else {
    await sops.set(names, value);
  }
  const changed = readSecretsFile(place) !== before;
  place.person.tell(
    changed
      ? `${names.join("/")} is stored in ${SECRETS_FILE}. Commit it; the machine has it after the merge.`
      : `${names.join("/")} has this value already; ${SECRETS_FILE} is unchanged.`,
  );
  return changed;
}

/** sops would put a group into a value's place, and a value into a group's, without a word of what was there. */
function refuseOther(text: string, names: string[]): void {
  // sops changes the first document.
  const first = text.split(/^---[ \t\r]*$/m).find((part) => part.trim() !== "") ?? "";
  let found: unknown = readYaml(first, SECRETS_FILE).toJS();
  for (const [depth, name] of names.entries()) {
    if (found === undefined || found === null) return;
    if (!isGroup(found)) {
      throw other(names, `${names.slice(0, depth).join("/")} is a value there, and no group`);
    }
    found = Object.hasOwn(found, name) ? found[name] : undefined;
  }
  if (isGroup(found) && Object.keys(found).length > 0) throw other(names, "is a group there, and no value");
}

function isGroup(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function other(names: string[], why: string): UserError {
  return new UserError(
    `NAME: got ${JSON.stringify(names.join("/"))}; ${SECRETS_FILE} would lose what it has: ${why}. ` +
      "Choose another name, or take the old one out with `npm run secrets -- edit`.",
  );
}

/** Asked before the value is: without this computer's key a new file could not be opened here again. */
export function requireOwnKey(place: Workplace): void {
  const named = recipientsIn(readSopsConfig(place));
  if (adminKeys(place.context).some(({ recipient }) => named.includes(recipient))) return;
  throw new UserError(`${SOPS_CONFIG} does not name a key of this computer. Run \`npm run secrets -- init\` first.`);
}

function checkedName(name: string): string[] {
  const names = name.split("/");
  if (names.some((part) => part.endsWith("_unencrypted"))) {
    throw new UsageError(
      `NAME: got ${JSON.stringify(name)}; sops leaves what ends in "_unencrypted", and what is in such a group, in plain text. Choose another name.`,
    );
  }
  if (names.every((part) => /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(part)) && names[0] !== "sops") return names;
  throw new UsageError(
    `NAME: got ${JSON.stringify(name)}; allowed: letters, digits, "_", "-" and ".", in groups separated by "/", ` +
      `and not "sops". The value is no argument: it is asked for, or read from standard input.`,
  );
}

/** `echo` and editors end a line; a value of several lines, such as a key, keeps its last one. */
function withoutLineEnd(value: string): string {
  const line = value.replace(/\r?\n$/, "");
  return line.includes("\n") ? value : line;
}
