/**
 * The updates of a rotation under a real Pulumi engine: the real program, with the emulated providers of the rehearsal.
 * Cannot prove: what AWS does with a machine whose user data changes; the emulator replaces what the provider replaces.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { ageRecipient } from "../../components/age";
import type { Operation, Run } from "../rehearsal/drivers/driver";
import { partsOfUrn } from "../rehearsal/drivers/driver";
import { EngineDriver } from "../rehearsal/drivers/engine";
import { copyProject } from "../rehearsal/project";
import { closedEnvironment } from "../rehearsal/surroundings";
import { createWorld, type World } from "../rehearsal/world";
import { findProgram } from "../../cli/checks/surroundings";
import { requireOrSkip } from "../require";

/** What was done to resources of providers, without what stayed as it is. */
function changesOf(operations: Operation[]): string[] {
  return operations
    .filter(({ custom, operation }) => custom && operation !== "same" && operation !== "read")
    .map(({ urn, operation }) => `${operation} ${partsOfUrn(urn).type.split(":").at(-1)} ${partsOfUrn(urn).name}`)
    .sort();
}

describe("the updates of a rotation", function () {
  this.timeout(300_000);
  let folder: string;
  let world: World;
  let driver: EngineDriver;
  let deployments: Record<string, string | undefined>[];

  before(async function () {
    const cli = findProgram(process.env, "pulumi", (place) => place.includes("node_modules"));
    requireOrSkip(this, "engine", cli !== undefined, "no pulumi on PATH");
    folder = realpathSync(mkdtempSync(path.join(tmpdir(), "rotation-updates-")));
    const environment = closedEnvironment(folder);
    const project = copyProject(folder);
    const file = path.join(project, "nix/repository.json");
    writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, "utf8")) as object), owner: "example" }));
    deployments = [];
    world = createWorld("example", {
      directory: project,
      environment,
      standIn: (_command, variables) => {
        if (variables["DEPLOY_HOST"] === undefined) return undefined;
        deployments.push(variables);
        return { stdout: JSON.stringify({ systemPath: "/nix/store/x-nixos-system", changed: true }), stderr: "" };
      },
    });
    driver = await EngineDriver.start(cli!, project, folder, environment, world);
  });
  after(async () => {
    world?.stop();
    await driver?.stop();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  function update(generations: number[], more: Record<string, string> = {}): Promise<Run> {
    return driver.update({
      config: {
        "aws:region": "us-east-1",
        "github:owner": "example",
        "pulumi-nixos:plan": "paid",
        "pulumi-nixos:evaluate": "false",
        "pulumi-nixos:keyGenerations": JSON.stringify(generations),
        ...more,
      },
    });
  }

  /** Public halves of the keys in the state, by name. */
  function publicKey(run: Run, name: string): string {
    const key = run.resources.find((resource) => resource.type.startsWith("tls:") && resource.name === name)!;
    return (key.outputs["publicKeyOpenssh"] as string).trim();
  }

  it("make, use and drop a key, and never replace the machine", async () => {
    await update([1]);

    const made = await update([1, 2]);
    assert.deepEqual(changesOf(made.operations), ["create PrivateKey nixos-key-2"]);
    const recipients = ["nixos-key", "nixos-key-2"].map((name) => ageRecipient(publicKey(made, name)));
    assert.deepEqual(made.outputs["ageRecipients"], recipients);
    assert.equal(deployments.length, 1);

    const used = await update([2, 1]);
    const changes = changesOf(used.operations);
    assert.deepEqual(
      changes.filter((change) => !change.includes("replace")),
      [
        "create RepositoryDeployKey nixos-repository-deploy-key-2",
        "delete RepositoryDeployKey nixos-repository-deploy-key",
        "update Command nixos-deployment",
        "update Instance nixos",
      ],
    );
    const replaced = changes.filter((change) => change.startsWith("create-replacement "));
    assert.deepEqual(replaced, ["create-replacement KeyPair nixos-key-key-pair"]);
    assert.equal(deployments.at(-1)!["DEPLOY_AGE_RECIPIENT"], recipients[1]);
    assert.deepEqual(used.outputs["keyGenerations"], [2, 1]);

    const dropped = await update([2]);
    assert.deepEqual(changesOf(dropped.operations), ["delete PrivateKey nixos-key"]);
    assert.deepEqual(dropped.outputs["ageRecipients"], [recipients[1]]);
    assert.equal(deployments.length, 2);
  });

  it("replace the deploy key by creating the new one first", async () => {
    const order = (run: Run) =>
      run.operations.filter(({ type }) => type.includes("RepositoryDeployKey")).map(({ operation }) => operation);
    await update([2, 3]);
    const operations = order(await update([3, 2]));
    assert.deepEqual(operations, ["create", "delete"]);
  });
});
