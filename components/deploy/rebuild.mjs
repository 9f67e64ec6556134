// @ts-check
import { DeploymentError } from "./errors.mjs";
import { findProgram } from "./path.mjs";

/** @typedef {import("./settings.mjs").Settings} Settings */
/** @typedef {Pick<Settings, "flake" | "host" | "buildOn" | "substitute" | "extraArguments">} SwitchSettings */

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
 * @param {SwitchSettings} settings
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
 * Where a nixos-rebuild is that takes the arguments of the switch: on PATH, or in the flake. Looked up before the guard
 * is armed, as it may take a download.
 * @param {{ settings: SwitchSettings, processes: import("./process.mjs").Processes }} deployment
 */
export async function findNixosRebuild({ settings, processes }) {
  const onPath = findProgram(processes.env, "nixos-rebuild");
  const objection = onPath === undefined ? "not on PATH" : await objectionOf(onPath, settings, processes);
  if (onPath !== undefined && objection === "") return onPath;
  const attribute = `${settings.flake.flake}#nixos-rebuild`;
  const args = ["--extra-experimental-features", "nix-command flakes", "shell", attribute, "--command"];
  const result = await processes.run("nix", [...args, "sh", "-c", "command -v nixos-rebuild"]);
  const program = result.stdout.trim();
  if (result.code === 0 && program.startsWith("/")) {
    const refused = await objectionOf(program, settings, processes);
    if (refused === "") return program;
    throw new DeploymentError(`The nixos-rebuild of the flake cannot be used: ${refused}.`, {
      advice: ["Correct extraArguments, or update nixpkgs in the flake. Nothing was switched."],
    });
  }
  throw new DeploymentError(
    onPath === undefined
      ? `The program "nixos-rebuild" was not found: not on PATH, and not as ${attribute}.`
      : `The nixos-rebuild on PATH cannot be used (${objection}), and there is none as ${attribute}.`,
    {
      details: result.stderr,
      advice: [
        "The flake can offer it as packages.<system>.nixos-rebuild = nixpkgs.legacyPackages.<system>.nixos-rebuild-ng.",
        ...(onPath === undefined ? [] : ["Or take the one on PATH away, or install that of NixOS 26.05."]),
      ],
    },
  );
}

/**
 * What a nixos-rebuild says against the arguments of the switch; nothing when it takes them. With --help and without an
 * action it reads them and does nothing: the one of NixOS 25.05 and older is a shell script that knows no --no-reexec.
 * @param {string} program
 * @param {SwitchSettings} settings
 * @param {import("./process.mjs").Processes} processes
 */
async function objectionOf(program, settings, processes) {
  const args = [...switchArguments(settings).slice(1), "--help"];
  // Its help is a manual page, which is not there everywhere: how it ends says nothing.
  const env = { ...processes.env, MANPAGER: "cat", PAGER: "cat" };
  const { stderr } = await processes.run(program, args, { env, talk: true, timeoutSeconds: 60 });
  const objection = /^.{0,200}?((?:unknown option|unrecognized arguments?|invalid choice)\b.{0,200})/m.exec(
    stderr,
  )?.[1];
  return objection === undefined ? "" : `${program}: ${objection.trim()}`;
}
