import assert from "node:assert/strict";
import type { Run } from "./drivers/driver";
import { changeCounts } from "../render/changeList";
import { skipToken, useDeployKey, useToken, whyNoToken } from "./access";
import { again, changeType, create, destroy, editPage, replaceMachine, type Rehearsed, type Update } from "./steps";
import { exposedKeys, reportedChanges } from "./records";
import { stepLine } from "./report";
import { rotateKeys } from "./rotation";
import { storeSecrets } from "./secrets";
import { type PullRequestOptions, passPullRequests } from "./pullRequests";

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
export async function runSteps(
  rehearsed: Rehearsed,
  pullRequests: PullRequestOptions,
  say: (line: string) => void,
): Promise<Step[]> {
  const steps: Step[] = [];

  const step = async (name: string, title: string, act: () => Promise<string>) => {
    rehearsed.verdicts.begin(name);
    const begin = performance.now();
    const updatesBefore = rehearsed.updates.length;
    const summary = await act().catch((error: unknown) => {
      rehearsed.verdicts.failed("the step comes to its end", error);
      return undefined;
    });
    const updates = rehearsed.updates.slice(updatesBefore);
    if (updates.length > 0) hidden(rehearsed, ...updates.map(({ run }) => run));
    const seconds = Number(((performance.now() - begin) / 1000).toFixed(1));
    steps.push({ name, title, seconds, summary: summary ?? "FAILED", updates });
    say(stepLine(steps.length, steps.at(-1)!));
    if (summary === undefined) throw new Stumbled();
  };
  const live = (name: string, title: string, act: (before: Run) => Promise<Run>) =>
    step(name, title, async () => {
      const before = rehearsed.run;
      const run = await act(before!);
      return changeCounts(reportedChanges(before, run).changes) || "nothing changes";
    });

  try {
    await live("create", "create the stack", () => create(rehearsed));
    await live("again", "run it again", (before) => again(rehearsed, before));
    await live("edit", "edit the page", (before) => editPage(rehearsed, before));
    await live("type", "change the instance type", (before) => changeType(rehearsed, before));
    await live("replace", "replace the machine", (before) => replaceMachine(rehearsed, before));
    await step("secrets", "store secrets", () => storeSecrets(rehearsed, pullRequests.environment));
    const noToken = whyNoToken(rehearsed);
    if (noToken === undefined) {
      await live("token", "read the repository by token", (before) => useToken(rehearsed, before));
      await live("key", "read it by deploy key again", (before) => useDeployKey(rehearsed, before));
    } else {
      await step("token", "read the repository by token", () => skipToken(rehearsed, noToken));
    }
    await step("rotate", "rotate the keys", () => rotateKeys(rehearsed));
    await step("pullRequests", "merge two pull requests", () => passPullRequests(rehearsed, pullRequests));
    await step("destroy", "destroy the stack", async () => {
      const end = await destroy(rehearsed);
      if (end === undefined) return "not checked: no engine";
      hidden(rehearsed, end);
      return changeCounts(reportedChanges(rehearsed.run, end).changes);
    });
  } catch (error) {
    if (!(error instanceof Stumbled)) throw error;
  }
  return steps;
}

function hidden({ verdicts }: Rehearsed, ...runs: Run[]): void {
  verdicts.program("no private key stands outside Pulumi's secrets, nor in anything printed", () => {
    assert.deepEqual(runs.flatMap(exposedKeys), []);
  });
}
