import fs from "node:fs";
import path from "node:path";
import { x25519Recipient } from "../../components/keys/age";
import { accessBy } from "../../components/deploy/access/index.cjs";
import { hasToken, readableNames, secretsProblems } from "../../components/deploy/flakeSecrets.mjs";
import { type Access, accessOf, opens, sameAccess } from "../../components/deploy/sopsFile.mjs";
import { parseRepositoryFile } from "../../program/repositoryFile";
import { failed, note, ok, type Result, skipped } from "../common/result";
import { adminKeys, keyFileProblems } from "./ageKeys";
import { SECRETS_FILE, SOPS_CONFIG } from "./names";
import { UserError } from "../common/userError";
import { accessIn, readableRule, recipientsIn } from "./sopsConfig";
import { hasSeparateLogin, type StackKeys } from "./stack";
import { TOKEN_NAME, tokenLineProblems } from "./token";
import { readSecretsFile, readSopsConfig, type Workplace } from "./workplace";

const INIT = "Run `npm run secrets -- init`.";

/** What is looked at. */
export interface Place extends Pick<Workplace, "context" | "sops"> {
  stack: { keys(): MachineKeys | undefined | Promise<MachineKeys | undefined> };
}

type MachineKeys = Pick<StackKeys, "recipients" | "loginPublicKeys">;

/** Everything that is to be said of the secrets. Writes nothing; doctor asks it too. */
export async function secretsResults(place: Place): Promise<Result[]> {
  const { keys, results } = await machineKeys(place);
  const recipients = keys?.recipients ?? [];
  return [
    ...results,
    ...loginResults(place, keys),
    folderResult(place, recipients),
    ...readableResults(place),
    ...recipientResults(place, recipients),
    ownKeyResult(place),
    ...tokenResults(place, recipients),
    ...(await contentResults(place)),
  ];
}

/** With a separate machine key, the module that lets the machine's key log in must be told so. */
function loginResults({ context }: Place, keys: MachineKeys | undefined): Result[] {
  if (keys === undefined || !hasSeparateLogin(keys)) return [];
  const folder = path.join(context.folder, "nix");
  const off = fs
    .readdirSync(folder)
    .filter((file) => file.endsWith(".nix"))
    .some((file) => /rootKeyFollowsMachineKey\s*=\s*false/.test(fs.readFileSync(path.join(folder, file), "utf8")));
  return off
    ? [ok("login key", "separate; the machine's key does not log in")]
    : [
        note(
          "login key",
          "is separate, but no file in nix/ says that the machine's key is not to log in as root",
          "Put this line into nix/machine.nix: pulumiNixos.amazon.rootKeyFollowsMachineKey = false;",
        ),
      ];
}

async function machineKeys({ stack }: Place): Promise<{ keys?: MachineKeys; results: Result[] }> {
  const unknown = (why: string) => ({ results: [skipped("machine's key", why)] });
  try {
    const keys = await stack.keys();
    if (keys === undefined) return unknown("the stack has no key yet");
    return { keys, results: [ok("machine's key", keys.recipients[0]!)] };
  } catch (error) {
    if (error instanceof UserError) return unknown(error.message.split("\n")[0]!);
    throw error;
  }
}

function folderResult({ context }: Place, machine: string[]): Result {
  // The key in use is enough here; whether a new one has arrived everywhere is a matter of the rotation.
  const problems = secretsProblems(path.join(context.folder, "nix"), machine[0]).map((problem) =>
    problem.replace(`${context.folder}${path.sep}`, ""),
  );
  return problems.length === 0
    ? ok("flake's folder", "no private key, no secret in plain text")
    : failed("flake's folder", problems.join("\n"), "See docs/secrets.md.");
}

/** What stands in plain text because somebody said so. */
function readableResults(place: Place): Result[] {
  const nix = path.join(place.context.folder, "nix");
  const config = readSopsConfig(place);
  const rule = config === "" ? undefined : readableRule(config);
  return [
    ...(rule === undefined
      ? []
      : [
          failed(
            SOPS_CONFIG,
            `"${rule.key}: ${rule.value}" in creation rule ${rule.number} leaves values of ${SECRETS_FILE} in plain text`,
            `Take that line out, or put a rule for ${SECRETS_FILE} without it before.`,
          ),
        ]),
    ...readableNames(nix).map((name) =>
      note(
        "flake's folder",
        `${name.replace(`${place.context.folder}${path.sep}`, "")} is in plain text, as the name's end says`,
        "If it is a secret, store it under another name, and change it.",
      ),
    ),
  ];
}

