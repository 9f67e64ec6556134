/**
 * A whole rotation of the machine's key with the real sops, age and git, step by step, with interruptions. After every
 * step the machine, with the key and the revision that it has at that time, must open its secrets.
 * Cannot prove: what an update does to a machine: here it only gives keys (the stack is a double); the rehearsal runs it.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { init } from "../../cli/secrets/init";
import { rotate } from "../../cli/secrets/rotate";
import { set } from "../../cli/secrets/set";
import { ageIdentity, ageRecipient } from "../../components/keys/age";
import { recipientsOf } from "../../components/deploy/flakeSecrets.mjs";
import { requireOrSkip } from "../require";
import { hasCommand } from "../../cli/rehearse/commands";
import { newKey } from "../../cli/rehearse/keys";
import { SecretsProject } from "../support/secrets";
import { type LocalServer, serve } from "../support/server";

const FILE = "nix/secrets.yaml";

/** The machine as far as a rotation concerns it: the key it has, the revision it runs, the page that tells that. */
class MachineDouble {
  identity = "";
  revision: string | null = null;
  private server!: LocalServer;

  async start(): Promise<string> {
    this.server = await serve((_, answer) => answer.end(JSON.stringify({ revision: this.revision })));
    return this.server.url;
  }

  stop(): Promise<void> {
    return this.server.stop();
  }
}

describe("a rotation with the real sops", () => {
  let project: SecretsProject;
  let machine: MachineDouble;

  before(function () {
    requireOrSkip(this, "sops", hasCommand("sops"), "sops is not on PATH (.ci/install-sops.sh builds it)");
  });

  beforeEach(async () => {
    project = new SecretsProject();
    machine = new MachineDouble();
    project.stack.url = await machine.start();
    project.git("init", "--quiet", "--initial-branch", "main");
    await up();
    await init(project.place, { name: "alice" });
    project.person.secrets = ["hunter2"];
    await set(project.place, "password");
    merge();
  });
  afterEach(async () => {
    await machine.stop();
    project.remove();
  });

  /** An update: makes and drops keys, and gives the machine the one in use. */
  async function up(): Promise<void> {
    project.stack.up();
    machine.identity = ageIdentity(await project.stack.machineKey());
  }

  /** Commits, and lets the machine upgrade itself to that. */
  function merge(): void {
    project.git("add", "--all");
    project.git("commit", "--quiet", "--allow-empty", "--message", "Change secrets");
    machine.revision = project.git("rev-parse", "HEAD").trim();
  }

  /** What the machine opens with the key and the revision that it has now. */
  function onMachine(identity = machine.identity): unknown {
    const file = path.join(project.root, "on-machine.yaml");
    fs.writeFileSync(file, project.git("show", `${machine.revision}:${FILE}`));
    const env = { PATH: process.env["PATH"], HOME: path.join(project.root, "nobody"), SOPS_AGE_KEY: identity };
    const args = ["decrypt", "--output-type", "json", file];
    return JSON.parse(execFileSync("sops", args, { env, stdio: ["ignore", "pipe", "pipe"] }).toString());
  }

  /** Runs the subcommand, and returns the number of the step that it stopped at. */
  async function step(options: { installed?: boolean } = {}): Promise<number> {
    project.person.told.length = 0;
    await rotate(project.place, options);
    const overview = project.person.told.filter((text) => text.startsWith("Rotation of")).at(-1)!;
    assert.deepEqual(onMachine(), { password: "hunter2" });
    return Number(/^ {2}now {2}(\d+)\./m.exec(overview)![1]);
  }

  /** Whom .sops.yaml, then the file of secrets, has besides the person. */
  function generationsIn(text: string): string {
    const known = [...project.stack.keysMade].map(
      ([number, key]) => [ageRecipient(key.publicKeyOpenssh), number] as const,
    );
    return known
      .filter(([recipient]) => text.includes(recipient))
      .map(([, number]) => number)
      .join();
  }

  it("walks from the old key to the new one, and the machine opens its secrets after every step", async () => {
    const oldIdentity = machine.identity;
    assert.equal(await step(), 2); // make
    assert.deepEqual(project.stack.configured, [1, 2]);
    await up();
    assert.equal(machine.identity, oldIdentity);

    assert.equal(await step(), 4); // encrypted for both; install
    assert.deepEqual([generationsIn(project.read(".sops.yaml")), generationsIn(project.read(FILE))], ["1,2", "1,2"]);
    assert.match(project.person.told.join("\n"), /The machine runs [0-9a-f]{10}, which does not have these secrets/);
    assert.deepEqual(project.stack.configured, [1, 2]);
    merge();

    assert.equal(await step(), 6); // the machine has them; use
    assert.deepEqual(project.stack.configured, [2, 1]);
    await up();
    assert.notEqual(machine.identity, oldIdentity);
    assert.deepEqual(onMachine(), { password: "hunter2" });

    assert.equal(await step(), 9); // removed; destroy
    assert.deepEqual([generationsIn(project.read(".sops.yaml")), generationsIn(project.read(FILE))], ["2", "2"]);
    assert.deepEqual(project.stack.configured, [2]);
    assert.match(project.person.told.join("\n"), /Old versions of the file stay in git/);
    merge();
    await up();
    assert.deepEqual(onMachine(), { password: "hunter2" });
    assert.throws(() => onMachine(oldIdentity), /Failed to get the data key/);

    project.person.refuses = /Start a rotation to version 3/;
    await assert.rejects(rotate(project.place, {}), { name: "UserError", message: "Nothing was changed." });
    assert.deepEqual(project.stack.configured, [2]);
  });

  it("encrypts every value anew when the old key goes: its holder knows the file's old key", async () => {
    await step();
    await up();
    await step();
    merge();
    await step();
    await up();
    const before = /^password: .*/m.exec(project.read(FILE))![0];
    await step();
    assert.notEqual(/^password: .*/m.exec(project.read(FILE))![0], before);
  });

  it("stays at a step, run again, until its update or merge is done", async () => {
    assert.deepEqual([await step(), await step()], [2, 2]);
    await up();
    assert.deepEqual([await step(), await step()], [4, 4]);
    merge();
    assert.deepEqual([await step(), await step()], [6, 6]);
    await up();
    assert.deepEqual([await step(), await step()], [9, 9]);
    assert.equal(project.git("status", "--porcelain", FILE).slice(0, 2), " M");
  });

  it("goes on after a run that was cut off between the two files", async () => {
    await step();
    await up();
    // .sops.yaml is written, and the file of secrets is not.
    project.person.refuses = /Change who can open/;
    await assert.rejects(rotate(project.place, {}), { name: "UserError" });
    assert.deepEqual([generationsIn(project.read(".sops.yaml")), generationsIn(project.read(FILE))], ["1,2", "1"]);
    project.person.refuses = undefined;
    assert.equal(await step(), 4);
    merge();
    await step();
    await up();
    // The old key is taken away from the file of secrets, and still named.
    project.person.refuses = /Write \.sops\.yaml/;
    await assert.rejects(rotate(project.place, {}), { name: "UserError" });
    assert.deepEqual([generationsIn(project.read(".sops.yaml")), generationsIn(project.read(FILE))], ["1,2", "2"]);
    project.person.refuses = undefined;
    assert.equal(await step(), 9);
  });

  it("waits when the machine does not say what it runs, until the person says it", async () => {
    await step();
    await up();
    await step();
    merge();
    await machine.stop();
    project.stack.url = "http://127.0.0.1:9";
    assert.equal(await step(), 4);
    assert.match(project.person.told.join("\n"), /status\.json does not say which revision the machine runs/);
    assert.equal(await step({ installed: true }), 6);
  });

  it("takes no revision from the machine's page but a revision", async () => {
    await step();
    await up();
    await step();
    const revision = machine.revision;
    merge();
    for (const answer of ["--output=/tmp/x", "HEAD", "", null]) {
      const merged = machine.revision;
      machine.revision = answer;
      project.person.told.length = 0;
      await rotate(project.place, {});
      assert.match(project.person.told.join("\n"), /does not say which revision/);
      machine.revision = merged;
    }
    assert.notEqual(machine.revision, revision);
    assert.deepEqual(project.stack.configured, [1, 2]);
  });

  it("can go back as long as the old key is there", async () => {
    await step();
    await up();
    await step();
    merge();
    await step();
    await up();
    project.stack.configured = [1, 2];
    await up();
    assert.deepEqual(onMachine(), { password: "hunter2" });
  });

  it("refuses a configuration that would lock the machine out", async () => {
    await step();
    await up();
    project.stack.configured = [2];
    await assert.rejects(rotate(project.place, {}), { name: "UserError", message: /Set it back to \[1,2\]/ });
  });

  it("keeps the person among those who can open, all the way", async () => {
    const person = recipientsOf(project.read(FILE)).at(-1)!;
    for (const next of [up, () => Promise.resolve(merge()), up, up]) {
      await step();
      assert.ok(recipientsOf(project.read(FILE)).includes(person));
      await next();
    }
  });
});

