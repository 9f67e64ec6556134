import type { Context } from "mocha";
import { noteSkip } from "./support/skips.cjs";

/** Things that a test may need and a computer may lack; `REQUIRE=nix,sshd` turns their absence into a failure. */
export type Requirement =
  | "engine"
  | "nix"
  | "sshd"
  | "sops"
  | "systemd"
  | "browser"
  | "nixfmt"
  | "memory"
  | "namespaces"
  | "registry"
  | "python"
  | "go"
  | "root";

/**
 * Skips the test (or, from a `before` hook, its suite) when something it needs is absent, and says why in the summary.
 * Fails instead when the environment variable REQUIRE names the requirement.
 *
 * @param found whether it is there
 * @param reason what is missing and how to get it
 */
export function requireOrSkip(context: Context, requirement: Requirement, found: boolean, reason: string): void {
  if (found) return;
  const required = (process.env["REQUIRE"] ?? "").split(",").map((name) => name.trim());
  if (required.includes(requirement)) throw new Error(`REQUIRE names ${requirement}, but: ${reason}`);
  noteSkip(`${requirement}: ${reason}`);
  context.skip();
}
