import { spawn } from "node:child_process";
import { environmentFor } from "../../components/deploy/process.mjs";

/** One package, with the versions of it that both systems have. */
export interface PackageChange {
  name: string;
  before: string[];
  after: string[];
}

export type PackageComparison =
  | { kind: "unknown"; reason: string }
  | {
      kind: "compared";
      /** `outputs`: what is installed, because both systems are built here. `derivations`: what they are built from. */
      basis: "outputs" | "derivations";
      added: PackageChange[];
      removed: PackageChange[];
      bumped: PackageChange[];
      /** systemd units whose files differ. */
      units: string[];
    };

/** Runs a program and gives what it wrote; undefined when it failed or is not there. */
export type Run = (program: string, args: string[]) => Promise<string | undefined>;

/**
 * Compares what two systems consist of, with the Nix store of this computer.
 *
 * The old derivation is there after the base branch was evaluated here; nothing is evaluated, built or fetched.
 */
export async function comparePackages(
  before: string,
  after: string,
  run: Run = runQuietly,
): Promise<PackageComparison> {
  if (![before, after].every((path) => /^\/[^\s]+\.drv$/.test(path))) {
    return { kind: "unknown", reason: "the stack compares a hash of the flake's folder, not derivations" };
  }
  if ((await run("nix-store", ["--version"])) === undefined)
    return { kind: "unknown", reason: "Nix is not installed here" };
  const [old, current] = [await requisites(before, run), await requisites(after, run)];
  if (old === undefined || current === undefined) {
    const which =
      old !== undefined
        ? "the new derivation is not"
        : current !== undefined
          ? "the old derivation is not"
          : "neither derivation is";
    return { kind: "unknown", reason: `${which} in the Nix store of this computer` };
  }
  const [outputsBefore, outputsAfter] = [await builtOutput(before, run), await builtOutput(after, run)];
  const units = changedUnits(old, current);
  if (outputsBefore !== undefined && outputsAfter !== undefined) {
    const [one, other] = [await requisites(outputsBefore, run), await requisites(outputsAfter, run)];
    if (one !== undefined && other !== undefined) {
      return { kind: "compared", basis: "outputs", ...difference(one, other), units };
    }
  }
  return { kind: "compared", basis: "derivations", ...difference(old, current), units };
}

async function requisites(path: string, run: Run): Promise<string[] | undefined> {
  const listed = await run("nix-store", ["--query", "--requisites", path]);
  return listed?.split("\n").filter((line) => line !== "");
}

/** The system that a derivation builds, where that is built already. */
async function builtOutput(derivation: string, run: Run): Promise<string | undefined> {
  const output = (await run("nix-store", ["--query", "--outputs", derivation]))?.trim();
  if (output === undefined || output === "" || output.includes("\n")) return undefined;
  return (await run("nix-store", ["--check-validity", output])) === undefined ? undefined : output;
}

type Difference = Pick<Extract<PackageComparison, { kind: "compared" }>, "added" | "removed" | "bumped">;

/** The packages that differ between two closures, given as store paths. */
export function difference(before: string[], after: string[]): Difference {
  const [one, other] = [versions(before), versions(after)];
  const names = [...new Set([...one.keys(), ...other.keys()])].sort();
  const changes = names
    .map((name) => ({ name, before: [...(one.get(name) ?? [])].sort(), after: [...(other.get(name) ?? [])].sort() }))
    .filter((change) => change.before.join() !== change.after.join());
  return {
    added: changes.filter((change) => change.before.length === 0),
    removed: changes.filter((change) => change.after.length === 0),
    bumped: changes.filter((change) => change.before.length > 0 && change.after.length > 0),
  };
}

/** Files that packages are made from, and the system itself, are no packages. */
const NO_PACKAGE =
  /^(?:nixos-system-|unit-|etc-)|\.(?:tar|tgz|zip|crate|gem|whl|patch|diff|gz|bz2|xz|lock|conf|sh|json)(?:\.|$)/;

/** Outputs beside the first one carry its name: openssl-3.0.14-bin is openssl 3.0.14. */
const OUTPUT = /-(?:bin|dev|lib|out|man|doc|info|debug|data|py|dist|static|devdoc|modules|terminfo|getent|libgcc|nc)$/;

function versions(paths: string[]): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const path of paths) {
    const full = nameOf(path);
    if (NO_PACKAGE.test(full)) continue;
    // As Nix does it: the version starts after the first dash that no letter follows.
    const [, name, version] = /^(.+?)-([^A-Za-z-].*)$/.exec(full.replace(OUTPUT, "")) ?? [];
    if (name === undefined || version === undefined) continue;
    found.set(name, (found.get(name) ?? new Set()).add(version));
  }
  return found;
}

/** The files of systemd units, as NixOS names their derivations. */
const UNIT = /^unit-(?!script-)(.+\.(?:service|socket|timer|target|path|mount|automount|swap|slice))$/;

function changedUnits(before: string[], after: string[]): string[] {
  const [one, other] = [unitsOf(before), unitsOf(after)];
  return [...new Set([...one.keys(), ...other.keys()])].filter((unit) => one.get(unit) !== other.get(unit)).sort();
}

function unitsOf(paths: string[]): Map<string, string> {
  return new Map(
    paths.flatMap((path): [string, string][] => {
      const unit = UNIT.exec(nameOf(path))?.[1];
      return unit === undefined ? [] : [[unit, path]];
    }),
  );
}

/** The name part of a store path: without folder, hash and `.drv`. */
function nameOf(path: string): string {
  return path.replace(/^.*\/[0-9a-z]{32}-/, "").replace(/\.drv$/, "");
}

/** A store with a system in it answers within a second or two. */
const TIMEOUT_MILLISECONDS = 60_000;

const runQuietly: Run = (program, args) =>
  new Promise((resolve) => {
    // Not the option `timeout`: its timer goes on, and the process with it, when the program is not there.
    const signal = AbortSignal.timeout(TIMEOUT_MILLISECONDS);
    const env = environmentFor(program, process.env);
    const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "ignore"], signal });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.on("error", () => resolve(undefined));
    child.on("close", (status) => resolve(status === 0 ? output : undefined));
  });
