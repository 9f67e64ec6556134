import assert from "node:assert/strict";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import * as path from "node:path";
import * as sshpk from "sshpk";
import { parse } from "yaml";
import type { SecretsCommands } from "./secretsCommands";
import type { Driver, RecordedResource, Run, RunOptions } from "./drivers/driver";
import { requirements } from "./emulators/github/pullRequests";
import { withoutSecretMarkers } from "./emulators/values";
import { configured } from "./project";
import { changedInputs, doneTo, holdsPrivateKey, only, plainInputs, TYPES } from "./records";
import type { Verdicts } from "./verdicts";
import type { Fakes } from "./fakes";

/** What one rehearsal works with. */
export interface Rehearsed {
  driver: Driver;
  fakes: Fakes;
  verdicts: Verdicts;
  /** The copy of the project. */
  project: string;
  config: Record<string, string>;
  /** Deployments that were asked for so far. */
  deployments: { environment: Record<string, string> }[];
  /** Machines on this computer, or why there can be none. */
  machines: Machines | { noMachine: string };
  /** Where secrets are kept, or why they cannot be. */
  secretsCommands: SecretsCommands | { missing: string };
  /** The last update. */
  run: Run | undefined;
  /** All updates so far. */
  updates: Update[];
}

export interface Machines {
  /** What runs on the machine of an EC2 instance. */
  systemOf(instanceId: string): Promise<string | undefined>;
  /** Public halves of the keys that let root in there. */
  loginKeysOf(instanceId: string): Promise<string[]>;
}

/** An update that was made. */
export interface Update {
  /** Which of several updates of a step it was. */
  part: string | undefined;
  before: Run | undefined;
  run: Run;
}

/** What a step tells the person who watches. */
export interface StepResult {
  run: Run | undefined;
  summary: string;
}

/** `pulumi up` */
export async function update(rehearsed: Rehearsed, part?: string, more: Partial<RunOptions> = {}): Promise<Run> {
  const run = await rehearsed.driver.update({ config: rehearsed.config, ...more });
  rehearsed.updates.push({ part, before: rehearsed.run, run });
  rehearsed.run = run;
  return run;
}

/** From nothing to a machine. */
export async function create(rehearsed: Rehearsed): Promise<Run> {
  const { driver, fakes, verdicts } = rehearsed;
  const previewed = await driver.preview({ config: rehearsed.config });
  verdicts.program("a preview touches nothing", () => {
    assert.equal(fakes.ec2.instances.size + fakes.ec2.keys.size + fakes.github.repositories.size, 0);
    assert.equal(rehearsed.deployments.length, 0);
  });
  const run = await update(rehearsed);
  const names = (resources: RecordedResource[]) => resources.map(({ type, name }) => `${name} (${type})`).sort();
  verdicts.program("a preview registers the same resources as the update", () => {
    assert.deepEqual(names(previewed), names(run.resources));
  });
  verdicts.engineOnly("everything is created, each resource once", () => {
    assert.deepEqual([...new Set(run.operations.map(({ operation }) => operation))], ["create"]);
    assert.equal(run.operations.length, run.resources.length);
  });
  checkMachine(rehearsed, run);
  checkKeys(rehearsed, run);
  checkRepository(rehearsed);
  checkDeployment(rehearsed, run);
  await checkSystem(rehearsed, run, "a machine on this computer, booted with that user data, runs what was deployed");
  return run;
}

/** The same program again, although a newer image is out by now. */
export async function again(rehearsed: Rehearsed, before: Run): Promise<Run> {
  const { fakes, verdicts } = rehearsed;
  const newer = fakes.ec2.publishNixos("26.05", "2026-10-01T00:00:00.000Z");
  const run = await update(rehearsed);
  verdicts.program("nothing changes, and a newer image does not replace the machine", () => {
    assert.deepEqual(changedInputs(before, run), []);
    assert.notEqual(plainInputs(only(run, TYPES.instance))["ami"], newer.id);
  });
  verdicts.engineOnly("every resource stays the same", () => assertChanged(run, []));
  verdicts.engineOnly("nothing is deployed", () => assert.equal(rehearsed.deployments.length, 1));
  return run;
}

