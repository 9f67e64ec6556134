import assert from "node:assert/strict";
import { Github } from "../../cli/rehearse/emulators/github";
import { type PullRequest, refuseMerge, requirements } from "../../cli/rehearse/emulators/github/pullRequests";
import type { Repository } from "../../cli/rehearse/emulators/github/service";

describe("emulated merge button", () => {
  let github: Github;
  let repository: Repository;
  beforeEach(() => {
    github = new Github();
    repository = github.addRepository("site", { visibility: "private" });
  });

  const protect = (strict: boolean, ...contexts: string[]) =>
    repository.protections.set("BPR", {
      id: "BPR",
      pattern: "main",
      inputs: { requiredStatusChecks: [{ strict, contexts }] },
    });
  const press =
    (more: Partial<PullRequest> = {}) =>
    () =>
      refuseMerge(github, repository, { base: "main", checks: new Map(), upToDate: true, ...more });

  it("merges what is not protected", () => {
    press()();
    protect(true, "one");
    press({ base: "other", upToDate: false })();
  });

  it("refuses while a required check is failing or has not been reported, and merges when all pass", () => {
    protect(false, "one", "two");
    assert.throws(press(), /405 Required status check "one" is expected\./);
    assert.throws(press({ checks: new Map([["one", "success"]]) }), /"two" is expected\./);
    assert.throws(
      press({
        checks: new Map([
          ["one", "success"],
          ["two", "failure"],
        ]),
      }),
      /"two" is failing\./,
    );
    press({
      checks: new Map([
        ["one", "success"],
        ["two", "success"],
      ]),
    })();
  });

  it("refuses a branch that is behind, only where the protection is strict", () => {
    const checks = new Map([["one", "success"]] as const);
    protect(true, "one");
    assert.throws(press({ checks, upToDate: false }), /out of date/);
    protect(false, "one");
    press({ checks, upToDate: false })();
  });

  it("refuses in an archived repository", () => {
    repository.archived = true;
    assert.throws(press(), /read-only/);
  });

  it("reads the required checks of an active ruleset too", () => {
    const inputs = {
      enforcement: "active",
      conditions: { refName: { includes: ["refs/heads/main"], excludes: [] } },
      rules: { requiredStatusChecks: { requiredChecks: [{ context: "one" }], strictRequiredStatusChecksPolicy: true } },
    };
    repository.rulesets.set(1, { id: 1, name: "r", inputs });
    assert.deepEqual(requirements(repository, "main"), [{ contexts: ["one"], strict: true }]);
    assert.deepEqual(requirements(repository, "other"), []);
    repository.rulesets.set(1, { id: 1, name: "r", inputs: { ...inputs, enforcement: "disabled" } });
    assert.deepEqual(requirements(repository, "main"), []);
  });
});
