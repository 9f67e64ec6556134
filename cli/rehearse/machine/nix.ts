import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { WAIT_MILLISECONDS } from "../limits.cjs";

/** A Nix that the bench can use. */
export interface Nix {
  /** What has to be visible for Nix to run: its commands and their libraries. */
  folder: string;
  /** The folder of its commands, for PATH. */
  bin: string;
  version: string;
}

/**
 * The oldest Nix that has what nixos-rebuild of NixOS 26.05 needs (`nix build drv^*`). Debian 12's 2.8 is older;
 * .ci/install-nix.sh unpacks a newer one beside the system, where this looks first.
 */
const oldest = [2, 18];

/** Finds a Nix for the bench, or says why there is none. */
export function findNix(): Nix | string {
  const refused: string[] = [];
  for (const { folder, bin } of candidates()) {
    const version = versionOf(path.join(bin, "nix"));
    if (version === undefined) {
      continue;
    }
    if (!isNewEnough(version)) {
      refused.push(`${bin}/nix is ${version}`);
    } else if (fs.realpathSync(path.join(bin, "nix")).startsWith("/nix/")) {
      // The machine's /nix is its own, so a Nix that lives in this computer's store would not be seen there.
      refused.push(`${bin}/nix lies in this computer's own /nix`);
    } else {
      return { folder, bin, version };
    }
  }
  const why = refused.length > 0 ? ` (${refused.join("; ")})` : "";
  return `no Nix ${oldest.join(".")} or newer beside the system${why}: run .ci/install-nix.sh`;
}

function candidates(): { folder: string; bin: string }[] {
  const cache = path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), ".cache"), "pulumi-nixos");
  const unpacked = ["nix-trixie", "nix-sid"].map((name) => path.join(cache, name));
  const onPath = (process.env.PATH ?? "").split(path.delimiter).filter((folder) => path.isAbsolute(folder));
  return [
    ...unpacked.map((folder) => ({ folder, bin: path.join(folder, "bin") })),
    ...onPath.map((bin) => ({ folder: bin, bin })),
  ];
}

function versionOf(nix: string): string | undefined {
  if (!fs.existsSync(nix)) {
    return undefined;
  }
  try {
    return execFileSync(nix, ["--version"], { encoding: "utf8", timeout: WAIT_MILLISECONDS }).match(
      /\d+\.\d+(\.\d+)?/,
    )?.[0];
  } catch {
    return undefined;
  }
}

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = oldest;
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
}

/** Settings with which Nix builds and installs without a daemon, a sandbox or a network. */
export const nixConf = `sandbox = false
build-users-group =
substituters =
experimental-features = nix-command flakes
warn-dirty = false
flake-registry =
`;
