import assert from "node:assert/strict";
import type { Run } from "./drivers/driver";
import { changeCounts } from "../render/changeList";
import { skipToken, useDeployKey, useToken, whyNoToken } from "./access";
import { again, changeType, create, destroy, editPage, replaceMachine, type Stage, type Update } from "./life";
import { exposedKeys, reportedChanges } from "./records";
import { stepLine } from "./report";
import { rotateKeys } from "./rotation";
import { storeSecrets } from "./secrets";
import { type StoryOptions, tellStory } from "./story";

export interface Step {
  name: string;
  title: string;
  seconds: number;
  /** What came of it, in a few words. */
  summary: string;
  updates: Update[];
}

/** Ends the walk: what comes after a step that could not be finished would prove nothing. */
class Stumbled extends Error {}

/** Walks the steps, each on what the one before left. */
export async function walk(stage: Stage, story: StoryOptions, say: (line: string) => void): Promise<Step[]> {
  const steps: Step[] = [];

  const step = async (name: string, title: string, act: () => Promise<string>) => {
    stage.verdicts.begin(name);
    const begin = performance.now();
    const updatesBefore = stage.updates.length;
    const summary = await act().catch((error: unknown) => {
      stage.verdicts.failed("the step comes to its end", error);
      return undefined;
    });
    const updates = stage.updates.slice(updatesBefore);
    if (updates.length > 0) hidden(stage, ...updates.map(({ run }) => run));
    const seconds = Number(((performance.now() - begin) / 1000).toFixed(1));
    steps.push({ name, title, seconds, summary: summary ?? "FAILED", updates });
    say(stepLine(steps.length, steps.at(-1)!));
    if (summary === undefined) throw new Stumbled();
  };
  const live = (name: string, title: string, act: (before: Run) => Promise<Run>) =>
    step(name, title, async () => {
      const before = stage.run;
      const run = await act(before!);
      return changeCounts(reportedChanges(before, run).changes) || "nothing changes";
    });

  try {
    await live("create", "create the stack", () => create(stage));
    await live("again", "run it again", (before) => again(stage, before));
    await live("edit", "edit the page", (before) => editPage(stage, before));
    await live("type", "change the instance type", (before) => changeType(stage, before));
    await live("replace", "replace the machine", (before) => replaceMachine(stage, before));
    await step("secrets", "store secrets", () => storeSecrets(stage, story.environment));
    const noToken = whyNoToken(stage);
    if (noToken === undefined) {
      await live("token", "read the repository by token", (before) => useToken(stage, before));
      await live("key", "read it by deploy key again", (before) => useDeployKey(stage, before));
    } else {
      await step("token", "read the repository by token", () => skipToken(stage, noToken));
    }
    await step("rotate", "rotate the keys", () => rotateKeys(stage));
    await step("story", "merge two pull requests", () => tellStory(stage, story));
    await step("destroy", "destroy the stack", async () => {
      const end = await destroy(stage);
      if (end === undefined) return "not checked: no engine";
      hidden(stage, end);
      return changeCounts(reportedChanges(stage.run, end).changes);
    });
  } catch (error) {
    if (!(error instanceof Stumbled)) throw error;
  }
  return steps;
}

function hidden({ verdicts }: Stage, ...runs: Run[]): void {
  verdicts.program("no private key stands outside Pulumi's secrets, nor in anything printed", () => {
    assert.deepEqual(runs.flatMap(exposedKeys), []);
  });
}