/** A changed page is a changed system, and nothing else. */
export async function editPage(rehearsed: Rehearsed, before: Run): Promise<Run> {
  const { verdicts } = rehearsed;
  appendFileSync(path.join(rehearsed.project, "nix/www/index.html"), "<!-- a rehearsed change -->\n");
  const run = await update(rehearsed);
  const deployment = only(run, TYPES.command);
  verdicts.program("only the deployment changes, by its trigger", () => {
    const changes = changedInputs(before, run);
    assert.deepEqual(changes, [{ urn: deployment.urn, properties: ["environment", "triggers"] }]);
  });
  verdicts.program("the stack's derivation is another one", () => {
    assert.notEqual(run.outputs["derivation"], before.outputs["derivation"]);
  });
  verdicts.engineOnly("only the deployment runs again", () => {
    assertChanged(run, [[deployment.urn, "replace"]]);
    assert.equal(rehearsed.deployments.length, 2);
  });
  await checkSystem(rehearsed, run, "the machine runs the new system");
  return run;
}

/** Another size of the same machine. */
export async function changeType(rehearsed: Rehearsed, before: Run): Promise<Run> {
  const { verdicts, fakes } = rehearsed;
  rehearsed.config = configured(rehearsed.config, { "machine.instanceType": "t3.medium" });
  const run = await update(rehearsed);
  const instance = only(run, TYPES.instance);
  verdicts.program("only the machine's type changes", () => {
    assert.deepEqual(changedInputs(before, run), [{ urn: instance.urn, properties: ["instanceType"] }]);
  });
  verdicts.program("the address stays, though EC2 lends a new one at every start", () => {
    assert.equal(run.outputs["publicIp"], before.outputs["publicIp"]);
    assert.equal(fakes.ec2.publicIp([...fakes.ec2.instances.values()][0]!), run.outputs["publicIp"]);
  });
  verdicts.engineOnly("the same machine is stopped and started; nothing is replaced or deployed", () => {
    assertChanged(run, [[instance.urn, "update"]]);
    assert.equal(instance.id, only(before, TYPES.instance).id);
    assert.equal(fakes.ec2.instances.get(instance.id!)?.boots, 2);
    assert.equal(rehearsed.deployments.length, 2);
  });
  return run;
}

/** A new machine in the place of the old one, as after `pulumi up --replace`. */
export async function replaceMachine(rehearsed: Rehearsed, before: Run): Promise<Run> {
  const { verdicts, fakes } = rehearsed;
  const run = await update(rehearsed, undefined, { replace: only(before, TYPES.instance).urn });
  const [instance, address, deployment] = [TYPES.instance, TYPES.eip, TYPES.command].map((type) => only(run, type));
  verdicts.program("address and deployment are told of the new machine, nobody else is", () => {
    const changed = changedInputs(before, run).map(({ urn, properties }): [string, string[]] => [urn, properties]);
    const expected = new Map([
      // The image is frozen for a machine's life, not longer.
      [instance!.urn, ["ami"]],
      [address!.urn, ["instance"]],
      [deployment!.urn, ["triggers"]],
    ]);
    assert.deepEqual(new Map(changed), expected);
    assert.notEqual(instance!.id, only(before, TYPES.instance).id);
  });
  verdicts.program("the new machine starts from the image that is the newest now", () => {
    assert.equal(plainInputs(instance!)["ami"], newestImage(fakes));
  });
  verdicts.program("the address moves to the new machine", () => {
    assert.equal(run.outputs["publicIp"], before.outputs["publicIp"]);
    assert.equal(fakes.ec2.publicIp(fakes.ec2.instances.get(instance!.id!)!), run.outputs["publicIp"]);
  });
  verdicts.engineOnly("machine and deployment are replaced, the address is moved, the rest stays", () => {
    assertChanged(run, [
      [instance!.urn, "replace"],
      [address!.urn, "update"],
      [deployment!.urn, "replace"],
    ]);
  });
  verdicts.engineOnly("the old machine is gone, and the system is installed on the new one", () => {
    assert.deepEqual([...fakes.ec2.instances.keys()], [instance!.id]);
    assert.equal(rehearsed.deployments.length, 3);
  });
  await checkSystem(rehearsed, run, "the new machine runs it");
  return run;
}