function recipientResults(place: Place, machine: string[]): Result[] {
  const config = readSopsConfig(place);
  const file = readSecretsFile(place);
  if (config === "")
    return [file === "" ? note(SOPS_CONFIG, "is not there", INIT) : failed(SOPS_CONFIG, "is not there", INIT)];
  const access = accessIn(config);
  const named = recipientsIn(config);
  const results = named
    // Those of admins may be on hardware, or SSH keys; the machine's must be the converted form.
    .filter((recipient) => recipient.startsWith("ssh-ed25519 "))
    .map((recipient) => note(SOPS_CONFIG, x25519Recipient("recipient", recipient).join(" ")));
  results.push(machineResult(access, named, machine));
  if (file !== "") results.push(sameRecipients(access, accessOf(file)));
  return results;
}

/** To be named is not enough: of several key groups, as many must hold the machine as are needed together. */
function machineResult(access: Access, named: string[], machine: string[]): Result {
  const missing = machine.filter((recipient) => !named.includes(recipient));
  if (missing.length > 0) return failed(SOPS_CONFIG, `does not name the machine, ${missing.join(", ")}`, INIT);
  const shut = machine.find((recipient) => !opens(access, [recipient]).enough);
  if (shut === undefined) return ok(SOPS_CONFIG, `${named.length} recipients${inGroups(access)}`);
  return failed(
    SOPS_CONFIG,
    `names the machine, ${shut}, in ${opens(access, [shut]).held} of ${access.groups.length} key groups, but ${access.needed} are needed together: it cannot open the secrets`,
    `Put all recipients into one group (a dash too many makes a second), or the machine into each, and run ${INIT.slice(4)}`,
  );
}

function inGroups({ groups, needed }: Access): string {
  return groups.length < 2 ? "" : ` in ${groups.length} key groups, of which ${needed} are needed together`;
}

function sameRecipients(access: Access, fileAccess: Access): Result {
  const [named, has] = [new Set(access.groups.flat()), new Set(fileAccess.groups.flat())];
  const missing = [...named].filter((recipient) => !has.has(recipient));
  const extra = [...has].filter((recipient) => !named.has(recipient));
  const parts = [
    missing.length === 0 ? "" : `is not encrypted for ${missing.join(", ")}, whom ${SOPS_CONFIG} names`,
    extra.length === 0 ? "" : `is encrypted for ${extra.join(", ")}, whom ${SOPS_CONFIG} does not name`,
    missing.length + extra.length > 0 || sameAccess(access, fileAccess)
      ? ""
      : `is encrypted for ${groupsOf(fileAccess)}, where ${SOPS_CONFIG} has ${groupsOf(access)}`,
  ].filter((part) => part !== "");
  if (parts.length === 0) return ok(SECRETS_FILE, `encrypted for whom ${SOPS_CONFIG} names`);
  return failed(SECRETS_FILE, parts.join("; "), INIT);
}

function groupsOf({ groups, needed }: Access): string {
  return groups.length === 1 ? "one key group" : `${groups.length} key groups, of which ${needed} are needed`;
}

function ownKeyResult(place: Place): Result {
  const keys = adminKeys(place.context);
  const problems = keyFileProblems(place.context);
  if (problems.length > 0) return failed("your age key", problems.join(" "), "Do that now.");
  if (keys.length === 0) return note("your age key", "there is none on this computer", INIT);
  const named = recipientsIn(readSopsConfig(place));
  const own = keys.find(({ recipient }) => named.includes(recipient));
  return own === undefined
    ? note("your age key", `${SOPS_CONFIG} names none of this computer's`, INIT)
    : ok("your age key", own.place);
}

/** A machine that reads its repository with a token must have one, as soon as secrets can be encrypted for it. */
function tokenResults(place: Place, machine: string[]): Result[] {
  const file = path.join(place.context.folder, "nix", "repository.json");
  if (!fs.existsSync(file) || machine.length === 0) return [];
  const { value } = parseRepositoryFile(fs.readFileSync(file, "utf8"));
  const { secret } = accessBy(value?.access);
  if (secret === undefined || hasToken(path.dirname(file))) return [];
  return [
    failed(
      secret.name,
      "is missing, so the machine cannot read its repository",
      `${secret.store.join(", ")}, commit, npx pulumi up`,
    ),
  ];
}

async function contentResults(place: Place): Promise<Result[]> {
  const access = accessOf(readSecretsFile(place));
  if (access.groups.flat().length === 0) return [];
  const own = adminKeys(place.context).map(({ recipient }) => recipient);
  if (!opens(access, own).enough) {
    return [skipped("content", `this computer's key does not open it${inGroups(access)}`)];
  }
  try {
    const values = await (await place.sops()).values();
    const problems = TOKEN_NAME in values ? tokenLineProblems(values[TOKEN_NAME]) : [];
    const names = Object.keys(values);
    return [
      ok("content", `opens; ${names.length} secrets: ${names.join(", ")}`),
      ...problems.map((problem) => failed(TOKEN_NAME, problem, "Make a new one if this one was shown to anybody.")),
    ];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return [failed("content", error.message.replaceAll("\n", " "), "See docs/secrets.md.")];
  }
}
