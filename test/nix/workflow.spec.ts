// The workflow that reports the required checks.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { REQUIRED_CHECKS } from "../../components/values/repositoryNames";
import { parseRepositoryFile } from "../../program/repositoryFile";
import { flakeFolder } from "../../cli/rehearse/upgrade/evaluate";

interface Workflow {
  permissions: Record<string, string>;
  jobs: Record<string, { name: string; steps: { uses?: string }[] }>;
}

const text = fs.readFileSync(path.join(__dirname, "../../.github/workflows/ci.yml"), "utf8");
const workflow = parse(text) as Workflow;

describe("the workflow CI", () => {
  it("reports the required checks: without them the branch would be locked for ever", () => {
    const names = Object.values(workflow.jobs).map(({ name }) => name);
    for (const check of REQUIRED_CHECKS) assert.ok(names.includes(check), check);
  });

  it("may only read", () => {
    assert.deepEqual(workflow.permissions, { contents: "read" });
  });

  it("pins every action by commit, with its version beside it", () => {
    const uses = text.split("\n").filter((line) => line.includes("uses:"));
    assert.ok(uses.length >= 4);
    for (const line of uses) assert.match(line, /uses: [\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });
});

describe("nix/repository.json", () => {
  it("has the four fields, and no owner until the repository is set up", () => {
    const { value, problems } = parseRepositoryFile(fs.readFileSync(path.join(flakeFolder, "repository.json"), "utf8"));
    assert.deepEqual(value, { owner: "", name: "pulumi-nixos", branch: "main", access: "deploy-key" });
    assert.equal(problems.length, 1, "only that the owner is empty");
  });
});
