import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import type { Run } from "./drivers/driver";
import { checkSystem, deployKeys, machineKey, publicHalf, type Stage, update } from "./life";
import { byName, changedByName, doneTo } from "./records";

// The two ways in which the machine reads its repository, and the change from one to the other and back.

const DEPLOY_KEY = "nixos-repository-deploy-key";
const DEPLOYMENT = "nixos-deployment";

/** Why this stack cannot go over to a token: a real machine refuses one that nobody could store. */
export function whyNoToken({ machines, desk }: Stage): string | undefined {
  return "missing" in desk && !("noMachine" in machines) ? desk.missing : undefined;
}

/** Leaves the machine its deploy key. Returns what came of it, in a few words. */
export function skipToken({ verdicts }: Stage, reason: string): Promise<string> {
  verdicts.notRun("machine", "it goes over to a token, and back to its deploy key", reason);
  return Promise.resolve("not run");
}

/** From the machine's own key to a token among its secrets. */
export async function useToken(stage: Stage, before: Run): Promise<Run> {
  const { verdicts, world, desk } = stage;
  writeAccess(stage, "token");
  await refuseWithoutToken(stage);
  // A token of GitHub's form, which nobody was ever given.
  if (!("missing" in desk)) await desk.token(`github_pat_${randomBytes(20).toString("hex")}`);
  const run = await update(stage);
  verdicts.program("the deploy key goes and the system changes, nothing else does", () => {
    assert.deepEqual(changedByName(before, run), {
      [DEPLOY_KEY]: ["(gone)"],
      [DEPLOYMENT]: ["environment", "triggers"],
    });
    assert.deepEqual(deployKeys(world), []);
  });
  verdicts.program("the machine is to upgrade itself over HTTPS", () => {
    const { owner, name, branch } = readRepository(stage);
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
  await checkSystem(stage, run, "the machine runs the system with the token");
  return run;
}

/** A machine that has been reading its repository must not lose the way to it. */
async function refuseWithoutToken(stage: Stage): Promise<void> {
  const { verdicts, machines, world } = stage;
  const statement = "without the token it is not deployed, and the deploy key stays";
  if ("noMachine" in machines) return verdicts.notRun("machine", statement, machines.noMachine);
  const refusal = await update(stage).then(
    () => "it was deployed",
    (error: Error) => error.message,
  );
  verdicts.real("machine", statement, () => {
    assert.match(refusal, /npm run secrets -- token/);
    assert.equal(deployKeys(world).length, 1);
  });
}

/** And back. */
export async function useDeployKey(stage: Stage, before: Run): Promise<Run> {
  const { verdicts, world } = stage;
  writeAccess(stage, "deploy-key");
  const run = await update(stage);
  verdicts.program("GitHub gets the machine's key again, and the system changes, nothing else does", () => {
    assert.deepEqual(changedByName(before, run), {
      [DEPLOY_KEY]: ["(new)"],
      [DEPLOYMENT]: ["environment", "triggers"],
    });
    assert.deepEqual(deployKeys(world), [{ key: publicHalf(machineKey(stage)), readOnly: true }]);
  });
  verdicts.engineOnly("only the deploy key is created, only the deployment runs again", () => {
    assert.deepEqual(byName(doneTo(run)), { [DEPLOY_KEY]: "create", [DEPLOYMENT]: "replace" });
  });
  await checkSystem(stage, run, "the machine runs the system with the deploy key");
  return run;
}

function writeAccess(stage: Stage, access: "deploy-key" | "token"): void {
  writeFileSync(repositoryFile(stage), `${JSON.stringify({ ...readRepository(stage), access }, null, 2)}\n`);
}

function readRepository(stage: Stage): Record<string, string> {
  return JSON.parse(readFileSync(repositoryFile(stage), "utf8")) as Record<string, string>;
}

function repositoryFile({ project }: Stage): string {
  return path.join(project, "nix/repository.json");
}
