import { randomBytes } from "node:crypto";

export const base64 = (bytes: number) => randomBytes(bytes).toString("base64");

/** Letters and digits, as in tokens. */
export const random = (length: number) =>
  base64(2 * length)
    .replaceAll(/[^A-Za-z0-9]/g, "")
    .slice(0, length);
