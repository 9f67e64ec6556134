import assert from "node:assert/strict";
import type { Context } from "mocha";
import { hasCommand } from "../cli/rehearse/commands";
import { noteSkip } from "./support/skips.cjs";

/** Things that a test may need and a computer may lack; `REQUIRE=nix,sshd` turns their absence into a failure. */
export type Requirement =
  | "engine"
  | "command"
  | "languageHost"
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
  | "ssh-to-age"
  | "git"
  | "curl"
  | "filters"
  | "gpg"
  | "promtool"
  | "root"
  | "history"
  | "moto";

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
  noteSkip({ ...skippedBy(context), reason: `${requirement}: ${reason}` });
  context.skip();
}

/** The same for programs that are to be on PATH. */
export function requireCommands(context: Context, requirement: Requirement, ...names: string[]): void {
  const missing = names.filter((name) => !hasCommand(name));
  requireOrSkip(context, requirement, missing.length === 0, `there is no ${missing.join(" and no ")} on PATH`);
}

/** What is skipped with this context: the test, or, from a `before` hook, its suite. */
function skippedBy({ test, currentTest }: Context): { file: string; titles: string[] } {
  assert.ok(test !== undefined);
  const skipped = /^"before all" hook/.test(test.title)
    ? test.parent
    : /^"before each" hook/.test(test.title)
      ? currentTest
      : test;
  assert.ok(skipped !== undefined);
  return { file: skipped.file ?? test.file ?? "", titles: skipped.titlePath() };
}
