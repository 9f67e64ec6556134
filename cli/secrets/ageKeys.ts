import fs from "node:fs";
import path from "node:path";
import { newAgeIdentity, recipientOfIdentity } from "../../components/keys/age";
import type { Context } from "../common/context";
import { UserError } from "../common/userError";
import { makePrivateFile } from "../common/write";

/** An age key of the person at this computer. */
export interface AdminKey {
  recipient: string;
  /** Where it lies: a file, or an environment variable. */
  place: string;
}

/** Where sops looks for age keys on this platform. */
export function keyFile({ env, platform }: Pick<Context, "env" | "platform">): string {
  const home = env["HOME"] ?? "";
  if (env["SOPS_AGE_KEY_FILE"]) return env["SOPS_AGE_KEY_FILE"];
  const mac = path.join(home, "Library", "Application Support");
  const folder = env["XDG_CONFIG_HOME"] || (platform === "darwin" ? mac : path.join(home, ".config"));
  return path.join(folder, "sops", "age", "keys.txt");
}

/** The keys that sops finds on this computer, without their private halves. */
export function adminKeys(context: Pick<Context, "env" | "platform">): AdminKey[] {
  const file = keyFile(context);
  const given = context.env["SOPS_AGE_KEY"];
  return [
    ...(given ? recipientsIn(given, "SOPS_AGE_KEY").map((recipient) => ({ recipient, place: "SOPS_AGE_KEY" })) : []),
    ...(fs.existsSync(file)
      ? recipientsIn(fs.readFileSync(file, "utf8"), file).map((recipient) => ({ recipient, place: file }))
      : []),
  ];
}

/** Makes a key in sops's own place. A file that is there is never written to. */
export function makeAdminKey(context: Pick<Context, "env" | "platform" | "folder">): AdminKey {
  const file = keyFile(context);
  if (!path.relative(context.folder, path.resolve(file)).startsWith("..")) {
    throw new UserError(
      `${file} is inside the project's folder, where a private key must not be. Change SOPS_AGE_KEY_FILE.`,
    );
  }
  const identity = newAgeIdentity();
  const recipient = recipientOfIdentity(identity);
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const text = `# created: ${new Date().toISOString()}\n# public key: ${recipient}\n${identity}\n`;
  if (makePrivateFile(file, text)) return { recipient, place: file };
  throw new UserError(
    `${file} is there, but holds no age key that this program knows. Put a key in it: age-keygen >> ${file}`,
  );
}

/** What is wrong with a key's file; empty when nothing is. */
export function keyFileProblems(context: Pick<Context, "env" | "platform">): string[] {
  const file = keyFile(context);
  if (context.platform === "win32" || !fs.existsSync(file)) return [];
  const mode = fs.statSync(file).mode & 0o777;
  return (mode & 0o077) === 0
    ? []
    : [
        `${file}: others on this computer can read it (mode 0${mode.toString(8)}). Run: chmod 600 ${JSON.stringify(file)}`,
      ];
}

/** A key on hardware tells its recipient only in the comment above it, as its plugin writes it. */
function recipientsIn(text: string, place: string): string[] {
  const found: string[] = [];
  let comment: string | undefined;
  for (const line of text.split("\n").map((one) => one.trim())) {
    comment = /^#.*\b(age1[a-z0-9]+)/.exec(line)?.[1] ?? comment;
    if (line.startsWith("AGE-SECRET-KEY-1")) found.push(recipientOf(line, place));
    else if (/^AGE-(PLUGIN|SECRET-KEY-PQ)-/.test(line) && comment !== undefined) found.push(comment);
  }
  return found;
}

function recipientOf(identity: string, place: string): string {
  try {
    return recipientOfIdentity(identity);
  } catch {
    throw new UserError(
      `${place}: a line that begins "AGE-SECRET-KEY-1" is not an age key; sops would refuse the file.`,
    );
  }
}
