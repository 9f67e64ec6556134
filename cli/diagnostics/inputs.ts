import path from "node:path";
import { closedInputs, INPUTS_ADVICE, privateInputs } from "../../components/deploy/inputs.mjs";
import { Processes } from "../../components/deploy/process.mjs";
import type { RepositoryFile } from "../../program/repositoryFile";
import { note, ok, type Result } from "../common/result";
import type { Context } from "../common/context";

/** Whether the machine can read what flake.lock pins: its key or token opens less than this computer's. */
export async function checkInputs(
  { folder, env }: Context,
  { owner, name, access }: RepositoryFile,
): Promise<Result[]> {
  const flake = path.join(folder, "nix");
  const machine = { repository: `${owner}/${name}`, access };
  const found = [...privateInputs(flake, machine), ...(await closedInputs(flake, machine, new Processes(env)))];
  if (found.length === 0) return [ok("inputs", "nothing in nix/flake.lock is known to be closed to the machine")];
  return found.map((text) => note("inputs", text, INPUTS_ADVICE));
}
