import fs from "node:fs";
import path from "node:path";
import { recipientsOf } from "../../components/deploy/flakeSecrets.mjs";
import { textField } from "../common/http";
import { askMachine } from "../ci/machineStatus";
import { changedLines } from "../common/difference";
import { encryptFor } from "./init";
import { UserError } from "../common/userError";
import { versionsAfter, nextStep, type RotationFacts, type Step, STEPS } from "./rotationPlan";
import { SECRETS_FILE, SOPS_CONFIG } from "./names";
import { recipientsIn, withoutRecipients, withRecipients } from "./sopsConfig";
import { hasSeparateLogin, type StackKeys } from "./stack";
import { readSecretsFile, readSopsConfig, type Workplace, writeSopsConfig } from "./workplace";

export interface RotateOptions {
  /** The person says that the machine runs with the secrets that are encrypted for both keys. */
  installed?: boolean;
}

const TITLES: Record<Step, string> = {
  start: "write into the stack's configuration that a new key is wanted",
  make: "make the new key beside the old one: npx pulumi up",
  encrypt: "encrypt the secrets for both keys",
  install: "install them: commit, merge, and wait until the machine runs that",
  swap: "write into the stack's configuration that the new key is to be used",
  use: "give the machine the new key: npx pulumi up (stops and starts it)",
  remove: "take the old key away from the secrets, and encrypt every value anew",
  drop: "write into the stack's configuration that the old key is to go",
  destroy: "destroy the old key: commit, merge, and npx pulumi up",
};

const REMINDER =
  "Old versions of the file stay in git, and whoever has the old key can read them. If the key may be in other hands, " +
  "change the secrets themselves: npm run secrets -- set NAME (or token).";

/**
 * Walks the change of the machine's key. Each run looks where the rotation is, does what can be done here, and stops at
 * what an update or a merge must do first. The old key opens everything until the machine runs with the new one.
 */
export async function rotate(place: Workplace, options: RotateOptions): Promise<void> {
  for (;;) {
    const keys = await stackKeys(place);
    const configured = await place.stack.configuredVersions();
    const found = nextStep(factsOf(place, keys, configured));
    if (typeof found === "object") throw new UserError(found.trouble);

    const step = found === "install" && (await isInstalled(place, keys, options)) ? "swap" : found;
    if (WAITING.has(step)) {
      place.person.tell(overview(step, configured));
      place.person.tell(whatToDo(step, keys));
      return;
    }
    place.person.tell(`${STEPS.indexOf(step) + 1}. ${TITLES[step]}`);
    await perform(place, step, keys, configured);
  }
}

async function stackKeys({ stack }: Workplace): Promise<StackKeys> {
  const keys = await stack.keys();
  if (keys === undefined)
    throw new UserError("The stack has no key yet: there is nothing to rotate. Run `npx pulumi up`.");
  return keys;
}

function factsOf(place: Workplace, keys: StackKeys, configured: number[]): RotationFacts {
  const config = readSopsConfig(place);
  const file = readSecretsFile(place);
  const lists = [...(config === "" ? [] : [recipientsIn(config)]), ...(file === "" ? [] : [recipientsOf(file)])];
  const recipient = (version: number) => keys.recipients[keys.versions.indexOf(version)]!;
  return {
    configured,
    deployed: keys.versions,
    encryptedFor: (version) => lists.every((list) => list.includes(recipient(version))),
    stillEncryptedFor: (version) => lists.some((list) => list.includes(recipient(version))),
  };
}

function overview(step: Step, configured: number[]): string {
  const at = STEPS.indexOf(step);
  const lines = STEPS.map((name, index) => {
    const mark = index < at ? "done" : index === at ? "now " : "    ";
    return `  ${mark} ${index + 1}. ${TITLES[name]}`;
  });
  return `Rotation of the machine's key (versions ${JSON.stringify(configured)}):\n${lines.join("\n")}`;
}

/** The steps that are an update or a merge, and so not done here. */
const WAITING = new Set<Step>(["make", "install", "use", "destroy"]);

/** What the person does at such a step. */
function whatToDo(step: Step, keys: StackKeys): string {
  switch (step) {
    case "install":
      return (
        `Commit ${SOPS_CONFIG} and ${SECRETS_FILE}, merge, and run this again when the machine runs that revision: ` +
        `see ${keys.url}. If you know that it does, give --installed.`
      );
    case "use":
      return (
        "Run `npx pulumi up`, then this again. The update logs in with the new key. If that fails, the old key still " +
        "works: set keyVersions back to the order before, and run `npx pulumi up`."
      );
    case "destroy": {
      const end = `Commit, merge, and run \`npx pulumi up\`. That ends the rotation.\n${REMINDER}`;
      return hasSeparateLogin(keys) ? `${end}\n${removeOldLogin(keys)}` : end;
    }
    default:
      return "Run `npx pulumi up`, then this again.";
  }
}

