// @ts-check

const MAGIC = "openssh-key-v1\0";

/**
 * The public half, "<type> <base64>", of a private key in OpenSSH form, where it stands in plain text; undefined when
 * the text is no such key, or is encrypted. Read here, because the alternative is a process and a file.
 * @param {string} pem
 */
export function publicKeyOf(pem) {
  const body =
    /^-----BEGIN OPENSSH PRIVATE KEY-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END OPENSSH PRIVATE KEY-----\s*$/.exec(
      pem,
    )?.[1];
  if (body === undefined) return undefined;
  const bytes = Buffer.from(body, "base64");
  if (bytes.subarray(0, MAGIC.length).toString("latin1") !== MAGIC) return undefined;

  let at = MAGIC.length;
  const field = () => {
    const length = bytes.readUInt32BE(at);
    at += 4 + length;
    return bytes.subarray(at - length, at);
  };
  try {
    const cipher = field().toString("latin1");
    field(); // name of the key derivation
    field(); // its options
    at += 4; // number of keys: always one
    const key = field();
    const type = key.subarray(4, 4 + key.readUInt32BE(0)).toString("latin1");
    return cipher === "none" && /^[a-z0-9-]+$/.test(type) ? `${type} ${key.toString("base64")}` : undefined;
  } catch {
    return undefined; // cut off
  }
}

/**
 * Whether two public keys are the same, whatever their comments.
 * @param {string} one
 * @param {string} other
 */
export function samePublicKey(one, other) {
  return one.split(" ", 2).join(" ") === other.split(" ", 2).join(" ");
}
