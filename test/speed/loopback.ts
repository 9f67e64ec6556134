import fs from "node:fs";
import * as path from "node:path";
import {
  canRunMachine,
  deploy,
  evaluate,
  makeProject,
  type Result,
  type Setting,
  startClient,
  startMachine,
} from "../../cli/rehearse/machine";
import { type Figure, type Measured, median, sideBySide } from "./figures";

/** Evaluations with the real Nix and deployments to a machine on this computer, of a small flake. */
export async function loopback(rounds: number): Promise<Measured> {
  const reason = canRunMachine();
  if (reason !== undefined) return { figures: [], left_out: [{ name: "evaluation and deployment", reason }] };
  const client = await startClient();
  try {
    const folder = path.join(client.folder, "project");
    fs.mkdirSync(folder);
    const [machine, project] = await Promise.all([startMachine(), makeProject(folder)]);
    try {
      const setting: Setting = { client, machine, project };
      const evaluation = await sideBySide(rounds, {
        "evaluation of a changed flake": async () => {
          await project.change();
          return succeeded(await evaluate(setting));
        },
        "evaluation of an unchanged flake": async () => succeeded(await evaluate(setting)),
      });
      const phases = new Map<string, number[]>();
      const deployed = async (what: string) => {
        const result = succeeded(await deploy(setting));
        for (const [phase, seconds] of phasesOf(result.stderr)) {
          const name = `  ${what}: ${phase}`;
          phases.set(name, [...(phases.get(name) ?? []), seconds * 1000]);
        }
        return result;
      };
      const deployment = await sideBySide(rounds, {
        "deployment of a changed system": async () => {
          await project.change();
          return deployed("changed");
        },
        "deployment of the system that runs": () => deployed("unchanged"),
      });
      const parts = [...phases].map(([name, runs]): Figure => ({ name, unit: "ms", runs, value: median(runs) }));
      return { figures: [...evaluation, ...deployment, ...parts], left_out: [] };
    } finally {
      await machine.stop();
    }
  } finally {
    await client.stop();
  }
}

function succeeded(result: Result): Result & { ms: number } {
  if (result.code !== 0) throw new Error(`it ended with code ${result.code}:\n${result.stderr}`);
  return { ...result, ms: result.milliseconds };
}

/** The phases of a deployment with their seconds, as it prints them. */
function phasesOf(stderr: string): [string, number][] {
  return [...stderr.matchAll(/^(\w+): .*\((\d+\.\d) s\)$/gm)].map(([, phase, seconds]) => [phase!, Number(seconds)]);
}
