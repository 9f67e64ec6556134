import fs from "node:fs";
import path from "node:path";
import { x25519Recipient } from "../../components/age";
import { hasToken, recipientsOf, secretsProblems } from "../../components/deploy/flakeSecrets.mjs";
import { parseRepositoryFile } from "../../components/repositoryFile";
import { failed, note, ok, type Result, skipped } from "../checks/result";
import { adminKeys, keyFileProblems } from "./ageKeys";
import { Refusal } from "./refusal";
import { SECRETS_FILE, SOPS_CONFIG } from "./sops";
import { recipientsIn } from "./sopsConfig";
import { hasSeparateLogin, type StackKeys } from "./stack";
import { TOKEN_NAME, tokenLineProblems } from "./token";
import { readSecretsFile, readSopsConfig, type Workplace } from "./workplace";

const INIT = "Run `npm run secrets -- init`.";

/** What is looked at. */
export interface Place extends Pick<Workplace, "around" | "sops"> {
  stack: { keys(): Promise<MachineKeys | undefined> };
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
    ...recipientResults(place, recipients),
    ownKeyResult(place),
    ...tokenResults(place, recipients),
    ...(await contentResults(place)),
  ];
}

/** With a separate machine key, the module that lets the machine's key log in must be told so. */
function loginResults({ around }: Place, keys: MachineKeys | undefined): Result[] {
  if (keys === undefined || !hasSeparateLogin(keys)) return [];
  const folder = path.join(around.folder, "nix");
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
          "Put this line into nix/machine.nix: continuousDeployment.amazon.rootKeyFollowsMachineKey = false;",
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
    if (error instanceof Refusal) return unknown(error.message.split("\n")[0]!);
    throw error;
  }
}

function folderResult({ around }: Place, machine: string[]): Result {
  // The key in use is enough here; whether a new one has arrived everywhere is a matter of the rotation.
  const problems = secretsProblems(path.join(around.folder, "nix"), machine[0]).map((problem) =>
    problem.replace(`${around.folder}${path.sep}`, ""),
  );
  return problems.length === 0
    ? ok("flake's folder", "no private key, no secret in plain text")
    : failed("flake's folder", problems.join("\n"), "See docs/secrets.md.");
}

function recipientResults(place: Place, machine: string[]): Result[] {
  const config = readSopsConfig(place);
  const file = readSecretsFile(place);
  if (config === "")
    return [file === "" ? note(SOPS_CONFIG, "is not there", INIT) : failed(SOPS_CONFIG, "is not there", INIT)];
  const named = recipientsIn(config);
  const results = named
    // Those of admins may be on hardware, or SSH keys; the machine's must be the converted form.
    .filter((recipient) => recipient.startsWith("ssh-ed25519 "))
    .map((recipient) => note(SOPS_CONFIG, x25519Recipient("recipient", recipient).join(" ")));
  const missing = machine.filter((recipient) => !named.includes(recipient));
  if (missing.length > 0) results.push(failed(SOPS_CONFIG, `does not name the machine, ${missing.join(", ")}`, INIT));
  else results.push(ok(SOPS_CONFIG, `${named.length} recipients`));
  if (file !== "") results.push(sameRecipients(named, recipientsOf(file)));
  return results;
}

function sameRecipients(named: string[], has: string[]): Result {
  const missing = named.filter((recipient) => !has.includes(recipient));
  const extra = has.filter((recipient) => !named.includes(recipient));
  if (missing.length + extra.length === 0) return ok(SECRETS_FILE, `encrypted for whom ${SOPS_CONFIG} names`);
  const parts = [
    missing.length === 0 ? "" : `is not encrypted for ${missing.join(", ")}, whom ${SOPS_CONFIG} names`,
    extra.length === 0 ? "" : `is encrypted for ${extra.join(", ")}, whom ${SOPS_CONFIG} does not name`,
  ];
  return failed(SECRETS_FILE, parts.filter((part) => part !== "").join("; "), INIT);
}

function ownKeyResult(place: Place): Result {
  const keys = adminKeys(place.around);
  const problems = keyFileProblems(place.around);
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
  const file = path.join(place.around.folder, "nix", "repository.json");
  if (!fs.existsSync(file) || machine.length === 0) return [];
  const { value } = parseRepositoryFile(fs.readFileSync(file, "utf8"));
  if (value?.access !== "token" || hasToken(path.dirname(file))) return [];
  return [
    failed(
      TOKEN_NAME,
      "is missing, so the machine cannot read its repository",
      "npm run secrets -- init, npm run secrets -- token, commit, npx pulumi up",
    ),
  ];
}

async function contentResults(place: Place): Promise<Result[]> {
  const has = recipientsOf(readSecretsFile(place));
  if (has.length === 0) return [];
  if (!adminKeys(place.around).some(({ recipient }) => has.includes(recipient))) {
    return [skipped("content", "this computer's key does not open it")];
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
    if (!(error instanceof Refusal)) throw error;
    return [failed("content", error.message.replaceAll("\n", " "), "See docs/secrets.md.")];
  }
}
