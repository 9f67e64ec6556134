import { output } from "../../cli/rehearse/processes";
import type { EngineStack } from "./stack";

/** Where a command of the CLI runs. */
export type Place = Pick<EngineStack, "project" | "environment">;

/** Runs any command of the CLI, with a text on standard input; returns what it printed. */
export function pulumi({ project: cwd, environment: env }: Place, args: string[], input = ""): Promise<string> {
  return output("pulumi", [...args, "--non-interactive", "--color", "never"], { cwd, env, input });
}
