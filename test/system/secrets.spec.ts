/**
 * `npm run secrets` with the real sops and age, on a project of its own: who can open what, which bytes change, and
 * that no secret is seen on the way.
 * Cannot prove: that sops-nix opens the file on a machine; its key's age identity does, here.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { adminKeys } from "../../cli/secrets/ageKeys";
import { secretsResults } from "../../cli/secrets/check";
import { init } from "../../cli/secrets/init";
import { set } from "../../cli/secrets/set";
import { token } from "../../cli/secrets/token";
import { ageIdentity, ageRecipient } from "../../components/keys/age";
import { recipientsOf, secretsProblems } from "../../components/deploy/flakeSecrets.mjs";
import { requireOrSkip } from "../require";
import { hasCommand } from "../../cli/rehearse/commands";
import { newKey } from "../../cli/rehearse/keys";
import { SecretsProject } from "../support/secrets";

const FILE = "nix/secrets.yaml";

/** The lines of a SOPS file that hold values, by their names. */
function valueLines(text: string): Record<string, string> {
  const lines = text.slice(0, text.indexOf("\nsops:")).split("\n");
  return Object.fromEntries(lines.map((line) => [line.split(":")[0]!.trim(), line]));
}

describe("secrets with the real sops", () => {
  let project: SecretsProject;

  before(function () {
    requireOrSkip(this, "sops", hasCommand("sops"), "sops is not on PATH (.ci/install-sops.sh builds it)");
    requireOrSkip(this, "sops", hasCommand("age"), "age is not on PATH (Debian: apt-get install age)");
  });
  beforeEach(async () => {
    project = new SecretsProject();
    project.stack.up();
    await init(project.place, { name: "alice" });
  });
  afterEach(() => project.remove());

  async function store(name: string, value: string): Promise<void> {
    project.person.secrets = [value];
    await set(project.place, name);
  }

  /** What the machine reads: opened with its own key alone. */
  async function onMachine(): Promise<Record<string, unknown>> {
    return openedWith(ageIdentity(await project.stack.machineKey()));
  }

  function openedWith(identity: string): Record<string, unknown> {
    const env = { PATH: process.env["PATH"], HOME: path.join(project.root, "nobody"), SOPS_AGE_KEY: identity };
    const args = ["decrypt", "--output-type", "json", path.join(project.folder, FILE)];
    const stdout = execFileSync("sops", args, { env, stdio: ["ignore", "pipe", "pipe"] });
    return JSON.parse(stdout.toString()) as Record<string, unknown>;
  }

  /** What a person adds with `sops edit`, without this program. */
  function addWithEditor(text: string): void {
    const editor = path.join(project.root, "append");
    fs.writeFileSync(editor, `#!/bin/sh\ncat >> "$1" <<'END'\n${text}END\n`, { mode: 0o755 });
    execFileSync("sops", ["edit", path.join(project.folder, FILE)], {
      env: { ...project.context.env, EDITOR: editor },
    });
  }

  it("gives the machine what was stored", async () => {
    await store("password", "hunter2\n");
    await store("web/key", "line 1\nline 2\n");
    await store("looks/like-a-number", "007");
    assert.deepEqual(await onMachine(), {
      password: "hunter2",
      web: { key: "line 1\nline 2\n" },
      looks: { "like-a-number": "007" },
    });
  });

  it("lets raw age open the file's key with the machine's identity: no sops between", async () => {
    await store("password", "hunter2");
    const [recipient] = (await project.stack.keys())!.recipients;
    const own = project
      .read(FILE)
      .split("- enc: |")
      .find((part) => part.includes(recipient!))!;
    const sealed = /-----BEGIN AGE[^]*END AGE ENCRYPTED FILE-----/.exec(own)![0].replace(/^ +/gm, "");
    const opened = execFileSync("bash", ["-c", 'age --decrypt --identity <(printf "%s\\n" "$IDENTITY")'], {
      input: `${sealed}\n`,
      env: { PATH: process.env["PATH"], IDENTITY: ageIdentity(await project.stack.machineKey()) },
    });
    assert.equal(opened.length, 32);
  });

  it("does not open with another machine's key, nor with the raw SSH key as recipient", async () => {
    await store("password", "hunter2");
    assert.throws(() => openedWith(ageIdentity(newKey().privateKeyOpenssh)), /Failed to get the data key/);

    const machine = newKey();
    const args = ["encrypt", "--age", machine.publicKeyOpenssh.trim(), "--input-type", "yaml", "--output-type", "yaml"];
    const raw = execFileSync("sops", [...args, "--filename-override", "secrets.yaml"], {
      input: "password: hunter2\n",
    });
    project.write(FILE, raw.toString());
    assert.throws(() => openedWith(ageIdentity(machine.privateKeyOpenssh)), /Failed to get the data key/);
    const problems = secretsProblems(path.join(project.folder, "nix"), ageRecipient(machine.publicKeyOpenssh));
    assert.match(problems.join(), /A recipient "ssh-ed25519 …" does not open there/);
  });

  it("changes one value and leaves the others as they were, to the byte", async () => {
    await store("a", "1");
    await store("b", "2");
    const before = valueLines(project.read(FILE));
    await store("b", "3");
    const after = valueLines(project.read(FILE));
    assert.equal(after["a"], before["a"]);
    assert.notEqual(after["b"], before["b"]);
  });

  it("leaves what people added with sops alone", async () => {
    await store("a", "1");
    addWithEditor("# for the backup\ntheirs:\n    deep: [1, true, x]\n");
    const before = project
      .read(FILE)
      .slice(project.read(FILE).indexOf("theirs:"), project.read(FILE).indexOf("\nsops:"));
    await store("a", "2");
    assert.ok(project.read(FILE).includes(before));
    assert.deepEqual((await onMachine())["theirs"], { deep: [1, true, "x"] });
  });

  it("does not touch the file when the value is the same", async () => {
    await store("a", "1");
    const before = project.read(FILE);
    const { mtimeMs } = fs.statSync(path.join(project.folder, FILE));
    await store("a", "1");
    assert.equal(project.read(FILE), before);
    assert.equal(fs.statSync(path.join(project.folder, FILE)).mtimeMs, mtimeMs);
    assert.match(project.person.told.at(-1)!, /a has this value already; nix\/secrets\.yaml is unchanged/);
  });

  it("shows the value to nobody: not in arguments, environment, output, or files", async () => {
    // Stands before the real sops and writes down what everybody on the computer could see of it.
    const bin = path.join(project.root, "bin");
    fs.mkdirSync(bin);
    const real = execFileSync("bash", ["-c", "command -v sops"]).toString().trim();
    const seen = path.join(project.root, "seen");
    fs.writeFileSync(
      path.join(bin, "sops"),
      `#!/bin/sh\n{ printf '%s ' "$@"; env; } >> '${seen}'\nexec '${real}' "$@"\n`,
      { mode: 0o755 },
    );
    project.context.env["PATH"] = `${bin}:${project.context.env["PATH"]}`;

    await store("first", "correct-horse");
    await store("second", "correct-horse");
    await store("second", "correct-horse");
    assert.match(fs.readFileSync(seen, "utf8"), /set --idempotent --value-stdin/);
    const texts = [...project.person.told, ...project.person.asked];
    const files = fs
      .readdirSync(project.root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile());
    for (const file of files) texts.push(fs.readFileSync(path.join(file.parentPath, file.name), "utf8"));
    assert.ok(texts.length > 5);
    assert.deepEqual(
      texts.filter((text) => text.includes("correct-horse")),
      [],
    );
  });

  it("leaves nothing behind beside the two files", async () => {
    await store("a", "1");
    await store("a", "2");
    assert.deepEqual(fs.readdirSync(project.folder, { recursive: true }).sort(), [".sops.yaml", "nix", FILE].sort());
  });

  it("stores the token as the line that Nix knows, and only a token", async () => {
    project.person.secrets = ["ghp_abcDEF123\n"];
    await token(project.place);
    assert.deepEqual(await onMachine(), { "github-access-token": "extra-access-tokens = github.com=ghp_abcDEF123" });
    const before = project.read(FILE);
    project.person.secrets = ["ghp_abc\npost-build-hook = /tmp/x"];
    await assert.rejects(token(project.place), { name: "UserError" });
    assert.equal(project.read(FILE), before);
  });

  it("writes what the search of the flake's folder takes for encrypted", async () => {
    await store("a", "1");
    addWithEditor(`# a comment
list:
    - x
    - y: z
empty: ""
none: null
nothing: []
deep: { er: v }
text: |
    line 1
    line 2
yes: true
port_unencrypted: 80
`);
    const [machine] = (await project.stack.keys())!.recipients;
    assert.deepEqual(secretsProblems(path.join(project.folder, "nix"), machine), []);
  });

  it("finds nothing to object to after init, set and token", async () => {
    await store("a", "1");
    project.person.secrets = ["ghp_abcDEF123"];
    await token(project.place);
    const results = await secretsResults(project.place);
    assert.deepEqual(
      results.map(({ outcome }) => outcome),
      ["ok", "ok", "ok", "ok", "ok", "ok"],
    );
    assert.match(results.at(-1)!.found, /^opens; 2 secrets: a, github-access-token$/);
  });

  it("finds a stored token of another form, without showing it", async () => {
    await store("github-access-token", "hunter2");
    const [result] = (await secretsResults(project.place)).filter(({ outcome }) => outcome === "failed");
    assert.equal(result!.subject, "github-access-token");
    assert.ok(!JSON.stringify(result).includes("hunter2"));
  });

  it("finds a file that was changed without sops, without showing the value", async () => {
    await store("a", "1");
    project.write(FILE, project.read(FILE).replace(/^a: .*/, "a: hunter2"));
    const failed = (await secretsResults(project.place)).filter(({ outcome }) => outcome === "failed");
    assert.deepEqual(
      failed.map(({ subject }) => subject),
      ["flake's folder", "content"],
    );
    assert.ok(!JSON.stringify(failed).includes("hunter2"));
  });

  it("encrypts a file that somebody wrote in plain text, on init", async () => {
    project.write(FILE, "password: hunter2\n");
    await init(project.place, {});
    assert.ok(!project.read(FILE).includes("hunter2"));
    assert.deepEqual(await onMachine(), { password: "hunter2" });
  });

  it("lets a second person in with init: from a computer whose key opens nothing yet", async () => {
    await store("password", "hunter2");
    const before = valueLines(project.read(FILE));
    project.at("bob");
    await init(project.place, { name: "bob" });
    assert.match(project.person.asked.at(-1)!, /Open it once with the machine's key from the stack\?/);
    assert.equal(recipientsOf(project.read(FILE)).length, 3);
    assert.equal(valueLines(project.read(FILE))["password"], before["password"]);
    await store("more", "x");
    assert.deepEqual(await onMachine(), { password: "hunter2", more: "x" });
  });

  it("shuts a person out who was taken out of .sops.yaml: from what is stored later, too", async () => {
    await store("password", "hunter2");
    const dataKey = (text: string) => /^password: .*/m.exec(text)![0];
    const before = project.read(FILE);
    const [gone] = adminKeys(project.context);
    const alice = fs.readFileSync(gone!.place, "utf8").trim().split("\n").at(-1)!;
    assert.deepEqual(openedWith(alice), { password: "hunter2" });

    project.at("bob");
    project.write(".sops.yaml", project.read(".sops.yaml").replace(/.*admin: alice\n/, ""));
    await init(project.place, { name: "bob" });
    assert.ok(!recipientsOf(project.read(FILE)).includes(gone!.recipient));
    assert.throws(() => openedWith(alice), /Failed to get the data key/);
    // Under the same key an unchanged value would have the same text.
    assert.notEqual(dataKey(project.read(FILE)), dataKey(before));
    assert.deepEqual(await onMachine(), { password: "hunter2" });
    assert.equal(recipientsOf(project.read(FILE)).length, 2);
  });

  it("keeps a person out who may not read the stack's secrets", async () => {
    await store("password", "hunter2");
    const before = project.read(FILE);
    project.at("mallory");
    project.person.refuses = /Open it once/;
    await assert.rejects(init(project.place, { name: "mallory" }), { name: "UserError" });
    assert.equal(project.read(FILE), before);
    await assert.rejects(store("more", "x"), {
      name: "UserError",
      message: /This computer's age key cannot open nix\/secrets\.yaml/,
    });
  });

  it("opens the editor on the values, and tells whether something was changed", () => {
    const editor = path.join(project.root, "editor");
    fs.writeFileSync(editor, "#!/bin/sh\nsed -i 's/^a: .*/a: changed/' \"$1\"\n", { mode: 0o755 });
    const program = path.resolve("node_modules/.bin/tsx");
    const run = (...args: string[]) =>
      spawnSync(program, [path.resolve("cli/secrets.ts"), ...args], {
        cwd: project.folder,
        env: { ...project.context.env, EDITOR: editor },
        input: "1",
        encoding: "utf8",
      });
    assert.equal(run("set", "a").status, 0);
    const first = run("edit");
    assert.deepEqual([first.status, /Commit nix\/secrets\.yaml/.test(first.stdout)], [0, true], first.stderr);
    const second = run("edit");
    assert.deepEqual([second.status, /Nothing was changed/.test(second.stdout)], [0, true], second.stderr);
  });
});