/** The end of the stack. */
export async function destroy(rehearsed: Rehearsed): Promise<Run | undefined> {
  const { verdicts, fakes } = rehearsed;
  const run = await rehearsed.driver.destroy();
  verdicts.engineOnly("everything is deleted, and the state is empty", () => {
    assert.deepEqual([...new Set(run!.operations.map(({ operation }) => operation))], ["delete"]);
    assert.deepEqual(run!.resources, []);
  });
  verdicts.engineOnly("nothing is left in EC2", () => {
    const { instances, addresses, groups, keys } = fakes.ec2;
    assert.deepEqual([instances.size, addresses.size, groups.size, keys.size], [0, 0, 0, 0]);
  });
  verdicts.engineOnly("the repository is archived, not deleted", () => {
    assert.deepEqual(
      [...fakes.github.repositories.values()].map(({ archived }) => archived),
      [true],
    );
  });
  return run;
}

/** Whether what the deployment program said it installed is what runs on the machine. */
export async function checkSystem({ machines, verdicts }: Rehearsed, run: Run, statement: string): Promise<void> {
  if ("noMachine" in machines) return verdicts.notRun("machine", statement, machines.noMachine);
  const running = await machines.systemOf(only(run, TYPES.instance).id!);
  verdicts.real("machine", statement, () => assert.equal(running, installedSystem(run)));
}

function installedSystem(run: Run): string {
  const stdout = withoutSecretMarkers(only(run, TYPES.command).outputs["stdout"]) as string;
  return (JSON.parse(stdout.split("\n").at(-1)!) as { systemPath: string }).systemPath;
}

function checkMachine({ fakes, verdicts }: Rehearsed, run: Run): void {
  const instance = plainInputs(only(run, TYPES.instance));
  verdicts.program("the machine starts from the newest official image of its release", () => {
    assert.equal(instance["ami"], newestImage(fakes));
  });
  verdicts.program("its metadata need a token, its disk is encrypted", () => {
    assert.equal((instance["metadataOptions"] as { httpTokens: string }).httpTokens, "required");
    assert.equal((instance["rootBlockDevice"] as { encrypted: boolean }).encrypted, true);
  });
  verdicts.program("its user data is a script under 16 KB without carriage returns", () => {
    const userData = instance["userData"] as string;
    assert.ok(userData.startsWith("#!"), "it does not start with #!");
    assert.ok(!userData.includes("\r"), "it has a carriage return");
    assert.ok(Buffer.byteLength(userData) < 16384, `it has ${Buffer.byteLength(userData)} bytes`);
  });
}

function newestImage({ ec2 }: Fakes): string {
  const official = ec2.images.filter(
    ({ name, architecture }) => name.startsWith("nixos/26.05") && architecture === "x86_64",
  );
  return official.sort((one, other) => other.created.localeCompare(one.created))[0]!.id;
}

function checkKeys({ driver, verdicts, fakes }: Rehearsed, run: Run): void {
  const userData = plainInputs(only(run, TYPES.instance))["userData"] as string;
  verdicts.program("the key in user data is the one that EC2 and GitHub know, and GitHub lets it only read", () => {
    const known = publicHalf(machineKeyIn(userData));
    assert.equal(plainInputs(only(run, TYPES.keyPair))["publicKey"], known);
    assert.deepEqual(deployKeys(fakes), [{ key: known, readOnly: true }]);
  });
  verdicts.engineOnly("no private key stands in the stored state", () => {
    const state = driver.storedState() ?? "";
    assert.ok(state.includes("tls:index/privateKey:PrivateKey"), "the state was not found");
    assert.ok(!holdsPrivateKey(state), "a private key is stored in plain text");
  });
}

