import { spawn } from "node:child_process";
import { WAIT_MILLISECONDS } from "../../cli/rehearse/limits.cjs";
import type { EngineStack } from "./stack";

/** Where a command of the CLI runs. */
export type Place = Pick<EngineStack, "project" | "environment">;

/** Runs any command of the CLI, with a text on standard input; returns what it printed. */
export function pulumi(place: Place, args: string[], input = ""): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn("pulumi", [...args, "--non-interactive", "--color", "never"], {
      cwd: place.project,
      env: place.environment,
      timeout: WAIT_MILLISECONDS,
    });
    let printed = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (printed += text));
    child.on("error", reject);
    child.on("close", (code) =>
      code === 0
        ? resolve(printed)
        : reject(new Error(`pulumi ${args.join(" ")} ended with code ${code}:\n${printed}`)),
    );
    child.stdin.end(input);
  });
}
