/**
 * What the subcommands refuse before they call sops, and how the command line is read.
 * Cannot prove: what sops does (test/system/secrets.spec.ts), or how the questions look at a terminal.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { secretsIn } from "../../cli/secrets/main";
import { set } from "../../cli/secrets/set";
import { token, tokenLine, tokenLineProblems } from "../../cli/secrets/token";
import { init } from "../../cli/secrets/init";
import { secretsResults } from "../../cli/secrets/check";
import { edit } from "../../cli/secrets/edit";
import { rotate } from "../../cli/secrets/rotate";
import { ageRecipient } from "../../components/keys/age";
import { newKey } from "../../cli/rehearse/keys";
import { heard } from "../support/heard";
import { SecretsProject } from "../support/secrets";

describe("npm run secrets", () => {
  let project: SecretsProject;
  let said: string[];

  beforeEach(() => {
    project = new SecretsProject();
    // Nothing on PATH: whatever is refused here is refused without a program.
    project.context.env["PATH"] = "";
    said = [];
  });
  afterEach(() => project.remove());

  const run = (...args: string[]) => secretsIn(() => project.place)(args, project.context, heard(said));

  it("says how it is used on --help", async () => {
    assert.equal(await run("set", "--help"), 0);
    assert.match(said.join(), /npm run secrets -- set NAME/);
  });

  it("names the subcommands when it does not know one", async () => {
    for (const args of [[], ["sett"]]) {
      assert.equal(await run(...args), 2);
      assert.match(said.pop()!, /^subcommand: got "(sett)?"; allowed: init, set, token, edit, check, rotate\.\n/);
    }
  });

  it("refuses a value as an argument, without repeating it", async () => {
    for (const args of [
      ["set", "password", "hunter2"],
      ["token", "hunter2"],
    ]) {
      assert.equal(await run(...args), 2);
      assert.match(said.join(), /A value is never an argument/);
      assert.ok(!said.join().includes("hunter2"));
    }
  });

  it("refuses bytes that are no text, which would be stored as other ones", () => {
    const given = (input: Buffer) =>
      spawnSync(
        process.execPath,
        [require.resolve("tsx/cli"), path.resolve("cli/secrets.ts"), "init", "--recipient", "-"],
        {
          cwd: project.folder,
          env: { HOME: project.root },
          input,
          encoding: "utf8",
        },
      );
    const refused = given(Buffer.from([0xff, 0xfe, 0x61, 0x00]));
    assert.equal(refused.status, 1);
    assert.match(
      refused.stderr + refused.stdout,
      /Standard input is no text in UTF-8\. Nothing was changed\. .*base64/,
    );
    assert.match(given(Buffer.from("é\n")).stderr, /recipient: got "é"/);
  });

  it("refuses options of another subcommand", async () => {
    assert.equal(await run("check", "--installed", "--yes"), 2);
    assert.match(said.join(), /^--installed is not an option of check\.\n/);
  });

  for (const name of ["", "a b", "../a", "a//b", 'a"]["b', "sops", "sops/mac", "-x"]) {
    it(`refuses the name ${JSON.stringify(name)}`, async () => {
      await assert.rejects(set(project.place, name), { name: "UserError", message: /^NAME: got .*; allowed: / });
    });
  }

  it("refuses to store, or to edit, before init: nobody here could open it", async () => {
    for (const store of [set(project.place, "a"), token(project.place), edit(project.place)]) {
      await assert.rejects(store, {
        name: "UserError",
        message: /does not name a key of this computer\. Run `npm run secrets -- init`/,
      });
    }
  });

  it("says what to do when neither sops nor nix is there", async () => {
    project.stack.up();
    await init(project.place, {});
    project.person.secrets = ["hunter2"];
    await assert.rejects(set(project.place, "a"), {
      name: "UserError",
      message: /sops was not found on PATH, and neither was nix/,
    });
    assert.ok(!fs.existsSync(path.join(project.folder, "nix/secrets.yaml")));
  });

  it("init needs the stack's key or a recipient", async () => {
    await assert.rejects(init(project.place, {}), { name: "UserError", message: /Run `npx pulumi up` first/ });
    assert.ok(!fs.existsSync(path.join(project.folder, ".sops.yaml")));
  });

  it("init refuses a raw SSH key, and names the recipient to give", async () => {
    const { publicKeyOpenssh } = newKey();
    const message = new RegExp(`This key's recipient is ${ageRecipient(publicKeyOpenssh)}\\.`);
    await assert.rejects(init(project.place, { recipient: [publicKeyOpenssh.trim()] }), { name: "UserError", message });
  });

  it("init shows what it would write, and writes nothing without agreement", async () => {
    project.stack.up();
    project.person.refuses = /./;
    await assert.rejects(init(project.place, {}), { name: "UserError", message: "Nothing was written." });
    assert.match(project.person.told.join("\n"), / {2}\+ +- age1[a-z0-9]{58} # the machine, key 1/);
    assert.ok(!fs.existsSync(path.join(project.folder, ".sops.yaml")));
  });

  it("init names machine and person once, however often it is run", async () => {
    project.stack.up();
    await init(project.place, { name: "alice" });
    const first = project.read(".sops.yaml");
    await init(project.place, { name: "alice" });
    assert.equal(project.read(".sops.yaml"), first);
    assert.match(first, /- age1\w{58} # the machine, key 1\n +- age1\w{58} # admin: alice\n$/);
  });

  it("check says what is missing before anything is there, and fails at nothing", async () => {
    assert.equal(await run("check"), 0);
    assert.match(project.person.told.join(), /skip {2}machine's key +the stack has no key yet/);
    assert.match(project.person.told.join(), /note {2}\.sops\.yaml +is not there/);
  });

  it("check fails for secrets in plain text", async () => {
    project.write("nix/secrets.yaml", "password: hunter2\n");
    assert.equal(await run("check"), 1);
    assert.match(project.person.told.join(), /FAIL {2}flake's folder +.*secrets\.yaml: it is not encrypted/);
    assert.ok(!project.person.told.join().includes("hunter2"));
  });

  it("check fails when .sops.yaml does not name the machine", async () => {
    await init(project.place, { recipient: [ageRecipient(newKey().publicKeyOpenssh)] });
    project.stack.up();
    const results = await secretsResults(project.place);
    const [result] = results.filter(({ outcome }) => outcome === "failed");
    assert.equal(result!.subject, ".sops.yaml");
    assert.equal(result!.found, `does not name the machine, ${(await project.stack.keys())!.recipients[0]}`);
  });

  it("check writes nothing", async () => {
    project.stack.up();
    await run("check");
    assert.deepEqual(fs.readdirSync(project.folder, { recursive: true }), ["nix"]);
  });

  it("check wants a separate login key to be the only one that logs in", async () => {
    project.stack.up();
    const keys = (await project.stack.keys())!;
    project.stack.keys = () => Promise.resolve({ ...keys, loginPublicKeys: [newKey().publicKeyOpenssh.trim()] });
    const login = async () => (await secretsResults(project.place)).find(({ subject }) => subject === "login key")!;
    assert.equal((await login()).outcome, "note");
    assert.match((await login()).remedy!, /pulumiNixos\.amazon\.rootKeyFollowsMachineKey = false;/);
    project.write("nix/machine.nix", "{ pulumiNixos.amazon.rootKeyFollowsMachineKey = false; }\n");
    assert.equal((await login()).outcome, "ok");
  });

  it("rotate has nothing to do without a stack", async () => {
    await assert.rejects(rotate(project.place, {}), { name: "UserError", message: /there is nothing to rotate/ });
  });
});

describe("the stored token", () => {
  const good = "github_pat_11AAAAAAA0abc_DEF";

  it("is the line that Nix knows", () => {
    assert.equal(tokenLine(good), `extra-access-tokens = github.com=${good}`);
    assert.deepEqual(tokenLineProblems(tokenLine(good)), []);
  });

  for (const [what, stored] of [
    ["a bare token", good],
    ["a second setting on a line of its own", `${tokenLine(good)}\npost-build-hook = /tmp/x`],
    ["another setting", "trusted-users = *"],
    ["a value of another form", tokenLine("hunter2")],
    ["a number", 7],
  ] as const) {
    it(`is refused as ${what}, without showing it`, () => {
      const problems = tokenLineProblems(stored);
      assert.equal(problems.length, 1);
      assert.match(problems[0]!, /Run `npm run secrets -- token`/);
      assert.ok(!/hunter2|11AAAAAAA0|post-build/.test(problems[0]!));
    });
  }
});
