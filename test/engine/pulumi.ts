import { spawn } from "node:child_process";
import type { EngineStack } from "./stack";

/** Runs any command of the CLI in the stack's surroundings, with a text on standard input; returns what it printed. */
export function pulumi(stack: EngineStack, args: string[], input = ""): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn("pulumi", [...args, "--non-interactive", "--color", "never"], {
      cwd: stack.project,
      env: stack.environment,
      timeout: 90_000,
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
