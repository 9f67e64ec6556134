import assert from "node:assert/strict";
import type { Fakes } from "../../../cli/rehearse/fakes";
import { type Changes, EngineStack } from "../stack";

/** One edit, and all that becomes of it; every other resource stays the same. */
export interface Edit {
  what: string;
  /** Keys of the configuration without their namespace, and their new values. */
  configure?: Record<string, string | ((fakes: Fakes) => string)>;
  /** What is edited besides. */
  edit?: (stack: EngineStack) => void;
  becomes: Changes;
  /** How often the deployment program is started. */
  deployments?: number;
}

/** Tests each edit on what the one before left, after the first update of a stack. */
export function testEdits(of: string, edits: Edit[]): void {
  describe(`the engine: what each edit of ${of} changes`, function () {
    let stack: EngineStack;
    before(async function () {
      stack = await EngineStack.settled(this);
    });
    after(() => stack?.stop());

    for (const { what, configure = {}, edit, becomes, deployments = 0 } of edits) {
      it(`${what}: ${summary(becomes)}`, async () => {
        const before = stack.deployments.all.length;
        const values = Object.entries(configure).map(([key, value]): [string, string] => [
          key,
          typeof value === "string" ? value : value(stack.fakes),
        ]);
        stack.configure(Object.fromEntries(values));
        edit?.(stack);
        const { changes } = await stack.up();
        assert.deepEqual(changes, becomes);
        assert.equal(stack.deployments.all.length - before, deployments);
      });
    }

    it("then has nothing more to do", () => stack.succeed("preview", "--expect-no-changes"));
  });
}

/** Such as "2 update, the rest stays". */
function summary(changes: Changes): string {
  const kinds = Object.values(changes);
  const counts = [...new Set(kinds)].map((kind) => `${kinds.filter((other) => other === kind).length} ${kind}`);
  return counts.length === 0 ? "everything stays" : `${counts.join(", ")}, the rest stays`;
}
