import type { EngineStack, RunningCli } from "./stack";
import { eventually } from "./eventually";

/** One step at a time, so that the one that is held is the only one that goes on. */
const ONE_BY_ONE = ["--yes", "--skip-preview", "--parallel", "1"];

/** Begins a command such as `up` and waits until it stands still; fails when it ends before. */
export async function standingStill(
  stack: EngineStack,
  command: "up" | "destroy",
  what: string,
  reached: Promise<void>,
): Promise<RunningCli> {
  const running = stack.begin(command, ...ONE_BY_ONE);
  const tooEarly = running.end.then(({ printed }) => {
    throw new Error(`pulumi ${command} ended before ${what}:\n${printed}`);
  });
  await Promise.race([reached, tooEarly]);
  tooEarly.catch(() => {});
  return running;
}

/** Ctrl-C: resolves when the CLI has taken it and waits for the step that it has begun. */
export async function interrupt(running: RunningCli): Promise<void> {
  running.signal("SIGINT");
  await eventually("the CLI says that it cancels", () => /cancel/i.test(running.printed()));
}

/** Kills the CLI, and removes the lock that it leaves. */
export async function kill(stack: EngineStack, running: RunningCli): Promise<void> {
  running.signal("SIGKILL");
  await running.end;
  await stack.succeed("cancel", "--yes");
}