async function perform(place: Workplace, step: Step, keys: StackKeys, configured: number[]): Promise<void> {
  if (step === "encrypt") return encryptForBoth(place, keys);
  if (step === "remove") return removeOld(place, keys);
  const versions = versionsAfter(step, configured);
  const question =
    step === "start"
      ? `Nothing is under way. Start a rotation to version ${versions[1]}?`
      : `Set keyVersions to ${JSON.stringify(versions)}?`;
  if (!(await place.person.agree(question))) throw new UserError("Nothing was changed.");
  await place.stack.configureVersions(versions);
}

async function encryptForBoth(place: Workplace, keys: StackKeys): Promise<void> {
  const before = readSopsConfig(place);
  if (before === "") throw new UserError(`There is no ${SOPS_CONFIG}. Run \`npm run secrets -- init\` first.`);
  const machine = keys.recipients.map((recipient, index) => ({
    recipient,
    whose: `the machine, key ${keys.versions[index]}`,
  }));
  await writeAgreed(place, before, withRecipients(before, machine));
  await encryptFor(place);
}

/** First from the file: with .sops.yaml first, a run that is cut off would have to guess whom the file is still for. */
async function removeOld(place: Workplace, keys: StackKeys): Promise<void> {
  const old = keys.recipients[1]!;
  if (recipientsOf(readSecretsFile(place)).includes(old)) {
    const question = `Take ${old} away from ${SECRETS_FILE}, and encrypt every value anew?`;
    if (!(await place.person.agree(question))) throw new UserError("It stays as it is.");
    await (await place.sops()).replaceKey([old]);
  }
  const before = readSopsConfig(place);
  if (before !== "") await writeAgreed(place, before, withoutRecipients(before, [old]));
}

async function writeAgreed(place: Workplace, before: string, after: string): Promise<void> {
  if (before === after) return;
  place.person.tell(`${SOPS_CONFIG}:\n${changedLines(before, after)}`);
  if (!(await place.person.agree(`Write ${SOPS_CONFIG}?`))) throw new UserError("It stays as it is.");
  writeSopsConfig(place, after);
}

/** Whether the machine runs a revision that has the same secrets, and lets in the new login key, as this folder. */
async function isInstalled(place: Workplace, keys: StackKeys, options: RotateOptions): Promise<boolean> {
  const { context, person } = place;
  const files = [SECRETS_FILE, ...loginFiles(place, keys)].filter((file) =>
    fs.existsSync(path.join(context.folder, file)),
  );
  if (files.length === 0 || options.installed === true) return true;
  const revision = await runningRevision(place, keys.url);
  if (revision === undefined) {
    person.tell(`${keys.url}/status.json does not say which revision the machine runs.`);
    return false;
  }
  const git = (...args: string[]) => context.run("git", ["-C", context.folder, ...args], { timeoutSeconds: 60 });
  // What was merged on GitHub may not be here yet.
  if ((await git("cat-file", "-e", revision)).code !== 0) await git("fetch", "--quiet", "origin");
  const same = (await git("diff", "--quiet", revision, "--", ...files)).code === 0;
  person.tell(
    `The machine runs ${revision.slice(0, 10)}, ${same ? "which has" : "which does not have"} these secrets.`,
  );
  return same;
}

async function runningRevision({ context }: Workplace, url: string): Promise<string | undefined> {
  try {
    const { body } = await askMachine(url, context.patienceSeconds);
    const revision = textField(body, "revision");
    // It becomes an argument of git, and the page comes over plain HTTP.
    return /^[0-9a-f]{40,64}$/.test(revision) ? revision : undefined;
  } catch {
    return undefined; // no address
  }
}

/**
 * With a separate machine key, nothing on the machine follows the login key: the new one must be let in by the system's
 * configuration before it is used.
 */
function loginFiles({ context }: Workplace, keys: StackKeys): string[] {
  if (!hasSeparateLogin(keys)) return [];
  const [, blob] = keys.loginPublicKeys[1]!.split(" ");
  const files = fs.readdirSync(path.join(context.folder, "nix")).filter((file) => file.endsWith(".nix"));
  const found = files.filter((file) => fs.readFileSync(path.join(context.folder, "nix", file), "utf8").includes(blob!));
  if (found.length > 0) return found.map((file) => `nix/${file}`);
  throw new UserError([
    "The machine would not let the new login key in. Put this line into nix/machine.nix, and run this again:",
    `  users.users.root.openssh.authorizedKeys.keys = [ ${JSON.stringify(keys.loginPublicKeys[1])} ];`,
  ]);
}

/** Emptied, not removed: where the file is absent, EC2's copy of the first key would be written again at the next boot. */
function removeOldLogin(keys: StackKeys): string {
  const host = new URL(keys.url).hostname;
  return `Then take the old login key away from the machine: ssh -i id_ed25519 root@${host} 'truncate -s 0 /root/.ssh/authorized_keys'`;
}