function checkRepository({ project, fakes, verdicts }: Rehearsed): void {
  verdicts.program("the repository is private, and its branch requires the checks that the workflow reports", () => {
    const repository = [...fakes.github.repositories.values()][0]!;
    assert.equal(repository.visibility, "private");
    const workflow = path.join(project, ".github/workflows/ci.yml");
    assert.ok(existsSync(workflow), ".github/workflows/ci.yml is missing");
    const { jobs } = parse(readFileSync(workflow, "utf8")) as { jobs: Record<string, { name?: string }> };
    const reported = Object.entries(jobs).map(([id, { name }]) => name ?? id);
    const required = requirements(repository, "main").flatMap(({ contexts }) => contexts);
    assert.ok(required.length > 0, "nothing is required");
    assert.deepEqual(
      required.filter((context) => !reported.includes(context)),
      [],
    );
  });
}

function checkDeployment({ fakes, verdicts, deployments }: Rehearsed, run: Run): void {
  verdicts.program("the first system is deployed once, to the machine's own address", () => {
    assert.equal(deployments.length, 1);
    const machine = [...fakes.ec2.instances.values()][0]!;
    assert.equal(deployments[0]!.environment["DEPLOY_HOST"], fakes.ec2.publicIp(machine));
  });
  verdicts.program("the deployment trusts no host key but the one that the machine gets", () => {
    const userData = plainInputs(only(run, TYPES.instance))["userData"] as string;
    const line = /^SSH_HOST_ED25519_KEY:(.*)$/m.exec(userData)?.[1]?.replaceAll("|", "\n");
    assert.equal(deployments[0]!.environment["DEPLOY_HOST_KEY"], publicHalf(line));
  });
  verdicts.program("its key reaches it by environment only, as a secret", () => {
    const { environment, ...others } = plainInputs(only(run, TYPES.command));
    assert.ok(holdsPrivateKey((environment as Record<string, string>)["DEPLOY_PRIVATE_KEY"] ?? ""), "it has no key");
    assert.ok(!holdsPrivateKey(JSON.stringify(others)), "a key stands beside the environment");
  });
}

/** The private key that user data gives to the machine. */
function machineKeyIn(userData: string): string | undefined {
  return /^-----BEGIN OPENSSH PRIVATE KEY-----\n[^-|]+-----END OPENSSH PRIVATE KEY-----$/m.exec(userData)?.[0];
}

/** The private key that the only machine has now. */
export function machineKey({ fakes }: Pick<Rehearsed, "fakes">): string {
  const [machine] = fakes.ec2.instances.values();
  return machineKeyIn(machine!.userData) ?? assert.fail("user data has no key");
}

/** The keys that GitHub lets in. */
export function deployKeys({ github }: Fakes): { key: string; readOnly: boolean }[] {
  return [...github.repositories.values()].flatMap(({ deployKeys }) =>
    [...deployKeys.values()].map(({ key, readOnly }) => ({ key, readOnly })),
  );
}

/** Type and material of a private key's public half. */
export function publicHalf(privateKey: string | undefined): string {
  assert.ok(privateKey !== undefined, "there is no private key");
  return sshpk.parsePrivateKey(privateKey, "ssh-private").toPublic().toString("ssh").split(" ").slice(0, 2).join(" ");
}

/** Asserts what an engine changed; every other resource of a provider must have stayed the same. */
function assertChanged(run: Run, expected: [urn: string, operation: string][]): void {
  assert.deepEqual(doneTo(run), new Map(expected));
}
