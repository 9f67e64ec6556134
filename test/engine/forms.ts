/**
 * All texts by which a secret would be found in another text: plain, with its newlines escaped or replaced, and encoded
 * in the usual ways, wherever in the encoded text it begins. A secret with bytes beyond ASCII is given as latin1.
 */
export function forms(secret: string): string[] {
  const bytes = Buffer.from(secret, "latin1");
  const hex = bytes.toString("hex");
  const encoded = [0, 1, 2].map((offset) => base64At(bytes, offset));
  const escaped = JSON.stringify(secret).slice(1, -1);
  const lines = secret.startsWith("-----BEGIN ") ? secret.trim().split("\n") : [];
  return [
    secret.trim(),
    // One line that is the key's alone is enough, whatever its newlines became.
    ...lines.slice(-2, -1),
    escaped,
    JSON.stringify(escaped).slice(1, -1),
    encodeURIComponent(secret),
    hex,
    hex.toUpperCase(),
    ...encoded,
    ...encoded.map((text) => text.replaceAll("+", "-").replaceAll("/", "_")),
  ];
}

/** Whether a text holds one of the forms. */
export function findings(text: string, all: string[]): boolean {
  return all.some((form) => text.includes(form));
}

/** Base64 of bytes that begin so far within a group of three, without the characters that depend on what is around. */
function base64At(bytes: Buffer, offset: number): string {
  const whole = Buffer.concat([Buffer.alloc(offset), bytes])
    .toString("base64")
    .replace(/=+$/, "");
  const begin = offset === 0 ? 0 : offset + 1;
  const end = (offset + bytes.length) % 3 === 0 ? whole.length : whole.length - 1;
  return whole.slice(begin, end);
}
