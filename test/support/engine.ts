import type { Context, Suite, Test } from "mocha";
import { findEngine } from "../../cli/rehearse/drivers/findEngine";
import { languageHostOf } from "../../cli/rehearse/drivers/languageHost";
import { ROOT } from "../../cli/rehearse/project";
import { requireOrSkip } from "../require";
import { noteStandIn } from "./standIns.cjs";

const counted = new WeakSet<Suite>();

/**
 * The Pulumi CLI. Skips the test, or from a hook its suite, where there is none; counts the tests that run on a stand-in for
 * its host of Node programs.
 */
export async function requireEngine(context: Context): Promise<string> {
  const search = await findEngine(ROOT, () => {});
  const reason = "reason" in search ? `${search.reason}; ${search.remedy}` : "";
  requireOrSkip(context, "engine", "cli" in search, reason);
  if (!("cli" in search)) throw new Error("unreachable: the test was skipped");
  if (languageHostOf(search.cli) === "a stand-in") count(context);
  return search.cli;
}

function count({ test }: Context): void {
  const suite = test?.parent;
  // Not from a hook: this test alone.
  if (suite?.tests.some((one) => one === test)) return noteStandIn();
  if (suite === undefined || counted.has(suite)) return;
  counted.add(suite);
  suite.afterEach(function () {
    const { currentTest } = this as { currentTest?: Test };
    if (currentTest?.isPending() !== true) noteStandIn();
  });
}
