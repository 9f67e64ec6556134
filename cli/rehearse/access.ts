import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import type { Run } from "./drivers/driver";
import { checkSystem, deployKeys, machineKey, publicHalf, type Rehearsed, update } from "./steps";
import { byName, changedByName, doneTo } from "./records";

// The two ways in which the machine reads its repository, and the change from one to the other and back.

const DEPLOY_KEY = "nixos-repository-deploy-key";
const DEPLOYMENT = "nixos-deployment";

/** Why this stack cannot go over to a token: a real machine refuses one that nobody could store. */
export function whyNoToken({ machines, secretsCommands }: Rehearsed): string | undefined {
  return "missing" in secretsCommands && !("noMachine" in machines) ? secretsCommands.missing : undefined;
}

/** Leaves the machine its deploy key. Returns what came of it, in a few words. */
export function skipToken({ verdicts }: Rehearsed, reason: string): Promise<string> {
  verdicts.notRun("machine", "it goes over to a token, and back to its deploy key", reason);
  return Promise.resolve("not run");
}

/** From the machine's own key to a token among its secrets. */
export async function useToken(rehearsed: Rehearsed, before: Run): Promise<Run> {
  const { verdicts, fakes, secretsCommands } = rehearsed;
  writeAccess(rehearsed, "token");
  await refuseWithoutToken(rehearsed);
  // A token of GitHub's form, which nobody was ever given.
  if (!("missing" in secretsCommands)) await secretsCommands.token(`github_pat_${randomBytes(20).toString("hex")}`);
  const run = await update(rehearsed);
  verdicts.program("the deploy key goes and the system changes, nothing else does", () => {
    assert.deepEqual(changedByName(before, run), {
      [DEPLOY_KEY]: ["(gone)"],
      [DEPLOYMENT]: ["environment", "triggers"],
    });
    assert.deepEqual(deployKeys(fakes), []);
  });
  verdicts.program("the machine is to upgrade itself over HTTPS", () => {
    const { owner, name, branch } = readRepository(rehearsed);
    assert.equal(run.outputs["upgradeFlake"], `github:${owner}/${name}/heads/${branch}?dir=nix#default`);
  });
  verdicts.engineOnly("the deploy key goes only after the new system was confirmed", () => {
    assert.deepEqual(byName(doneTo(run)), { [DEPLOY_KEY]: "delete", [DEPLOYMENT]: "replace" });
    const order = run.operations.filter(({ operation }) => ["create-replacement", "delete"].includes(operation));
    assert.deepEqual(
      order.map(({ urn }) => urn.split("::").at(-1)),
      [DEPLOYMENT, DEPLOY_KEY],
    );
  });
  await checkSystem(rehearsed, run, "the machine runs the system with the token");
  return run;
}

/** A machine that has been reading its repository must not lose the way to it. */
async function refuseWithoutToken(rehearsed: Rehearsed): Promise<void> {
  const { verdicts, machines, fakes } = rehearsed;
  const statement = "without the token it is not deployed, and the deploy key stays";
  if ("noMachine" in machines) return verdicts.notRun("machine", statement, machines.noMachine);
  const refusal = await update(rehearsed).then(
    () => "it was deployed",
    (error: Error) => error.message,
  );
  verdicts.real("machine", statement, () => {
    assert.match(refusal, /npm run secrets -- token/);
    assert.equal(deployKeys(fakes).length, 1);
  });
}

/** And back. */
export async function useDeployKey(rehearsed: Rehearsed, before: Run): Promise<Run> {
  const { verdicts, fakes } = rehearsed;
  writeAccess(rehearsed, "deploy-key");
  const run = await update(rehearsed);
  verdicts.program("GitHub gets the machine's key again, and the system changes, nothing else does", () => {
    assert.deepEqual(changedByName(before, run), {
      [DEPLOY_KEY]: ["(new)"],
      [DEPLOYMENT]: ["environment", "triggers"],
    });
    assert.deepEqual(deployKeys(fakes), [{ key: publicHalf(machineKey(rehearsed)), readOnly: true }]);
  });
  verdicts.engineOnly("only the deploy key is created, only the deployment runs again", () => {
    assert.deepEqual(byName(doneTo(run)), { [DEPLOY_KEY]: "create", [DEPLOYMENT]: "replace" });
  });
  await checkSystem(rehearsed, run, "the machine runs the system with the deploy key");
  return run;
}

function writeAccess(rehearsed: Rehearsed, access: "deploy-key" | "token"): void {
  writeFileSync(repositoryFile(rehearsed), `${JSON.stringify({ ...readRepository(rehearsed), access }, null, 2)}\n`);
}

function readRepository(rehearsed: Rehearsed): Record<string, string> {
  return JSON.parse(readFileSync(repositoryFile(rehearsed), "utf8")) as Record<string, string>;
}

function repositoryFile({ project }: Rehearsed): string {
  return path.join(project, "nix/repository.json");
}
