import { answers } from "./reachable";
import { run, type RunOptions } from "./processes";

/** How the system of the flake is told apart from its earlier selves. */
export interface Evaluation {
  mode: "nix" | "hash";
  /** A sentence for the person who watches, without its full stop. */
  description: string;
  /** Whether there is a Nix that can at least read the files. */
  nix: boolean;
  /** What Nix says of a flake that it cannot evaluate, and that is no matter of the network. */
  broken?: string;
}

const SYSTEM = "path:./nix#nixosConfigurations.default.config.system.build.toplevel.drvPath";
const FEATURES = ["--extra-experimental-features", "nix-command flakes"];
const SECONDS_TO_FETCH = 60;

/**
 * Tries to evaluate the real flake: from what Nix already has, then, where there is a network, with what it can fetch in
 * a minute. A computer that cannot gets a hash of the flake's folder instead.
 */
export async function findEvaluation(project: string, environment: NodeJS.ProcessEnv): Promise<Evaluation> {
  const options: RunOptions = { cwd: project, env: environment };
  const hash = (why: string, nix: boolean): Evaluation => ({
    mode: "hash",
    description: `A content hash stands in for the derivation: ${why}`,
    nix,
  });
  const version = await run("nix", ["--version"], options).catch(() => undefined);
  if (version?.code !== 0) return hash("there is no nix on PATH", false);
  const found: Evaluation = {
    mode: "nix",
    description: `The derivation is evaluated by ${version.stdout.trim()}`,
    nix: true,
  };
  const command = ["eval", "--raw", ...FEATURES, SYSTEM];
  // Without a network it takes as long as the computer needs, and no longer.
  if ((await run("nix", [...command, "--offline"], options)).code === 0) return found;
  if (!(await answers("https://github.com")))
    return hash("the flake's inputs are not here, and github.com cannot be reached", true);
  const { code, stderr } = await run("nix", command, { ...options, seconds: SECONDS_TO_FETCH });
  if (code === 0) return found;
  const error = stderr.split("\n").find((line) => line.includes("error"));
  const unevaluated = hash(`nix could not evaluate the flake: ${error ?? "out of time"}`, true);
  return error === undefined ? unevaluated : { ...unevaluated, broken: error.trim() };
}
