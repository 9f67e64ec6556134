/**
 * A server's own repository is brought to another version of ours: what only one side changed, what both did, and what
 * nobody can merge. Clone, git and the command are real. Cannot prove: that versions to come change nothing else.
 */
import assert from "node:assert/strict";
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { InProcessDriver } from "../../cli/rehearse/drivers/inProcess";
import { createFakes } from "../../cli/rehearse/fakes";
import { run, type Result } from "../../cli/rehearse/processes";
import type { Prompts } from "../../cli/common/prompts";
import { realContext } from "../../cli/common/context";
import { heard } from "../support/heard";
import { offerOwnRepository } from "../../cli/new/offer";
import { requireCommands } from "../require";
import { Workshop } from "./workshop";

/** Changes a text in a file, which must have it. */
function edit(folder: string, file: string, from: string, to: string): void {
  const text = readFileSync(path.join(folder, file), "utf8");
  assert.ok(text.includes(from), `${file}: ${from}`);
  writeFileSync(path.join(folder, file), text.replace(from, to));
}

describe("an update of a server's own repository", () => {
  let workshop: Workshop;
  let server: string;
  const read = (file: string) => readFileSync(path.join(server, file), "utf8");

  beforeEach(async function () {
    requireCommands(this, "git", "git");
    workshop = new Workshop();
    server = await workshop.server();
  });
  afterEach(() => workshop?.remove());

  /** As where nobody has installed it. */
  const withoutGit = (...args: string[]) => {
    const { clone } = workshop;
    const line = ["--require", require.resolve("tsx/cjs"), path.join(clone, "cli/new.ts"), ...args];
    return run(process.execPath, line, { cwd: clone, env: { PATH: path.join(clone, "nix") } });
  };

  /** A version of ours that differs in each of the ways that files can. */
  function nextVersion(): void {
    const { clone } = workshop;
    appendFileSync(path.join(clone, "components/README.md"), "\nNewer.\n");
    rmSync(path.join(clone, "nix/www/style.css"));
    writeFileSync(path.join(clone, "nix/modules/another.nix"), "{ }\n");
    edit(clone, "nix/machine.nix", "# Your machine.", "# The machine.");
    edit(clone, "index.ts", 'import { readFileSync } from "node:fs";', 'import { readFileSync } from "fs";');
    edit(clone, "nix/modules/default.nix", "./web.nix", "./web.nix\n    ./another.nix");
    workshop.commit(clone, "Next version");
  }

  it("does nothing where there is nothing new", async () => {
    const { code, stdout } = await workshop.new("--update", server);
    assert.equal(code, 0, stdout);
    assert.equal(workshop.git(server, "status", "--porcelain"), "");
  });

  it("takes what is new, keeps what is yours, and merges what both changed", async () => {
    edit(server, "index.ts", "/** DNS name of the machine. */", "/** My DNS name. */");
    edit(server, "nix/modules/web.nix", "lib", "lib /* mine */");
    edit(server, "README.md", "# my-server", "# My own");
    writeFileSync(path.join(server, "nix/mine.nix"), "{ }\n");
    rmSync(path.join(server, ".github/workflows/cache.yml"));
    workshop.commit(server, "Mine");
    nextVersion();
    const { code, stdout, stderr } = await workshop.new("--update", server);
    assert.equal(code, 0, stdout + stderr);
    const lines = [...stdout.matchAll(/^ {2}(\w+(?: yours)?) {2,}(\S+)$/gm)];
    const words = Object.fromEntries(lines.map(([, word, file]) => [file!, word!]));
    assert.deepEqual(words, {
      ".github/workflows/cache.yml": "kept yours",
      "README.md": "kept yours",
      "index.ts": "merged",
      "nix/machine.nix": "updated",
      "nix/modules/another.nix": "added",
      "nix/modules/default.nix": "updated",
      "nix/modules/web.nix": "kept yours",
      "nix/www/style.css": "removed",
      ".pulumi-nixos/": "replaced",
    });
    assert.match(read("index.ts"), /from "fs"/);
    assert.match(read("index.ts"), /My DNS name/);
    assert.match(read("nix/modules/web.nix"), /mine/);
    assert.match(read("nix/machine.nix"), /# The machine\./);
    assert.match(read(".pulumi-nixos/components/README.md"), /Newer/);
    assert.ok(existsSync(path.join(server, "nix/mine.nix")));
    assert.ok(!existsSync(path.join(server, "nix/www/style.css")));
    assert.ok(!existsSync(path.join(server, ".github/workflows/cache.yml")));
    workshop.commit(server, "Update");
    const again = await workshop.new("--update", server);
    assert.equal(again.code, 0);
    assert.equal(workshop.git(server, "status", "--porcelain"), "");
  });

  it("changes nothing where both changed the same lines, unless it is told to leave markers", async () => {
    edit(server, "nix/machine.nix", "# Your machine.", "# My machine.");
    workshop.commit(server, "Mine");
    nextVersion();
    const { code, stdout } = await workshop.new("--update", server);
    assert.equal(code, 1, stdout);
    assert.match(stdout, /CONFLICT +nix\/machine\.nix/);
    assert.equal(workshop.git(server, "status", "--porcelain"), "");
    const marked = await workshop.new("--update", server, "--markers");
    assert.equal(marked.code, 1);
    assert.match(
      read("nix/machine.nix"),
      /<{7} yours\n# My machine\.[^]*\|{7}[^]*={7}\n# The machine\.[^]*>{7} newer version/,
    );
    assert.match(read(".pulumi-nixos/components/README.md"), /Newer/);
  });

  it("refuses what it could not give back: changes that are not committed, and changes in the program's folder", async () => {
    writeFileSync(path.join(server, "nix/mine.nix"), "{ }\n");
    const unsaved = await workshop.new("--update", server);
    assert.equal(unsaved.code, 2);
    assert.match(unsaved.stderr, /not committed[^]*nix\/mine\.nix[^]*Nothing was changed/);
    appendFileSync(path.join(server, ".pulumi-nixos/components/README.md"), "Mine.\n");
    writeFileSync(path.join(server, ".pulumi-nixos/mine.ts"), "");
    workshop.commit(server, "Mine");
    rmSync(path.join(workshop.clone, "components/signals.ts"));
    workshop.commit(workshop.clone, "Next version");
    const inside = await workshop.new("--update", server);
    assert.equal(inside.code, 2);
    assert.match(inside.stderr, /components\/README\.md is not what it was given as/);
    assert.match(inside.stderr, /mine\.ts is none of the program's/);
    const replaced = await workshop.new("--update", server, "--replace");
    assert.equal(replaced.code, 0, replaced.stdout);
    assert.doesNotMatch(read(".pulumi-nixos/components/README.md"), /Mine/);
    for (const gone of ["mine.ts", "components/signals.ts"])
      assert.ok(!existsSync(path.join(server, ".pulumi-nixos", gone)), gone);
  });

  it("says what is wrong with the folder, with git, and with what was given", async () => {
    const cases: [RegExp, () => Promise<Result>][] = [
      [/nowhere does not exist/, () => workshop.new("--update", "../nowhere")],
      [/README\.md is no folder/, () => workshop.new("README.md")],
      [/git was not found on PATH/, () => withoutGit("--update", server)],
      [/git was not found on PATH/, () => withoutGit("../another")],
      [
        /given\.json is not what was written there/,
        () => {
          writeFileSync(path.join(server, ".pulumi-nixos/given.json"), "<<<<<<<");
          workshop.commit(server, "Broken");
          return workshop.new("--update", server);
        },
      ],
      [
        /Pulumi\.yaml: the project has no "name:"/,
        () => {
          writeFileSync(path.join(server, "Pulumi.yaml"), "");
          workshop.git(server, "checkout", "--quiet", "HEAD^", ".pulumi-nixos");
          workshop.commit(server, "Broken, too");
          return workshop.new("--update", server);
        },
      ],
    ];
    for (const [pattern, run] of cases) {
      const { code, stderr } = await run();
      assert.equal(code, 2, stderr);
      assert.match(stderr, pattern);
      assert.match(stderr, /Nothing was changed\.$/m);
      assert.doesNotMatch(stderr, /^ +at |no git repository/m);
    }
  });

  it("says how to take it back where only a part could be written", async () => {
    nextVersion();
    // Nobody may write there, not even root: a file that git does not follow stands in a folder's place.
    rmSync(path.join(server, ".pulumi-nixos/cli"), { recursive: true });
    workshop.commit(server, "Mine");
    appendFileSync(path.join(server, ".git/info/exclude"), "cli\n");
    writeFileSync(path.join(server, ".pulumi-nixos/cli"), "");
    const { code, stderr } = await workshop.new("--update", server, "--replace");
    assert.equal(code, 1, stderr);
    assert.match(stderr, /Only a part was written[^]*git -C \S+ reset --hard/);
    assert.doesNotMatch(stderr, /Nothing was changed/);
    assert.notEqual(workshop.git(server, "status", "--porcelain"), "");
  });

  it("refuses a folder that has files, without --update, and names that a project cannot have", async () => {
    const named = await workshop.new("../My Server");
    assert.equal(named.code, 2);
    assert.match(named.stderr, /got "My Server"; allowed: small letters/);
    const { code, stderr } = await workshop.new("../my-server");
    assert.equal(code, 2);
    assert.match(stderr, /is not empty/);
  });

  it("writes names that YAML has another meaning for as texts, and folders as words of the shell", async () => {
    for (const name of ["2026", "1_000", "null"]) {
      const { code, stdout, stderr } = await workshop.new(`../my servers/${name}`);
      assert.equal(code, 0, stderr);
      assert.match(stdout, new RegExp(`^ {2}cd '.*/my servers/${name}'$`, "m"));
      const project = readFileSync(path.join(workshop.root, "my servers", name, "Pulumi.yaml"), "utf8");
      assert.match(project, new RegExp(`^name: "${name}"$`, "m"));
    }
  });
});

describe("a copy of the whole repository", () => {
  let workshop: Workshop;
  before(function () {
    requireCommands(this, "git", "git");
  });
  beforeEach(() => {
    workshop = new Workshop();
  });
  afterEach(() => workshop?.remove());

  it("becomes the server's alone, of the same stack, and keeps all that is its owner's", async () => {
    const { clone, root } = workshop;
    const old = path.join(root, "old");
    workshop.git(root, "clone", "--quiet", clone, old);
    workshop.link(old);
    edit(old, "nix/repository.json", '"owner": ""', '"owner": "example"');
    edit(old, "index.ts", "/** DNS name of the machine. */", "/** My DNS name. */");
    edit(old, "components/README.md", "\n", "\nMine.\n");
    edit(old, "package.json", '"yaml": "2.9.1"', '"yaml": "2.9.1",\n    "left-pad": "1.3.0"');
    writeFileSync(path.join(old, "nix/mine.nix"), "{ }\n");
    workshop.commit(old, "Mine");
    edit(clone, "index.ts", 'import { readFileSync } from "node:fs";', 'import { readFileSync } from "fs";');
    workshop.commit(clone, "Next version");

    const fakes = createFakes("example", {
      directory: old,
      environment: { PATH: process.env["PATH"] },
      standIn: (_command, variables) =>
        variables["DEPLOY_HOST"] === undefined
          ? undefined
          : { stdout: JSON.stringify({ systemPath: "/nix/store/x", changed: true, rebooted: false }), stderr: "" },
    });
    try {
      const driver = new InProcessDriver(old, fakes, "before and after");
      const config = {
        "aws:region": "us-east-1",
        "github:owner": "example",
        // A key of the last version stays understood.
        "pulumi-nixos:plan": "paid",
        "pulumi-nixos:deployment": '{"evaluate":false}',
      };
      const before = await driver.update({ config });
      const { code, stdout, stderr } = await workshop.new("--update", old);
      assert.equal(code, 0, stdout + stderr);
      const after = await driver.update({ config });
      const urns = ({ resources }: typeof before) => resources.map(({ urn }) => urn).sort();
      assert.deepEqual(urns(after), urns(before));
      // The deployment program has another path; it runs once more, and finds its work done.
      const changed = after.operations.filter(({ operation }) => operation !== "same");
      assert.deepEqual(
        changed.map(({ type, operation, detailedDiff }) => [type, operation, Object.keys(detailedDiff)]),
        [["command:local:Command", "update", ["create"]]],
      );
      assert.match(stdout, /kept yours +components\/README\.md/);
    } finally {
      fakes.stop();
    }
    const index = readFileSync(path.join(old, "index.ts"), "utf8");
    assert.match(index, /from "fs"/);
    assert.match(index, /My DNS name/);
    workshop.commit(old, "Move");
    const files = workshop.files(old).filter((file) => !file.startsWith(".pulumi-nixos/"));
    assert.ok(files.includes("nix/mine.nix"));
    assert.deepEqual(
      files.filter((file) => /^(test|examples|cli|components)\//.test(file)),
      ["components/README.md"],
    );
    const { dependencies } = JSON.parse(readFileSync(path.join(old, "package.json"), "utf8")) as {
      dependencies: object;
    };
    assert.deepEqual(dependencies, { "left-pad": "1.3.0" });
    const again = await workshop.new("--update", old);
    assert.equal(again.code, 0, again.stdout);
    assert.equal(workshop.git(old, "status", "--porcelain"), "");
  });

  it("is refused by a clone without the older versions", async () => {
    const { clone, root } = workshop;
    const old = path.join(root, "old");
    const shallow = path.join(root, "shallow");
    workshop.git(root, "clone", "--quiet", clone, old);
    workshop.commit(clone, "Next version", "--allow-empty");
    workshop.git(root, "clone", "--quiet", "--depth", "1", `file://${clone}`, shallow);
    workshop.link(shallow);
    const { code, stderr } = await workshop.script(shallow, "new", "--update", old);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /git fetch --unshallow\nNothing was changed/);
  });

  it("becomes it in place as long as nobody has worked in it", async () => {
    const { clone } = workshop;
    const { code, stdout, stderr } = await workshop.new("--update", ".");
    assert.equal(code, 0, stdout + stderr);
    workshop.commit(clone, "Strip");
    assert.ok(workshop.files(clone).filter((file) => !file.startsWith(".pulumi-nixos/")).length <= 90);
    const checked = await workshop.script(clone, "test");
    assert.equal(checked.code, 0, checked.stdout);
  });

  it("is offered that by setup, which asks first", async () => {
    const { clone } = workshop;
    const said: string[] = [];
    const asked: string[] = [];
    const answering = (answer: boolean): Prompts => ({
      text: () => assert.fail("no text"),
      choose: () => assert.fail("no choice"),
      confirm: (question) => {
        asked.push(question);
        return Promise.resolve(answer);
      },
    });
    const context = realContext({ folder: clone });
    const offer = (prompts?: Prompts) => offerOwnRepository(context, { ...heard(said), prompts });
    assert.equal(await offer(), undefined);
    assert.match(said.join("\n"), /npm run new -- --update \./);
    assert.equal(await offer(answering(false)), undefined);
    assert.equal(workshop.git(clone, "status", "--porcelain"), "");
    assert.equal(await offer(answering(true)), 0);
    assert.equal(asked.length, 2);
    assert.ok(existsSync(path.join(clone, ".pulumi-nixos/cli/setup.ts")));
    workshop.commit(clone, "Strip");
    assert.equal(await offer(answering(true)), undefined);
  });

  it("refuses that in place where somebody has", async () => {
    edit(workshop.clone, "index.ts", "/** DNS name of the machine. */", "/** My DNS name. */");
    workshop.commit(workshop.clone, "Mine");
    const { code, stderr } = await workshop.new("--update", ".");
    assert.equal(code, 2);
    assert.match(stderr, /it has commits of its own/);
  });
});
