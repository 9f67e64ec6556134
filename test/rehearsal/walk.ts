import assert from "node:assert/strict";
import type { Run } from "./drivers/driver";
import { again, changeType, create, destroy, editPage, replaceMachine, type Stage } from "./life";
import { changedInputs, exposedKeys } from "./records";
import { type StoryOptions, tellStory } from "./story";

export interface Step {
  name: string;
  seconds: number;
  /** What came of it, in a few words. */
  summary: string;
}

/** Ends the walk: what comes after a step that could not be finished would prove nothing. */
class Stumbled extends Error {}

/** Walks the steps, each on what the one before left. Returns them and the last run that has a machine. */
export async function walk(
  stage: Stage,
  story: StoryOptions,
  say: (line: string) => void,
): Promise<{ steps: Step[]; run: Run | undefined }> {
  const steps: Step[] = [];
  let run: Run | undefined;

  const step = async (name: string, title: string, act: () => Promise<string>) => {
    stage.verdicts.begin(name);
    const begin = performance.now();
    const summary = await act().catch((error: unknown) => {
      stage.verdicts.failed("the step comes to its end", error);
      return undefined;
    });
    const seconds = Number(((performance.now() - begin) / 1000).toFixed(1));
    steps.push({ name, seconds, summary: summary ?? "FAILED" });
    const number = `${steps.length}  ${title}`;
    say(`${number.padEnd(32)}${(summary ?? "FAILED").padEnd(56)}${seconds.toFixed(1).padStart(6)} s`);
    if (summary === undefined) throw new Stumbled();
  };
  const live = (name: string, title: string, act: (before: Run) => Promise<Run>) =>
    step(name, title, async () => {
      const before = run;
      run = await act(before!);
      hidden(stage, run);
      return before === undefined ? `${run.resources.length} resources` : summaryOf(before, run);
    });

  try {
    await live("create", "create the stack", () => create(stage));
    await live("again", "run it again", (before) => again(stage, before));
    await live("edit", "edit the page", (before) => editPage(stage, before));
    await live("type", "change the instance type", (before) => changeType(stage, before));
    await live("replace", "replace the machine", (before) => replaceMachine(stage, before));
    await step("story", "merge two pull requests", () => tellStory(stage, story));
    await step("destroy", "destroy the stack", async () => {
      const end = await destroy(stage);
      if (end === undefined) return "not checked: no engine";
      hidden(stage, end);
      return `${end.operations!.length} resources deleted`;
    });
  } catch (error) {
    if (!(error instanceof Stumbled)) throw error;
  }
  return { steps, run };
}

function hidden({ verdicts }: Stage, run: Run): void {
  verdicts.program("no private key stands outside Pulumi's secrets, nor in anything printed", () => {
    assert.deepEqual(exposedKeys(run), []);
  });
}

/** Which resources got other inputs than before, by their names. */
function summaryOf(before: Run, run: Run): string {
  const names = changedInputs(before, run).map(({ urn }) => urn.split("::").at(-1));
  return names.length === 0 ? "nothing changes" : `changes ${names.join(", ")}`;
}
