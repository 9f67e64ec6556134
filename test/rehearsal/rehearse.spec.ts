import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { SecretsCommands } from "../../cli/rehearse/secretsCommands";
import { findEngine } from "../../cli/rehearse/drivers/findEngine";
import { run } from "../../cli/rehearse/processes";
import { ROOT } from "../../cli/rehearse/project";
import type { Rehearsal } from "../../cli/rehearse/rehearse";

// With an engine and with machines, and on programs with faults: test/system/rehearsal*.spec.ts.

/** What the report says of some steps: in the words of the comment on a pull request. */
const REPORTED = [
  "  change the instance type: 1 updated",
  '    nixos (aws.ec2.Instance): instanceType "t3.small" → "t3.medium"',
  "      The machine is replaced: new disk, same address.",
  "  read the repository by token: 1 deleted, system deployed",
  "  rotate the keys, versions [1,2]: 1 created",
];

describe("npm run rehearse", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "rehearse-spec-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const command = (...args: string[]) =>
    run(process.execPath, ["--import", "tsx", "cli/rehearse.ts", ...args], {
      cwd: ROOT,
      env: { ...process.env, TMPDIR: folder },
    });

  it("walks every step in this process, says what it could not check, and leaves nothing behind", async () => {
    const json = path.join(folder, "rehearsal.json");
    const { code, stdout } = await command("--no-engine", "--no-machine", "--json", json);
    assert.equal(code, 0, stdout);
    const rehearsal = JSON.parse(readFileSync(json, "utf8")) as Rehearsal;
    for (const line of REPORTED) assert.ok(stdout.includes(line), line);
    assert.deepEqual(
      rehearsal.steps.map(({ name }) => name),
      ["create", "again", "edit", "type", "replace", "secrets", "token", "key", "rotate", "pullRequests", "destroy"],
    );
    const outcomes = (subject: string) => [
      ...new Set(rehearsal.verdicts.filter((verdict) => verdict.subject === subject).map(({ outcome }) => outcome)),
    ];
    assert.deepEqual(outcomes("program"), ["held"]);
    assert.deepEqual(outcomes("engine"), ["not checked"]);
    assert.deepEqual(outcomes("machine"), ["not run"]);
    const missing = await SecretsCommands.whatIsMissing(process.env);
    assert.deepEqual(outcomes("secrets"), [missing === undefined ? "held" : "not run"]);
    assert.doesNotMatch(stdout + readFileSync(json, "utf8"), /PRIVATE KEY/);
    // tsx keeps its own cache there.
    assert.deepEqual(
      readdirSync(folder).filter((name) => !name.startsWith("tsx-")),
      ["rehearsal.json"],
    );
  });

  it("explains itself, and refuses options that it does not have", async () => {
    const help = await command("--help");
    assert.deepEqual([help.code, help.stdout.includes("--keep")], [0, true]);
    const wrong = await command("--kept");
    assert.deepEqual([wrong.code, wrong.stderr.includes("--kept")], [2, true]);
  });
});

describe("search for an engine", () => {
  let folder: string;
  let before: NodeJS.ProcessEnv;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "engine-spec-"));
    before = { ...process.env };
    process.env["PULUMI_HOME"] = path.join(folder, "home");
  });
  afterEach(() => {
    process.env = before;
    rmSync(folder, { recursive: true, force: true });
  });

  const program = (...names: string[]) => {
    const file = path.join(folder, ...names);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, "#!/bin/sh\n");
    chmodSync(file, 0o755);
    return file;
  };
  const nothing = () => {};

  it("takes the one on PATH, but not the wrapper that npm puts there", async () => {
    const wrapper = program("node_modules/.bin/pulumi");
    const cli = program("bin/pulumi");
    process.env["PATH"] = [path.dirname(wrapper), path.dirname(cli)].join(path.delimiter);
    assert.deepEqual(await findEngine(folder, nothing), { cli });
  });

  it("takes the one that npx pulumi has downloaded before", async () => {
    process.env["PATH"] = folder;
    program("node_modules/pulumi/run.js");
    writeFileSync(path.join(folder, "node_modules/pulumi/package.json"), '{ "version": "3.999.0" }');
    const cli = program("home/versions/3.999.0/bin/pulumi");
    assert.deepEqual(await findEngine(folder, nothing), { cli });
  });

  it("gives a reason where there is none", async () => {
    process.env["PATH"] = folder;
    const search = await findEngine(folder, nothing);
    assert.match("reason" in search ? search.reason : "", /no pulumi on PATH/);
    program("node_modules/pulumi/run.js");
    writeFileSync(path.join(folder, "node_modules/pulumi/package.json"), '{ "version": "3.999.0" }');
    const offline = await findEngine(folder, nothing);
    assert.match("reason" in offline ? offline.reason : "", /cannot be reached|could not download/);
  });

  it("says in one line how to get one, and builds nothing by itself", async () => {
    const ran = path.join(folder, "ran");
    const said: string[] = [];
    const how = async () => {
      const search = await findEngine(folder, (line) => said.push(line));
      assert.ok("remedy" in search);
      assert.deepEqual(said.splice(0), [`There is no Pulumi CLI here: ${search.remedy}.`]);
      assert.doesNotMatch(search.remedy, /\n/);
      return search.remedy;
    };
    process.env["PATH"] = path.join(folder, "bin");
    const install = "install the Pulumi CLI (https://www.pulumi.com/docs/install)";
    assert.equal(await how(), install);
    writeFileSync(program(".ci/install-pulumi.sh"), `#!/bin/sh\necho script >>'${ran}'\n`);
    assert.equal(await how(), `${install}, or Go, by which .ci/install-pulumi.sh builds it`);
    writeFileSync(program("bin/go"), `#!/bin/sh\necho go >>'${ran}'\n`);
    assert.match(await how(), /^PATH="\$\(bash \.ci\/install-pulumi\.sh\):\$PATH" .* builds one with Go/);
    assert.equal(existsSync(ran), false);
  });
});
