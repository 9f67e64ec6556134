// @ts-check
/** One ed25519 key in two forms: OpenSSH's signs records, Nix's signs what is in the cache. And the files that name it. */
import { DeploymentError } from "../deploy/errors.mjs";
import { jsonObject } from "./record.mjs";
import { PUBLIC_KEY } from "./signature.mjs";

/** What stands before the key's 32 bytes in OpenSSH's public form. */
const PREFIX = Buffer.from("0000000b7373682d6564323535313900000020", "hex");

/**
 * nix/release.json: the keys that machines trust for releases.
 * @param {string} text
 * @returns {{ keys: string[], required: boolean }}
 */
export function readReleaseFile(text) {
  const { keys = [], required = false } = /** @type {{ keys?: unknown, required?: unknown }} */ (
    objectIn("nix/release.json", text)
  );
  if (
    !Array.isArray(keys) ||
    !keys.every((key) => typeof key === "string" && PUBLIC_KEY.test(key)) ||
    typeof required !== "boolean"
  ) {
    throw new DeploymentError(
      'nix/release.json: allowed: { "keys": ["ssh-ed25519 AAAA… release"], "required": false }.',
    );
  }
  return { keys: /** @type {string[]} */ (keys), required };
}

/**
 * nix/cache.json: the caches that machines ask, and the keys that they trust for them.
 * @param {string} text
 * @returns {{ substituters: string[], trustedPublicKeys: string[] }}
 */
export function readCacheFile(text) {
  const { substituters = [], trustedPublicKeys = [] } = /** @type {Record<string, unknown>} */ (
    objectIn("nix/cache.json", text)
  );
  const lists = [substituters, trustedPublicKeys];
  if (!lists.every((list) => Array.isArray(list) && list.every((item) => typeof item === "string"))) {
    throw new DeploymentError(
      'nix/cache.json: allowed: { "substituters": ["s3://…"], "trustedPublicKeys": ["name:…"] }.',
    );
  }
  return {
    substituters: /** @type {string[]} */ (substituters),
    trustedPublicKeys: /** @type {string[]} */ (trustedPublicKeys),
  };
}

/** @param {string} file @param {string} text */
function objectIn(file, text) {
  const value = jsonObject(text);
  if (value === undefined) throw new DeploymentError(`${file} is no JSON object.`);
  return value;
}

/**
 * A public key in Nix's form.
 * @param {string} name
 * @param {string} publicKey OpenSSH's form
 */
export function nixPublicKey(name, publicKey) {
  return `${name}:${bytesOf(publicKey).subarray(PREFIX.length).toString("base64")}`;
}

/**
 * A private key in Nix's form: `name:` and 64 bytes, which OpenSSH's form has as they are.
 * @param {string} name
 * @param {string} privateKey OpenSSH's form, without a passphrase
 * @param {string} publicKey that belongs to it
 */
export function nixSecretKey(name, privateKey, publicKey) {
  const bytes = Buffer.from(privateKey.replace(/-----[^-]*-----|\s/g, ""), "base64");
  const half = bytesOf(publicKey).subarray(PREFIX.length);
  // A length of 64, the seed, and the public key once more.
  const at = bytes.lastIndexOf(half) - 32;
  if (at < 4 || bytes.readUInt32BE(at - 4) !== 64)
    throw new DeploymentError("The release key is no ed25519 key without a passphrase.");
  return `${name}:${bytes.subarray(at, at + 64).toString("base64")}`;
}

/**
 * The name under which machines trust a key for the cache; undefined: they do not.
 * @param {string} publicKey OpenSSH's form
 * @param {string[]} trusted Nix's form
 */
export function trustedName(publicKey, trusted) {
  return trusted.find((key) => key === nixPublicKey(key.split(":")[0] ?? "", publicKey))?.split(":")[0];
}

/** @param {string} publicKey */
function bytesOf(publicKey) {
  return Buffer.from(publicKey.split(" ")[1] ?? "", "base64");
}