describe("a rotation without secrets", () => {
  it("needs no sops, and no word about what the machine runs", async () => {
    const project = new SecretsProject();
    project.context.env["PATH"] = "";
    project.stack.up();
    for (const configured of [[1, 2], [2, 1], [2]]) {
      await rotate(project.place, {});
      assert.deepEqual(project.stack.configured, configured);
      project.stack.up();
    }
    project.remove();
  });
});

describe("a rotation with a separate machine key", () => {
  it("goes on only when the machine's configuration lets the new login key in", async () => {
    const project = new SecretsProject();
    const logins = [newKey(), newKey()].map(({ publicKeyOpenssh }) => publicKeyOpenssh.trim());
    const { stack } = project;
    const keys = stack.keys.bind(stack);
    stack.keys = async () => ({ ...(await keys())!, loginPublicKeys: logins });
    stack.up();
    await rotate(project.place, {});
    stack.up();
    project.write("nix/machine.nix", `{ }\n`);
    await assert.rejects(rotate(project.place, { installed: true }), {
      name: "UserError",
      message: `The machine would not let the new login key in. Put this line into nix/machine.nix, and run this again:\n  users.users.root.openssh.authorizedKeys.keys = [ "${logins[1]}" ];`,
    });
    assert.deepEqual(stack.configured, [1, 2]);
    project.write("nix/machine.nix", `{ users.users.root.openssh.authorizedKeys.keys = [ "${logins[1]}" ]; }\n`);
    await rotate(project.place, { installed: true });
    assert.deepEqual(stack.configured, [2, 1]);
    stack.up();
    await rotate(project.place, {});
    assert.match(project.person.told.join("\n"), /truncate -s 0 \/root\/\.ssh\/authorized_keys/);
    project.remove();
  });
});
