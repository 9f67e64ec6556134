// @ts-check
/** Signatures of release records, by ssh-keygen: what every NixOS machine and every runner has. */
import { DeploymentError } from "../deploy/errors.mjs";
import { PrivateFolder } from "../deploy/privateFolder.mjs";
import {
  decodeEnvelope,
  decodeRecord,
  encodeEnvelope,
  encodeRecord,
  NAMESPACE,
  RecordRefused,
  SIGNER,
} from "./record.mjs";

/** @typedef {import("../deploy/process.mjs").Processes} Processes */
/** @typedef {import("./record.mjs").ReleaseRecord} ReleaseRecord */

const SECONDS = 60;

/**
 * A record and its signature, as they lie in the bucket.
 * @param {ReleaseRecord} record
 * @param {string} privateKey OpenSSH form
 * @param {Processes} processes
 */
export async function signRecord(record, privateKey, processes) {
  const text = encodeRecord(record);
  const folder = new PrivateFolder(processes.env);
  try {
    const key = folder.write("key", `${privateKey.trimEnd()}\n`);
    const args = ["-Y", "sign", "-q", "-f", key, "-n", NAMESPACE];
    const signed = await processes.run("ssh-keygen", args, { input: text, timeoutSeconds: SECONDS });
    if (signed.code !== 0)
      throw new DeploymentError("ssh-keygen could not sign the record.", { details: signed.stderr });
    return encodeEnvelope({ text, signature: signed.stdout });
  } finally {
    folder.remove();
  }
}

/**
 * The record in an envelope, when one of the keys has signed it; throws RecordRefused otherwise.
 * @param {Uint8Array} bytes
 * @param {string[]} keys `ssh-ed25519 AAAA… comment`
 * @param {Processes} processes
 * @returns {Promise<ReleaseRecord>}
 */
export async function openRecord(bytes, keys, processes) {
  const { text, signature } = decodeEnvelope(bytes);
  const folder = new PrivateFolder(processes.env);
  try {
    const signers = folder.write("allowed_signers", keys.map(signerLine).join(""));
    const file = folder.write("signature", signature);
    const args = ["-Y", "verify", "-f", signers, "-I", SIGNER, "-n", NAMESPACE, "-s", file];
    const verified = await processes.run("ssh-keygen", args, { input: text, timeoutSeconds: SECONDS });
    if (verified.code !== 0) {
      throw new RecordRefused(
        "signature",
        `No release key has signed the record: ${verified.stderr.trim() || verified.stdout.trim()}`,
      );
    }
  } finally {
    folder.remove();
  }
  return decodeRecord(text);
}

/** @param {string} key */
function signerLine(key) {
  return `${SIGNER} namespaces="${NAMESPACE}" ${keyWords(key)}\n`;
}

/**
 * Type and key alone. A text that holds more would be options in the file of signers.
 * @param {string} key
 */
function keyWords(key) {
  const words = PUBLIC_KEY.exec(key)?.[1];
  if (words === undefined)
    throw new DeploymentError(`A release key is ${JSON.stringify(key)}; allowed: "ssh-ed25519 AAAA… release".`);
  return words;
}

/** A public key of a release, with or without a comment. */
export const PUBLIC_KEY = /^(ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43})(?: [\w@.-]+)?$/;
