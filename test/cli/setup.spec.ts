import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import type { Context } from "../../cli/common/context";
import { setup } from "../../cli/setup/run";
import type { Prompts } from "../../cli/common/prompts";
import { ciSystem } from "../../program/requiredChecks";
import { requireCommands } from "../require";
import { answering, TOKEN, Computer } from "./computer";

// The prompts themselves (keys, colours) are a library's and are not under test here.
describe("setup", () => {
  before(function () {
    requireCommands(this, "git", "git");
  });

  let computer: Computer;
  beforeEach(async () => {
    computer = (await Computer.start()).everythingWorks();
  });
  afterEach(() => computer.stop());

  const run = (argv: string[], prompts?: Prompts, env: NodeJS.ProcessEnv = {}, overrides: Partial<Context> = {}) =>
    setup(argv, computer.surroundings(env, overrides), computer.ui(prompts));
  const YES = ["--yes", "--owner", "octo", "--repository", "server", "--visibility", "public", "--ssh", "everyone"];
  const repository = () => JSON.parse(computer.read("nix/repository.json")) as Record<string, unknown>;
  const filesBefore = () => [computer.read("nix/repository.json"), computer.read("Pulumi.dev.yaml")];

  describe("by flags", () => {
    it("writes both files, and says what comes next", async () => {
      assert.equal(await run(YES), 0, computer.said);
      assert.deepEqual(JSON.parse(computer.read("nix/repository.json")), {
        owner: "octo",
        name: "server",
        branch: "main",
        access: "deploy-key",
      });
      assert.equal(
        computer.read("Pulumi.dev.yaml"),
        `config:
  aws:region: us-east-1
  pulumi-nixos:machine:
    instanceType: t3.small
    exclusiveRules: true
  github:owner: octo
  pulumi-nixos:repository:
    visibility: public
    githubPlan: free
`,
      );
      assert.match(computer.said, /Next:\n {2}npx pulumi up\n {2}git push -u origin HEAD\n$/);
    });

    it("shows the difference before it writes", async () => {
      await run(YES);
      assert.match(computer.said, /^--- nix\/repository\.json\n\+\+\+ nix\/repository\.json\n@@/m);
      assert.match(computer.said, /^-\s*"owner": "",\n-\s*"name": "pulumi-nixos",\n\+\s*"owner": "octo",$/m);
      assert.match(computer.said, /^\+ {2}github:owner: octo$/m);
    });

    it("changes nothing when it runs again", async () => {
      await run(YES);
      const files = filesBefore();
      computer.said = "";
      assert.equal(await run(["--yes"]), 0, computer.said);
      assert.deepEqual(filesBefore(), files);
      assert.match(computer.said, /The files say all of this already/);
    });

    const LOGGED_IN = '{"user":"t","url":"file://~"}';

    it("goes on creating the repository that the stack has created meanwhile", async () => {
      await run(YES);
      computer.replies.set("/repos/octo/server", { body: { visibility: "public" } });
      const has = { type: "github:index/repository:Repository", outputs: { name: "server" } };
      const state = `echo '${JSON.stringify({ deployment: { resources: [has] } })}'`;
      computer.program("pulumi", computer.pulumiScript(LOGGED_IN, "", "echo dev", state));
      assert.equal(await run(["--yes"]), 0, computer.said);
      assert.doesNotMatch(computer.read("Pulumi.dev.yaml"), /create:/);
    });

    it("begins with the project's own stack while none is selected", async () => {
      const selected = "echo 'error: no stack selected; please use `pulumi stack select` to choose one' >&2; exit 255";
      computer.program("pulumi", computer.pulumiScript(LOGGED_IN, "", selected.replaceAll("`", "\\`")));
      assert.equal(await run(YES), 0, computer.said);
      assert.match(computer.read("Pulumi.dev.yaml"), /github:owner: octo/);
    });

    it("writes nothing when the CLI cannot tell which stack is selected, unless one is named", async () => {
      const files = filesBefore();
      const selected = "echo 'error: the state cannot be read: connection refused' >&2; exit 255";
      computer.program("pulumi", computer.pulumiScript(LOGGED_IN, "", selected));
      assert.equal(await run(YES), 2);
      assert.match(computer.said, /cannot be told: the state cannot be read: connection refused\n.*--stack dev\n/);
      assert.deepEqual(filesBefore(), files);
      assert.equal(await run([...YES, "--stack", "dev"]), 0, computer.said);
    });

    it("does not take a CLI that is too slow to answer for one without a stack", async () => {
      const files = filesBefore();
      assert.equal(await setup(YES, computer.withHanging("--show-name"), computer.ui()), 2);
      assert.match(computer.said, /cannot be told: pulumi did not answer in time/);
      assert.deepEqual(filesBefore(), files);
    });

    it("keeps comments, order and keys that it does not know", async () => {
      const text = `# ours
encryptionsalt: v1:abc # of the passphrase
config:
  # near our office
  aws:region: eu-west-1
  other:key:
    secure: ${"A".repeat(200)}
  pulumi-nixos:repository:
    # since May
    githubPlan: paid
`;
      computer.write("Pulumi.dev.yaml", text);
      computer.write(
        "nix/repository.json",
        '{"extra": [1, 2], "name": "x", "owner": "", "branch": "trunk", "access": "token"}',
      );
      computer.replies.set("/user", { body: { login: "octo" }, headers: { "x-oauth-scopes": "repo" } });
      const problem = await run(YES);
      // An unknown field of repository.json is a problem of its own, found before anything is written.
      assert.equal(problem, 2, computer.said);
      assert.match(computer.said, /"extra"/);
      computer.write("nix/repository.json", '{"name": "x", "owner": "", "branch": "trunk", "access": "token"}');
      assert.equal(await run(YES), 0, computer.said);
      assert.equal(
        computer.read("Pulumi.dev.yaml"),
        `${text}    visibility: public\n  github:owner: octo\n  pulumi-nixos:machine:\n    exclusiveRules: true\n`,
      );
      assert.deepEqual(Object.entries(JSON.parse(computer.read("nix/repository.json")) as object), [
        ["name", "server"],
        ["owner", "octo"],
        ["branch", "trunk"],
        ["access", "token"],
      ]);
    });

    it("writes the file of a stack that has none", async () => {
      assert.equal(await run([...YES, "--stack", "acme/pulumi-nixos/live", "--region", "eu-west-1"]), 0, computer.said);
      assert.match(computer.read("Pulumi.live.yaml"), /^config:\n {2}aws:region: eu-west-1\n {2}github:owner: octo\n/);
    });

    it("splits networks by family and closes the other one", async () => {
      const argv = [...YES.slice(0, -1), "203.0.113.0/24,198.51.100.7/32"];
      assert.equal(await run(argv), 0, computer.said);
      const text = computer.read("Pulumi.dev.yaml");
      assert.match(text, /sshCidrBlocks: \[203\.0\.113\.0\/24, 198\.51\.100\.7\/32\]\n/);
      assert.match(text, /sshIpv6CidrBlocks: \[\]\n/);
    });

    it("lists everything that is missing or wrong in one message, and writes nothing", async () => {
      const files = filesBefore();
      const argv = [
        "--yes",
        "--repository",
        "a b",
        "--instance-type",
        "t4g.small",
        "--ssh",
        "10.0.0.1/8",
        "--create",
        "--adopt",
      ];
      assert.equal(await run(argv), 2);
      for (const part of [
        "--owner is missing",
        "--visibility is missing",
        '"a b"',
        "t4g.small",
        "10.0.0.0/8",
        "only one of them",
      ]) {
        assert.ok(computer.said.includes(part), `${part} in:\n${computer.said}`);
      }
      assert.match(computer.said, /^The command line has 6 problems:/);
      assert.match(computer.said, /\nAll options: npm run setup -- --help\n$/);
      assert.deepEqual(filesBefore(), files);
      assert.equal(computer.requests.length, 0);
    });

    it("refuses a flag that it does not know", async () => {
      assert.equal(await run([...YES, "--protect"]), 2);
      assert.match(computer.said, /--protect/);
    });

    it("refuses to ask without a terminal", async () => {
      assert.equal(await run([]), 2);
      assert.match(computer.said, /no terminal.*--yes/);
    });

    const LAST_VERSION = `config:
  # the office's region
  aws:region: us-east-1
  # enough for the builds
  pulumi-nixos:instanceType: t3.large
  pulumi-nixos:amiId: ""
  pulumi-nixos:release: 25.11
  pulumi-nixos:rootVolumeGiB: "40"
  pulumi-nixos:sshCidrBlocks: [203.0.113.0/24]
  pulumi-nixos:protection: off
  pulumi-nixos:keyGenerations:
    - 1
    - 2
  pulumi-nixos:stateKeyArn:
    secure: v1:abc
  pulumi-nixos:adoptedKey:
    secure: v1:def
  other:amiId: theirs
`;
    const THIS_VERSION = `config:
  # the office's region
  aws:region: us-east-1
  pulumi-nixos:adoptedKey:
    secure: v1:def
  other:amiId: theirs
  pulumi-nixos:machine:
    # enough for the builds
    instanceType: t3.large
    release: "25.11"
    rootVolumeGiB: 40
    sshCidrBlocks: [203.0.113.0/24]
  pulumi-nixos:repository:
    branchProtection: "off"
  pulumi-nixos:keyVersions:
    - 1
    - 2
  pulumi-nixos:integration:
    stateKeyArn:
      secure: v1:abc
`;

    it("--move-keys gives the keys of the last version their names of today, and asks nobody", async () => {
      computer.write("Pulumi.dev.yaml", LAST_VERSION);
      assert.equal(await run(["--yes", "--move-keys"]), 0, computer.said);
      assert.equal(computer.read("Pulumi.dev.yaml"), THIS_VERSION);
      assert.match(computer.said, /^- {2}pulumi-nixos:instanceType: t3\.large$/m);
      assert.doesNotMatch(computer.said, /GitHub/);
      computer.said = "";
      assert.equal(await run(["--yes", "--move-keys"]), 0);
      assert.equal(computer.said, "The files say all of this already.\n");
    });

    it("moves them whenever it writes the file", async () => {
      computer.write("Pulumi.dev.yaml", "config:\n  aws:region: us-east-1\n  pulumi-nixos:plan: paid\n");
      assert.equal(await run(YES), 0, computer.said);
      assert.doesNotMatch(computer.read("Pulumi.dev.yaml"), /pulumi-nixos:plan/);
      assert.match(computer.read("Pulumi.dev.yaml"), /pulumi-nixos:repository:\n {4}githubPlan: \w+\n/);
    });

    it("refuses a key under both names, and leaves the file", async () => {
      const text = "config:\n  pulumi-nixos:plan: paid\n  pulumi-nixos:repository: { githubPlan: paid }\n";
      computer.write("Pulumi.dev.yaml", text);
      for (const argv of [["--yes", "--move-keys"], YES]) assert.equal(await run(argv), 2);
      assert.match(
        computer.said,
        /Pulumi\.dev\.yaml: pulumi-nixos:plan: pulumi-nixos:repository\.githubPlan is set too/,
      );
      assert.equal(computer.read("Pulumi.dev.yaml"), text);
    });

    it("moves no key into what is no group in the file, which would be lost", async () => {
      for (const group of ["'{\"rootVolumeGiB\":30}'", "{ secure: v1:abc }", "*other"]) {
        const text = `config:\n  a:b: &other { x: 1 }\n  pulumi-nixos:machine: ${group}\n  pulumi-nixos:instanceType: t3.large\n`;
        computer.write("Pulumi.dev.yaml", text);
        computer.said = "";
        for (const argv of [["--yes", "--move-keys"], YES]) assert.equal(await run(argv), 2, group);
        assert.match(computer.said, /Pulumi\.dev\.yaml: pulumi-nixos:machine: is a text, an alias or encrypted/);
        assert.equal(computer.read("Pulumi.dev.yaml"), text);
      }
    });

    it("moves no key before the anchor of its value", async () => {
      const text =
        "config:\n  pulumi-nixos:machine: { release: '26.05' }\n  a:b: &p [203.0.113.0/24]\n  pulumi-nixos:sshCidrBlocks: *p\n";
      computer.write("Pulumi.dev.yaml", text);
      assert.equal(await run(["--yes", "--move-keys"]), 2);
      assert.match(computer.said, /Pulumi\.dev\.yaml: .*anchor/);
      assert.equal(computer.read("Pulumi.dev.yaml"), text);
    });

    it("drops a key of the last version that has no value", async () => {
      computer.write("Pulumi.dev.yaml", "config:\n  aws:region: us-east-1\n  pulumi-nixos:rootVolumeGiB:\n");
      assert.equal(await run(["--yes", "--move-keys"]), 0, computer.said);
      assert.equal(computer.read("Pulumi.dev.yaml"), "config:\n  aws:region: us-east-1\n");
    });

    it("refuses files that it cannot understand, and leaves them", async () => {
      computer.write("Pulumi.dev.yaml", "config: [");
      assert.equal(await run(YES), 2);
      assert.match(computer.said, /Pulumi\.dev\.yaml: is not YAML/);
      assert.equal(computer.read("Pulumi.dev.yaml"), "config: [");
    });

    it("refuses a configuration that the update would refuse", async () => {
      computer.write("Pulumi.dev.yaml", "config:\n  aws:region: us-east-1\n  pulumi-nixos:instancetype: t3.small\n");
      assert.equal(await run(YES), 2);
      assert.match(computer.said, /Did you mean pulumi-nixos:machine\.instanceType/);
      assert.equal(repository()["owner"], "");
    });

    it("leaves no temporary file behind", async () => {
      await run(YES);
      assert.deepEqual(
        readdirSync(computer.project).filter((file) => file.endsWith(".new")),
        [],
      );
    });

    it("never prints the token or the keys", async () => {
      computer.replies.set("/user", { status: 401, body: { message: `Bad credentials ${TOKEN.slice(0, 4)}` } });
      computer.replies.set("/sts/", { status: 403, body: { Error: { Code: "SignatureDoesNotMatch" } } });
      await run(YES);
      assert.ok(!computer.said.includes(TOKEN) && !computer.said.includes("secretOfTheTest"), computer.said);
      const [user] = computer.requests.filter(({ path }) => path === "/user");
      assert.equal(user?.headers.authorization, `Bearer ${TOKEN}`);
    });
  });

  describe("GitHub's rules", () => {
    const privately = YES.map((word) => (word === "public" ? "private" : word));

    it("refuses a protected private repository on a free plan, and names the ways out", async () => {
      const files = filesBefore();
      assert.equal(await run(privately), 2);
      assert.match(computer.said, /--visibility public, or --protection off, or a paid plan/);
      assert.deepEqual(filesBefore(), files);
    });

    it("takes it with protection off", async () => {
      assert.equal(await run([...privately, "--protection", "off"]), 0, computer.said);
      assert.match(computer.read("Pulumi.dev.yaml"), /branchProtection: "off"\n/);
    });

    it("takes it on a paid plan, which it writes down", async () => {
      computer.replies.set("/user", {
        body: { login: "octo", plan: { name: "pro" } },
        headers: { "x-oauth-scopes": "repo" },
      });
      assert.equal(await run(privately), 0, computer.said);
      assert.match(computer.read("Pulumi.dev.yaml"), /githubPlan: paid\n/);
    });

    it("does not overwrite a plan that GitHub does not tell", async () => {
      computer.write(
        "Pulumi.dev.yaml",
        "config:\n  aws:region: us-east-1\n  pulumi-nixos:repository:\n    githubPlan: paid\n",
      );
      computer.replies.set("/user", { body: { login: "octo" }, headers: { "x-oauth-scopes": "repo" } });
      assert.equal(await run(privately), 0, computer.said);
      assert.match(computer.read("Pulumi.dev.yaml"), /githubPlan: paid\n/);
      assert.match(computer.said, /note {2}plan/);
    });

    it("reads with a token where the organization forbids deploy keys", async () => {
      computer.organization("acme", { plan: { name: "team" }, deploy_keys_enabled_for_repositories: false });
      assert.equal(await run([...YES, "--owner", "acme"]), 0, computer.said);
      assert.equal(repository()["access"], "token");
      assert.match(
        computer.said,
        /npx pulumi up\n {2}npm run secrets -- init && npm run secrets -- token\n.*\n {2}npx pulumi up\n {2}git push/,
      );
    });

    it("refuses the deploy key that was asked for there", async () => {
      computer.organization("acme", { deploy_keys_enabled_for_repositories: false });
      assert.equal(await run([...YES, "--owner", "acme", "--access", "deploy-key"]), 2);
      assert.match(computer.said, /forbids deploy keys/);
    });

    it("adopts a repository that is there, and needs no visibility for --adopt", async () => {
      computer.replies.set("/repos/octo/server", { body: { visibility: "public", permissions: { admin: true } } });
      const argv = ["--yes", "--owner", "octo", "--repository", "server", "--ssh", "everyone", "--adopt"];
      assert.equal(await run(argv), 0, computer.said);
      assert.match(computer.read("Pulumi.dev.yaml"), /create: false\n/);
    });

    it("says that a repository to be created is there already", async () => {
      computer.replies.set("/repos/octo/server", { body: { visibility: "public", permissions: { admin: true } } });
      assert.equal(await run([...YES, "--create"]), 1);
      assert.match(computer.said, /octo\/server is to be created, but is there/);
    });

    describe("what GitHub has already, and the stack not", () => {
      const REPOSITORY = "github:index/repository:Repository";
      const RULE = "github:index/branchProtection:BranchProtection";
      const has = (...resources: [type: string, outputs: object][]) => {
        const listed = resources.map(([type, outputs]) => ({ type, outputs }));
        const state = JSON.stringify({ version: 3, deployment: { resources: listed } });
        computer.program(
          "pulumi",
          computer.pulumiScript('{"user":"t","url":"file://~"}', "", undefined, `echo '${state}'`),
        );
      };
      beforeEach(async () => {
        // The files say all of it, as after a first setup of this checkout.
        assert.equal(await run([...YES, "--create"]), 0, computer.said);
        computer.replies.set("/repos/octo/server", { body: { visibility: "public", permissions: { admin: true } } });
        computer.said = "";
      });

      it("is named after a destroy, and in a second stack, with the ways that work: the repository", async () => {
        has();
        assert.equal(await run(["--yes"]), 1, computer.said);
        assert.match(computer.said, /octo\/server is to be created, but is there, and stack dev does not have it/);
        assert.match(computer.said, /npm run adopt -- nixos-repository=server/);
        assert.match(computer.said, /name already exists on this account/);
      });

      it("is named where the stack is not even there", async () => {
        computer.program(
          "pulumi",
          computer.pulumiScript("{}", "", undefined, "echo \"error: no stack named 'dev' found\" >&2; exit 255"),
        );
        assert.equal(await run(["--yes"]), 1, computer.said);
        assert.match(computer.said, /stack dev does not have it/);
      });

      it("is named too: the rule that protects the branch", async () => {
        has([REPOSITORY, { name: "server" }]);
        computer.replies.set("/repos/octo/server/branches/main/protection", { body: {} });
        assert.equal(await run(["--yes"]), 1, computer.said);
        assert.match(
          computer.said,
          /main of octo\/server is protected by a rule already, and stack dev does not have it/,
        );
        assert.match(computer.said, /npm run adopt -- nixos-repository-protection=server:main/);
      });

      it("is none where the stack made it, or could not be asked", async () => {
        has([REPOSITORY, { name: "server" }], [RULE, { pattern: "main" }]);
        computer.replies.set("/repos/octo/server/branches/main/protection", { body: {} });
        assert.equal(await run(["--yes"]), 0, computer.said);
        computer.program(
          "pulumi",
          computer.pulumiScript("{}", "", undefined, "echo 'error: not logged in' >&2; exit 255"),
        );
        await run(["--yes"]);
        assert.doesNotMatch(computer.said, /does not have it/);
      });
    });

    for (const [name, reply, part] of [
      ["401", { status: 401 }, /refuses the token: it has expired, .* \(401\)/],
      [
        "403",
        { status: 403, body: { message: "Resource not accessible" } },
        /forbids this to the token \(403: Resource/,
      ],
      ["403 of the limit", { status: 403, headers: { "x-ratelimit-remaining": "0" } }, /limit of requests is used up/],
      ["403 of single sign-on", { status: 403, headers: { "x-github-sso": "required" } }, /single sign-on/],
      ["404", { status: 404 }, /does not know it/],
      ["500", { status: 500 }, /answers with status 500/],
      ["silence", "hang", /no answer within 0\.5 s/],
    ] as const) {
      it(`writes all the same after ${name}, and fails with what to do`, async () => {
        computer.replies.set("/user", reply);
        const impatient = reply === "hang" ? { patienceSeconds: 0.5 } : {};
        assert.equal(await run(YES, undefined, {}, impatient), 1);
        assert.match(computer.said, part);
        assert.match(computer.said, /Before `npx pulumi up`:\n.*GitHub/);
        assert.equal(repository()["owner"], "octo");
      });
    }
  });

  describe("the system that checks pull requests", () => {
    const GARNIX = 'flakeDir: nix\nbuilds:\n  include: ["nixosConfigurations.default"]\n';
    const ci = (word: string, ...more: string[]) => run([...YES, "--ci", word, ...more]);

    it("is written only where it is not the default", async () => {
      assert.equal(await ci("github-actions"), 0, computer.said);
      assert.doesNotMatch(computer.read("Pulumi.dev.yaml"), /checksFrom/);
      assert.equal(await ci("other"), 0, computer.said);
      assert.match(computer.read("Pulumi.dev.yaml"), /^ {4}checksFrom: other$/m);
      assert.ok(!readdirSync(computer.project).includes("garnix.yaml"));
    });

    it("stays when setup runs again, and goes back to the default by the flag", async () => {
      await ci("other");
      assert.equal(await run(["--yes"]), 0, computer.said);
      assert.match(computer.read("Pulumi.dev.yaml"), /checksFrom: other$/m);
      assert.equal(await run(["--yes", "--ci", "github-actions"]), 0, computer.said);
      assert.match(computer.read("Pulumi.dev.yaml"), /checksFrom: github-actions$/m);
    });

    it("is one of those that there are", async () => {
      const files = filesBefore();
      assert.equal(await ci("jenkins"), 2);
      assert.match(computer.said, /--ci: got "jenkins"; allowed: "github-actions", "garnix", "hydra", "other", "none"/);
      assert.deepEqual(filesBefore(), files);
    });

    it("garnix: writes garnix.yaml, shown before, and commits it with the others", async () => {
      assert.equal(await ci("garnix", "--commit"), 0, computer.said);
      assert.equal(computer.read("garnix.yaml"), GARNIX);
      const quote = computer.said.indexOf("--- /dev/null\n+++ garnix.yaml\n@@ -0,0 +1,3 @@\n+flakeDir: nix\n");
      assert.ok(quote >= 0 && quote < computer.said.indexOf("Written: "), computer.said);
      assert.match(computer.read("Pulumi.dev.yaml"), /checksFrom: garnix$/m);
      assert.equal(
        computer.git("show", "--format=", "--name-only", "HEAD"),
        "Pulumi.dev.yaml\ngarnix.yaml\nnix/repository.json",
      );
      computer.said = "";
      assert.equal(await run(["--yes"]), 0, computer.said);
      assert.match(computer.said, /The files say all of this already/);
    });

    it("garnix: leaves a garnix.yaml that says the same in its own words", async () => {
      const own = "# ours\nbuilds: {include: [checks.x86_64-linux.*, nixosConfigurations.default]}\nflakeDir:   nix\n";
      computer.write("garnix.yaml", own);
      assert.equal(await ci("garnix"), 0, computer.said);
      assert.equal(computer.read("garnix.yaml"), own);
    });

    it("garnix: keeps what another garnix.yaml says, and shows what changes in it", async () => {
      computer.write(
        "garnix.yaml",
        "# ours\nflakeDir: flake # here\nbuilds:\n  include:\n    - checks.x86_64-linux.*\n  exclude: []\nservers: []\n",
      );
      assert.equal(await ci("garnix"), 0, computer.said);
      assert.equal(
        computer.read("garnix.yaml"),
        "# ours\nflakeDir: nix # here\nbuilds:\n  include:\n    - checks.x86_64-linux.*\n" +
          "    - nixosConfigurations.default\n  exclude: []\nservers: []\n",
      );
      assert.match(computer.said, /^--- garnix\.yaml\n\+\+\+ garnix\.yaml\n@@/m);
      assert.match(computer.said, /^-flakeDir: flake # here\n\+flakeDir: nix # here$/m);
    });

    for (const [name, before, after] of [
      ["is empty", "", GARNIX],
      ["has comments alone", "# ours\n", `# ours\n${GARNIX}`],
      ["has no builds", "flakeDir: nix\n", GARNIX.replaceAll('"', "")],
      ["has empty builds", "flakeDir: nix\nbuilds:\n", GARNIX.replaceAll('"', "")],
    ] as const) {
      it(`garnix: completes a garnix.yaml that ${name}`, async () => {
        computer.write("garnix.yaml", before);
        assert.equal(await ci("garnix"), 0, computer.said);
        assert.equal(computer.read("garnix.yaml"), after);
      });
    }

    for (const [name, text, part] of [
      ["is no YAML", "flakeDir: [", /garnix\.yaml: is not YAML/],
      ["is a list", "- nix\n", /garnix\.yaml: has another form/],
      [
        "has builds of another form",
        "builds:\n  - branch: main\n",
        /"nixosConfigurations\.default" under builds\.include/,
      ],
      ["has includes of another form", "builds:\n  include: all\n", /garnix\.yaml: has another form/],
    ] as const) {
      it(`garnix: writes nothing at all when garnix.yaml ${name}`, async () => {
        const files = filesBefore();
        computer.write("garnix.yaml", text);
        assert.equal(await ci("garnix"), 2);
        assert.match(computer.said, part);
        assert.equal(computer.read("garnix.yaml"), text);
        assert.deepEqual(filesBefore(), files);
      });
    }

    it("hydra: writes, and says at the end that requiredChecks must name its jobs", async () => {
      assert.equal(await ci("hydra"), 1);
      assert.match(computer.read("Pulumi.dev.yaml"), /checksFrom: hydra$/m);
      const end = computer.said.slice(computer.said.indexOf("Before `npx pulumi up`:"));
      assert.match(end, /requiredChecks: got "Evaluate flake\.nix", "nixosConfig default"/);
      assert.match(
        end,
        /In Pulumi\.dev\.yaml set pulumi-nixos:repository\.requiredChecks to .*\["ci\/hydra:<project>:<jobset>:<job>"\]/,
      );
      assert.match(end, /--protection off/);
    });

    it("hydra: has nothing to say once requiredChecks names its jobs", async () => {
      await ci("hydra");
      computer.write(
        "Pulumi.dev.yaml",
        computer
          .read("Pulumi.dev.yaml")
          .replace("checksFrom:", 'requiredChecks: ["ci/hydra:p:main:system"]\n    checksFrom:'),
      );
      computer.said = "";
      assert.equal(await run(["--yes"]), 0, computer.said);
      assert.match(computer.said, /Next:\n {2}npx pulumi up/);
    });

    it("none: writes, and says at the end that protection must be off", async () => {
      assert.equal(await ci("none"), 1);
      assert.match(computer.read("Pulumi.dev.yaml"), /checksFrom: none$/m);
      assert.match(computer.said, /Before `npx pulumi up`:\n(.*\n)+.*npm run setup -- --protection off\./);
      assert.equal(await run(["--yes", "--protection", "off"]), 0, computer.said);
    });

    it("refuses all the same what else is wrong with the required checks", async () => {
      computer.write(
        "Pulumi.dev.yaml",
        "config:\n  aws:region: us-east-1\n  pulumi-nixos:repository: { requiredChecks: [] }\n",
      );
      assert.equal(await ci("none"), 2);
      assert.match(computer.said, /at least one check name/);
    });
  });

  describe("actions", () => {
    it("does none with --yes alone", async () => {
      await run(YES);
      assert.equal(computer.git("remote"), "");
      assert.equal(computer.git("log", "--format=%s"), "start");
    });

    it("adds the remote and commits the two files alone", async () => {
      computer.write("other.txt", "not ours");
      computer.git("add", "other.txt");
      assert.equal(await run([...YES, "--add-remote", "--commit"]), 0, computer.said);
      assert.equal(computer.git("remote", "get-url", "origin"), "git@github.com:octo/server.git");
      assert.equal(
        computer.git("show", "--format=%s", "--name-only", "HEAD"),
        "Set up the stack\n\nPulumi.dev.yaml\nnix/repository.json",
      );
      assert.equal(computer.git("status", "--porcelain"), "A  other.txt");
    });

    it("keeps another origin as upstream", async () => {
      computer.git("remote", "add", "origin", "https://github.com/somebody/template.git");
      await run([...YES, "--add-remote"]);
      assert.equal(computer.git("remote", "get-url", "upstream"), "https://github.com/somebody/template.git");
      assert.equal(computer.git("remote", "get-url", "origin"), "git@github.com:octo/server.git");
    });

    for (const [flag, why, prepare] of [
      [
        "--add-remote",
        /git's remote origin is https:\/\/git\.example\.com\/us\/server\.git, which is not on github\.com/,
        () => void computer.git("remote", "add", "origin", `https://me:${"word"}@git.example.com/us/server.git`),
      ],
      ["--init-stack", /The Pulumi CLI was not found/, () => computer.without("pulumi")],
      [
        "--init-stack",
        /Pulumi is not logged in: PULUMI_ACCESS_TOKEN must be set/,
        () =>
          computer.program(
            "pulumi",
            "echo 'Downloading pulumi v3.259.0...' >&2; echo 'error: PULUMI_ACCESS_TOKEN must be set' >&2; exit 1",
          ),
      ],
      ["--commit", /not a git repository/, () => rmSync(path.join(computer.project, ".git"), { recursive: true })],
      ["--add-remote", /not a git repository/, () => rmSync(path.join(computer.project, ".git"), { recursive: true })],
    ] as const) {
      it(`says that it cannot do ${flag}, and fails: ${why.source}`, async () => {
        prepare();
        assert.equal(await run([...YES, flag]), 1, computer.said);
        assert.match(computer.said, new RegExp(`FAIL +${flag} +not done: .*${why.source}`));
        assert.equal(repository()["owner"], "octo");
      });
    }

    it("creates and selects another stack", async () => {
      assert.equal(await run([...YES, "--stack", "live", "--region", "us-east-1", "--init-stack"]), 0, computer.said);
      const log = readFileSync(path.join(computer.folder, "pulumi.log"), "utf8");
      assert.match(log, /^stack select --create live /m);
    });
  });

  describe("with questions", () => {
    const ANSWERS = {
      "GitHub user": "",
      "GitHub repository": "server",
      "not found. Create": "create",
      "Who may see": "public",
      "AWS region": "eu-west-1",
      "instance type": "t3.medium",
      "Who may log in": "networks",
      Networks: "203.0.113.0/24, 2001:db8::/32",
      "What checks pull requests": "",
      "Write this": true,
      remote: true,
      Commit: true,
    };

    it("asks, shows, writes, and commits", async () => {
      const prompts = answering(ANSWERS);
      assert.equal(await run([], prompts), 0, computer.said);
      // The owner that was offered is the token's user.
      assert.equal(repository()["owner"], "octo");
      const text = computer.read("Pulumi.dev.yaml");
      assert.match(text, /aws:region: eu-west-1\n/);
      assert.match(text, /instanceType: t3\.medium\n/);
      assert.match(text, /sshIpv6CidrBlocks: \["?2001:db8::\/32"?\]\n/);
      assert.equal(computer.git("status", "--porcelain"), "");
      assert.ok(computer.said.indexOf("+  github:owner: octo") > 0);
    });

    it("writes nothing when the difference is refused", async () => {
      const files = filesBefore();
      assert.equal(await run([], answering({ ...ANSWERS, "Write this": false })), 2);
      assert.deepEqual(filesBefore(), files);
      assert.equal(computer.git("log", "--format=%s"), "start");
    });

    it("writes nothing when somebody leaves in the middle", async () => {
      const files = filesBefore();
      const leaving = answering(ANSWERS);
      leaving.choose = () => Promise.reject(Object.assign(new Error("left"), { name: "ExitPromptError" }));
      assert.equal(await run([], leaving), 2);
      assert.deepEqual(filesBefore(), files);
    });

    it("does not ask what a flag says", async () => {
      const prompts = answering(ANSWERS);
      await run(["--owner", "octo", "--region", "us-west-2"], prompts);
      assert.ok(!prompts.asked.some((question) => /GitHub user|AWS region/.test(question)), prompts.asked.join("\n"));
    });

    it("offers every system that can check, one line each, the default first", async () => {
      const prompts = answering(ANSWERS);
      const choose = prompts.choose.bind(prompts);
      let offered: { words: string[]; usual?: string } | undefined;
      prompts.choose = (question, choices, usual) => {
        if (question.includes("What checks")) {
          offered = { words: choices.map(({ value }) => value), usual };
          for (const { value, name } of choices) assert.match(name, new RegExp(`^${value}: .{10,90}$`));
        }
        return choose(question, choices, usual);
      };
      assert.equal(await run([], prompts), 0, computer.said);
      assert.equal(offered?.usual, "github-actions");
      const allowed = ciSystem("ci", "?")[0]?.match(/allowed: (.*)\./)?.[1];
      assert.equal(offered.words.map((word) => `"${word}"`).join(", "), allowed);
    });

    it("writes garnix.yaml only when the difference is accepted", async () => {
      const answers = { ...ANSWERS, "What checks pull requests": "garnix", "Write this": false };
      assert.equal(await run([], answering(answers)), 2);
      assert.match(computer.said, /^\+\+\+ garnix\.yaml$/m);
      assert.ok(!readdirSync(computer.project).includes("garnix.yaml"));
      assert.equal(await run([], answering({ ...answers, "Write this": true })), 0, computer.said);
      assert.ok(readdirSync(computer.project).includes("garnix.yaml"));
      assert.equal(computer.git("status", "--porcelain"), "");
    });

    it("offers the ways out of a free plan", async () => {
      const answers = { ...ANSWERS, "Who may see": "private", "On a free plan": "off" };
      assert.equal(await run([], answering(answers)), 0, computer.said);
      assert.match(computer.read("Pulumi.dev.yaml"), /branchProtection: "off"\n/);
    });

    it("asks again for a machine with too little memory", async () => {
      const prompts = answering({ ...ANSWERS, "1 GiB": false });
      let asked = 0;
      const text = prompts.text.bind(prompts);
      prompts.text = (question, usual, check) =>
        question.includes("instance type") && asked++ === 0
          ? Promise.resolve("t3.micro")
          : text(question, usual, check);
      await run([], prompts);
      assert.match(computer.read("Pulumi.dev.yaml"), /instanceType: t3\.medium\n/);
    });
  });
});
