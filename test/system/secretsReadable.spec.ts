/**
 * `npm run secrets` where sops itself would leave a value in plain text, or encrypt for somebody who cannot open it: with
 * the real sops. Nothing is written, and the secret is at no moment in a file in which it can be read.
 * Cannot prove: what an editor keeps outside of the folders that it is given.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { adminKeys } from "../../cli/secrets/ageKeys";
import { secretsResults } from "../../cli/secrets/check";
import { init } from "../../cli/secrets/init";
import { set } from "../../cli/secrets/set";
import { token } from "../../cli/secrets/token";
import { ageIdentity, newAgeIdentity, recipientOfIdentity } from "../../components/keys/age";
import { secretsProblems } from "../../components/deploy/flakeSecrets.mjs";
import { requireOrSkip } from "../require";
import { hasCommand } from "../../cli/rehearse/commands";
import { SecretsProject } from "../support/secrets";

const FILE = "nix/secrets.yaml";
const WORD = "correct-horse";

describe("secrets that sops would leave readable", () => {
  let project: SecretsProject;
  let machine: string;
  let mine: string;

  before(function () {
    requireOrSkip(this, "sops", hasCommand("sops"), "sops is not on PATH (.ci/install-sops.sh builds it)");
  });
  beforeEach(async () => {
    project = new SecretsProject();
    project.stack.up();
    await init(project.place, { name: "alice" });
    [machine] = (await project.stack.keys())!.recipients as [string];
    mine = adminKeys(project.context)[0]!.recipient;
  });
  afterEach(() => project.remove());

  function rules(...lines: string[]): void {
    project.write(".sops.yaml", `creation_rules:\n${lines.map((line) => `  ${line}\n`).join("")}`);
  }

  function store(name: string, value = WORD): Promise<void> {
    project.person.secrets = [value];
    return set(project.place, name);
  }

  /** All that is in the project and in the home, and all that was said. */
  function everything(): string {
    const files = fs.readdirSync(project.root, { recursive: true, withFileTypes: true });
    const texts = files
      .filter((entry) => entry.isFile())
      .map((entry) => fs.readFileSync(path.join(entry.parentPath, entry.name), "utf8"));
    return [...texts, ...project.person.told, ...project.person.asked].join("\n");
  }

  /** Stands before the real sops; writes down every file that it was given, as it is when sops ends. */
  function watchSops(): string {
    const bin = path.join(project.root, "bin");
    const seen = path.join(project.root, "watched");
    const real = execFileSync("bash", ["-c", "command -v sops"]).toString().trim();
    fs.mkdirSync(bin);
    fs.writeFileSync(
      path.join(bin, "sops"),
      `#!/bin/bash\n'${real}' "$@"\ncode=$?\nfor word in "$@"; do [[ ! -f $word ]] || cat "$word" >>'${seen}'; done\nexit $code\n`,
      { mode: 0o755 },
    );
    project.context.env["PATH"] = `${bin}:${project.context.env["PATH"]}`;
    return seen;
  }

  // Each with a name that the rule leaves readable, and one that it does not.
  for (const [rule, name, encrypted] of [
    ["encrypted_regex: ^(data|stringData)$", "wifi-password", "data"],
    ["unencrypted_regex: ^(wifi|github)", "wifi-password", "x"],
    ["encrypted_suffix: _secret", "wifi-password", "x_secret"],
    ["encrypted_comment_regex: 'sops:enc'", "wifi-password", undefined],
    ["unencrypted_suffix: n", "domain", "x"],
  ] as const) {
    const key = rule.split(":")[0]!;

    it(`are refused in a new file under "${rule}", with the key that causes it`, async () => {
      rules(`- age: ${mine},${machine}`, `  ${rule}`);
      await assert.rejects(store(name), ({ name: kind, message }: Error) => {
        assert.equal(kind, "UserError");
        assert.match(
          message,
          new RegExp(`"${name}" would stand in nix/secrets\\.yaml in plain text. Nothing was changed.`),
        );
        assert.match(message, new RegExp(`because of "${key}: .*" in creation rule 1 of \\.sops\\.yaml`));
        assert.ok(!message.includes(WORD));
        return true;
      });
      assert.ok(!fs.existsSync(path.join(project.folder, FILE)));
      assert.ok(!everything().includes(WORD));
    });

    if (encrypted === undefined) continue;
    it(`are refused in a file that was made under "${rule}": it stays as it was`, async () => {
      rules(`- age: ${mine},${machine}`, `  ${rule}`);
      await store(encrypted, "first");
      const before = fs.readFileSync(path.join(project.folder, FILE));
      const seen = watchSops();
      await assert.rejects(store(name), { name: "UserError", message: new RegExp(`"${key}: `) });
      assert.deepEqual(fs.readFileSync(path.join(project.folder, FILE)), before);
      assert.match(fs.readFileSync(seen, "utf8"), /not a secret/);
      assert.ok(!everything().includes(WORD));
      // What the rule encrypts can still be stored.
      await store(encrypted, "second");
    });
  }

  // Fault 93
  it("are refused as the GitHub token, too", async () => {
    rules(`- age: ${mine},${machine}`, "  encrypted_regex: ^data$");
    project.person.secrets = ["ghp_abcDEF123"];
    await assert.rejects(token(project.place), { name: "UserError", message: /"github-access-token" would stand/ });
    assert.ok(!everything().includes("ghp_abcDEF123"));
  });

  it("are refused by the rule that comes first, by its number", async () => {
    rules(
      "- path_regex: ^other$",
      `  age: ${mine}`,
      "- path_regex: \\.yaml$",
      "  encrypted_suffix: _x",
      `  age: ${mine},${machine}`,
      "- path_regex: nix/secrets\\.yaml$",
      `  age: ${mine},${machine}`,
    );
    await assert.rejects(store("a"), { message: /"encrypted_suffix: "_x"" in creation rule 2 of \.sops\.yaml/ });
  });

  it("are none with mac_only_encrypted, nor with rules for other files", async () => {
    rules(
      "- path_regex: k8s/",
      "  encrypted_regex: ^data$",
      `  age: ${mine}`,
      `- age: ${mine},${machine}`,
      "  mac_only_encrypted: true",
    );
    await store("a");
    await store("b/c");
    assert.ok(!everything().includes(WORD));
    assert.deepEqual(secretsProblems(path.join(project.folder, "nix"), machine), []);
  });

  for (const name of ["wifi_unencrypted", "group_unencrypted/wifi", "group/wifi_unencrypted"]) {
    it(`are refused by the name ${name}`, async () => {
      await assert.rejects(store(name), { name: "UserError", message: /"_unencrypted".* in plain text/ });
      await store("a");
      const before = project.read(FILE);
      await assert.rejects(store(name), { name: "UserError" });
      assert.equal(project.read(FILE), before);
      assert.ok(!everything().includes(WORD));
    });
  }

  it("are refused when somebody encrypts a plain file with init", async () => {
    project.write(FILE, `wifi: ${WORD}\ndata: x\n`);
    rules(`- age: ${mine},${machine}`, "  encrypted_regex: ^data$");
    await assert.rejects(init(project.place, {}), { name: "UserError", message: /"wifi" would stand/ });
    assert.equal(project.read(FILE), `wifi: ${WORD}\ndata: x\n`);
    assert.deepEqual(fs.readdirSync(path.join(project.folder, "nix")), ["secrets.yaml"]);
  });

  it("are said by init and check before anything is stored", async () => {
    rules(`- age: ${mine},${machine}`, "  encrypted_regex: ^data$");
    await init(project.place, {});
    assert.match(
      project.person.told.at(-1)!,
      /"encrypted_regex: "\^data\$"" in creation rule 1 leaves values in plain text/,
    );
    const failed = (await secretsResults(project.place)).filter(({ outcome }) => outcome === "failed");
    assert.match(
      failed.map(({ found }) => found).join(),
      /creation rule 1 leaves values of nix\/secrets\.yaml in plain text/,
    );
  });

  describe("in the editor", () => {
    /** `secrets -- edit` with an editor that runs these lines on the opened file. */
    function edit(script: string) {
      const editor = path.join(project.root, "editor");
      fs.writeFileSync(editor, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      return spawnSync(path.resolve("node_modules/.bin/tsx"), [path.resolve("cli/secrets.ts"), "edit"], {
        cwd: project.folder,
        env: { ...project.context.env, EDITOR: editor },
        encoding: "utf8",
      });
    }

    // Fault 94
    it("are refused in every type of value, and leave nothing behind", async () => {
      rules(`- age: ${mine},${machine}`, "  unencrypted_regex: ^open");
      await store("a", "1");
      const before = fs.readFileSync(path.join(project.folder, FILE));
      const temporary = path.join(project.root, "tmp");
      fs.mkdirSync(temporary);
      project.context.env["TMPDIR"] = temporary;
      for (const [what, text] of [
        ["a text", `open: ${WORD}`],
        ["a number", "open: 4711"],
        ["a yes", "open: true"],
        ["a list", `open: [${WORD}, 1]`],
        ["a map", `open: {a: {b: ${WORD}}}`],
        ["several lines", `open: |\n  ${WORD}`],
        ["a name of sops's own ending", `more_unencrypted: ${WORD}`],
      ] as const) {
        // As vim and emacs keep a copy beside the file.
        const { status, stderr } = edit(`cp "$1" "$1~"; cat >>"$1" <<'END'\n${text}\nEND`);
        assert.equal(status, 1, what);
        assert.match(stderr, /would stand in nix\/secrets\.yaml in plain text/, what);
        assert.deepEqual(fs.readFileSync(path.join(project.folder, FILE)), before, what);
        assert.deepEqual(leftIn(temporary), [], what);
      }
      assert.equal(edit(`echo 'other: ${WORD}' >>"$1"`).status, 0);
      fs.rmSync(path.join(project.root, "editor"));
      assert.ok(!everything().includes(WORD));
    });

    it("do not take the place of what was stored meanwhile: both are kept", async () => {
      await store("a", "1");
      const wanted = path.join(project.root, "wanted");
      fs.copyFileSync(path.join(project.folder, FILE), wanted);
      fs.appendFileSync(wanted, "# as another command left it\n");
      const { status, stderr } = edit(
        `echo 'mine: ${WORD}' >>"$1"; cp '${wanted}' '${path.join(project.folder, FILE)}'`,
      );
      assert.equal(status, 1);
      assert.match(stderr, /changed by something else meanwhile/);
      assert.deepEqual(fs.readFileSync(path.join(project.folder, FILE)), fs.readFileSync(wanted));
      assert.match(everything(), /^mine: ENC\[/m);
      assert.ok(!fs.readdirSync(path.join(project.folder, "nix")).some((name) => name.endsWith(".new")));
    });

    it("go when everything is killed while the editor is open", async () => {
      await store("a");
      const temporary = path.join(project.root, "tmp");
      fs.mkdirSync(temporary);
      const editor = path.join(project.root, "editor");
      const open = path.join(project.root, "open");
      fs.writeFileSync(editor, `#!/bin/sh\ngrep -q '${WORD}' "$1" && echo yes >'${open}'\nexec sleep 600\n`, {
        mode: 0o755,
      });
      const child = spawn(path.resolve("node_modules/.bin/tsx"), [path.resolve("cli/secrets.ts"), "edit"], {
        cwd: project.folder,
        env: { ...project.context.env, EDITOR: editor, TMPDIR: temporary },
        stdio: "ignore",
        detached: true,
      });
      await until(() => fs.existsSync(open));
      process.kill(-child.pid!, "SIGKILL");
      await until(() => leftIn(temporary).length === 0);
    });
  });

  describe("key groups", () => {
    async function table(): Promise<string> {
      return (await secretsResults(project.place))
        .map(({ outcome, subject, found }) => `${outcome} ${subject}: ${found}`)
        .join("\n");
    }

    /** Whether the machine's key alone opens the file, by the real sops. */
    async function machineOpens(): Promise<boolean> {
      const identity = ageIdentity(await project.stack.machineKey());
      const env = { PATH: process.env["PATH"], HOME: path.join(project.root, "nobody"), SOPS_AGE_KEY: identity };
      return spawnSync("sops", ["decrypt", path.join(project.folder, FILE)], { env }).status === 0;
    }

    function encryptFile(): void {
      const args = ["--config", path.join(project.folder, ".sops.yaml"), "encrypt", "--filename-override"];
      const place = path.join(project.folder, FILE);
      fs.writeFileSync(place, execFileSync("sops", [...args, place], { input: "a: b\n" }));
    }

    for (const [what, groups, threshold] of [
      ["a dash too many: the machine in one of two groups", ["M", "A"], undefined],
      ["two groups, of which both are needed by a threshold", ["M", "A"], 2],
      ["three groups, of which two are needed, with the machine in one", ["M", "A", "B"], 2],
      ["the machine twice in one group", ["MM", "A"], undefined],
      ["a group of another kind of key", ["M", "kms"], undefined],
      ["three groups, of which two are needed, with the machine in two", ["M", "MA", "B"], 2],
      ["the machine in every group", ["M", "MA"], undefined],
      ["the machine in every group, and threshold 0", ["M", "MA"], 0],
      ["one group", ["MA"], undefined],
      ["one group in which the machine is twice", ["MMA"], undefined],
    ] as const) {
      it(`say of ${what} what sops does`, async () => {
        const other = recipientOfIdentity(newAgeIdentity());
        const keys = { M: machine, A: mine, B: other } as Record<string, string>;
        const isKms = (groups as readonly string[]).includes("kms");
        rules(
          "- key_groups:",
          ...groups.flatMap((group) =>
            group === "kms"
              ? [
                  "    - kms:",
                  "        - arn: arn:aws:kms:eu-west-1:000000000000:key/00000000-0000-0000-0000-000000000000",
                ]
              : ["    - age:", ...[...group].map((key) => `        - ${keys[key]}`)],
          ),
          ...(threshold === undefined ? [] : [`  shamir_threshold: ${threshold}`]),
        );
        const held = groups.filter((group) => group.includes("M")).length;
        const expected = held >= (threshold || groups.length);
        const text = await table();
        const named = text.split("\n").find((line) => line.includes(" .sops.yaml: "))!;
        assert.match(
          named,
          expected ? /^ok/ : /^failed .* names the machine, .* in \d of \d key groups, but \d are needed together/,
        );
        // A service for keys is not there to ask.
        if (isKms) return;
        encryptFile();
        assert.equal(await machineOpens(), expected);
        const problems = secretsProblems(path.join(project.folder, "nix"), machine);
        if (expected) assert.deepEqual(problems, []);
        else
          assert.match(
            problems.join(),
            /the machine cannot open it: it is encrypted for \d key groups, of which \d are needed together/,
          );
        const full = await table();
        assert.match(full, /^ok nix\/secrets\.yaml: encrypted for whom/m);
        if (expected) assert.doesNotMatch(full, /^failed/m);
      });
    }

    // Fault 95
    it("that leave the machine out are a row of the table, and a refusal of init, not of check", async () => {
      rules("- key_groups:", `    - age: [${mine}]`, `    - age: [${machine}]`);
      encryptFile();
      const text = await table();
      assert.match(text, /^failed flake's folder: .*the machine cannot open it/m);
      assert.match(text, /^failed \.sops\.yaml: names the machine/m);
      assert.match(text, /^skipped content: this computer's key does not open it in 2 key groups/m);
      await assert.rejects(init(project.place, {}), { name: "UserError", message: /has 2 key groups/ });
    });

    it("that differ from the rule's are said, and put right by init", async () => {
      rules("- key_groups:", `    - age: [${mine}, ${machine}]`, `    - age: [${machine}, ${mine}]`);
      encryptFile();
      rules("- key_groups:", `    - age: [${mine}, ${machine}]`);
      assert.match(
        await table(),
        /failed nix\/secrets\.yaml: is encrypted for 2 key groups, of which 2 are needed, where \.sops\.yaml has one/,
      );
      await init(project.place, {});
      assert.doesNotMatch(await table(), /^failed/m);
      assert.ok(await machineOpens());
    });
  });
});

/** What is in a temporary folder, but for the cache of tsx. */
function leftIn(folder: string): string[] {
  return fs.readdirSync(folder).filter((name) => !name.startsWith("tsx-"));
}

/** One generous limit, that of the test. */
async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 50));
}
