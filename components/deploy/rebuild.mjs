// @ts-check
import fs from "node:fs";
import path from "node:path";
import { DeploymentError } from "./errors.mjs";

/** @typedef {import("./settings.mjs").Settings} Settings */

/**
 * Options of nixos-rebuild that also say how to build, and so go to nix-store as well; with the number of words that
 * follow.
 * @type {Record<string, number>}
 */
const BUILD_OPTIONS = {
  "--option": 2,
  "--max-jobs": 1,
  "-j": 1,
  "--cores": 1,
  "--builders": 1,
  "--keep-going": 0,
  "-k": 0,
  "--keep-failed": 0,
  "-K": 0,
  "--fallback": 0,
};

/**
 * The arguments of the switch.
 * @param {Pick<Settings, "flake" | "host" | "buildOn" | "substitute" | "extraArguments">} settings
 */
export function switchArguments({ flake, host, buildOn, substitute, extraArguments }) {
  const target = machineDestination(host);
  const builder = { host: [target], local: [] }[buildOn] ?? [buildOn];
  return [
    "switch",
    "--flake",
    flake.reference,
    "--target-host",
    target,
    ...builder.flatMap((destination) => ["--build-host", destination]),
    ...(substitute ? ["--use-substitutes"] : []),
    // Otherwise it builds itself from the flake first, for the machine's platform.
    "--no-reexec",
    ...extraArguments,
  ];
}

/** The machine, as Nix and nixos-rebuild take it. @param {string} host */
export function machineDestination(host) {
  return `root@${host.includes(":") ? `[${host}]` : host}`;
}

/** @param {string[]} extraArguments */
export function buildOptions(extraArguments) {
  /** @type {string[]} */
  const options = [];
  for (let at = 0; at < extraArguments.length; at++) {
    const word = extraArguments[at] ?? "";
    const following = BUILD_OPTIONS[word];
    if (following === undefined) continue;
    options.push(...extraArguments.slice(at, at + following + 1));
    at += following;
  }
  return options;
}

/**
 * Where nixos-rebuild is: on PATH, or in the flake. Looked up before the guard is armed, as it may take a download.
 * @param {{ settings: Pick<Settings, "flake">, processes: import("./process.mjs").Processes }} deployment
 */
export async function findNixosRebuild({ settings, processes }) {
  const onPath = findOnPath("nixos-rebuild", processes.env.PATH ?? "");
  if (onPath !== undefined) return onPath;
  const attribute = `${settings.flake.flake}#nixos-rebuild`;
  const args = ["--extra-experimental-features", "nix-command flakes", "shell", attribute, "--command"];
  const result = await processes.run("nix", [...args, "sh", "-c", "command -v nixos-rebuild"]);
  const program = result.stdout.trim();
  if (result.code === 0 && program.startsWith("/")) return program;
  throw new DeploymentError(`The program "nixos-rebuild" was not found: not on PATH, and not as ${attribute}.`, {
    details: result.stderr,
    advice: [
      "The flake can offer it as packages.<system>.nixos-rebuild = nixpkgs.legacyPackages.<system>.nixos-rebuild-ng.",
    ],
  });
}

/**
 * @param {string} program
 * @param {string} searched
 */
function findOnPath(program, searched) {
  return searched
    .split(path.delimiter)
    .map((folder) => path.join(folder, program))
    .find((file) => {
      try {
        fs.accessSync(file, fs.constants.X_OK);
        return path.isAbsolute(file);
      } catch {
        return false;
      }
    });
}
