import fs from "node:fs";
import path from "node:path";
import { output } from "../processes";

/** An SSH key pair, made by ssh-keygen for one test run. */
export interface KeyPair {
  /** OpenSSH PEM, with its last newline. */
  privateKey: string;
  /** "ssh-ed25519 AAAA…", without a comment. */
  publicKey: string;
}

/** Makes a key pair; `folder` is private to the test and holds the files while ssh-keygen needs them. */
export async function makeKeyPair(folder: string): Promise<KeyPair> {
  const work = fs.mkdtempSync(path.join(folder, "key-"));
  const file = path.join(work, "key");
  try {
    await output("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file]);
    return {
      privateKey: fs.readFileSync(file, "utf8"),
      publicKey: fs.readFileSync(`${file}.pub`, "utf8").trim(),
    };
  } finally {
    fs.rmSync(work, { recursive: true });
  }
}
