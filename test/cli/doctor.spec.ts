import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { doctor } from "../../cli/doctor/run";
import { ageRecipient } from "../../components/keys/age";
import { requireCommands } from "../require";
import { Computer } from "./computer";

const SECRET_LINE = "bm90LWEta2V5LWJ1dC1pdC1tdXN0LW5vdC1iZS1wcmludGVk";
const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

// The ssh here is a script; test/system/doctor.spec.ts has a real one, and a machine behind it.
describe("doctor", () => {
  before(function () {
    requireCommands(this, "git", "git");
  });

  let computer: Computer;
  beforeEach(async () => {
    computer = (await Computer.start()).everythingWorks();
    computer.write(
      "nix/repository.json",
      JSON.stringify({ owner: "octo", name: "server", branch: "main", access: "deploy-key" }),
    );
    computer.git("commit", "--quiet", "--all", "--message", "set up");
    computer.git("remote", "add", "origin", "git@github.com:octo/server.git");
  });
  afterEach(() => computer.stop());

  const run = (...argv: string[]) =>
    doctor(argv, computer.surroundings({ XDG_RUNTIME_DIR: computer.folder }), computer.ui());

  /** A stack with a machine. */
  function withMachine(): void {
    const outputs = {
      publicIp: "203.0.113.9",
      hostPublicKey: KEY,
      ageRecipients: [ageRecipient(KEY)],
      loginPublicKeys: [KEY],
    };
    const output = `[[ $* == *--json* ]] && echo '${JSON.stringify(outputs)}' || echo ${SECRET_LINE}`;
    computer.program("pulumi", computer.pulumiScript('{"user":"t","url":"file://~"}', output));
  }

  it("skips the machine before the first update, and fails for nothing else", async () => {
    assert.equal(await run(), 0, computer.said);
    assert.match(computer.said, /skip {2}machine {2}no stack named dev found\. `npx pulumi up` makes it\./);
    assert.match(computer.said, /^\d+ ok, \d+ notes, 0 failed, \d+ skipped$/m);
  });

  it("says so when it cannot be told which stack is selected, and goes on with the project's own", async () => {
    assert.equal(await doctor([], computer.withHanging("--show-name"), computer.ui()), 1);
    assert.match(computer.said, /FAIL {2}stack +which one is selected cannot be told: pulumi did not answer in time/);
    assert.match(computer.said, /no stack named dev found/);
  });

  it("does not say that an update makes the machine of a stack that did not answer", async () => {
    await doctor([], computer.withHanging("output"), computer.ui());
    assert.match(computer.said, /skip {2}machine {2}pulumi did not answer in time$/m);
  });

  it("fails before the first update where there is no default VPC and no subnet", async () => {
    const body = "<DescribeVpcsResponse><vpcSet/></DescribeVpcsResponse>";
    computer.replies.set("/ec2/", { body });
    assert.equal(await run(), 1);
    assert.match(computer.said, /FAIL {2}default VPC +us-east-1 has none/);
    computer.said = "";
    computer.write("Pulumi.dev.yaml", `${computer.read("Pulumi.dev.yaml")}    subnetId: subnet-0a1b2c3d\n`);
    await run();
    assert.doesNotMatch(computer.said, /default VPC/);
  });

  it("notes keys of the last version, and how they get their names of today", async () => {
    computer.write("Pulumi.dev.yaml", "config:\n  aws:region: us-east-1\n  pulumi-nixos:instanceType: t3.small\n");
    await run();
    assert.match(computer.said, /note {2}configuration +Pulumi\.dev\.yaml fits, with keys of the last version/);
    assert.match(computer.said, /npm run setup -- --move-keys/);
  });

  it("says that the configuration gives the provider another identity than it has tried", async () => {
    computer.write(
      "Pulumi.dev.yaml",
      `${computer.read("Pulumi.dev.yaml")}  aws:assumeRoles:\n    - roleArn: arn:aws:iam::1:role/x\n`,
    );
    await run();
    assert.match(computer.said, /skip {2}AWS provider +it takes another identity than the one above: aws:assumeRoles/);
  });

  it("changes nothing in the project", async () => {
    await run();
    assert.equal(computer.git("status", "--porcelain"), "");
  });

  it("fails when a check does", async () => {
    computer.replies.set("/user", { status: 401 });
    assert.equal(await run(), 1);
    assert.match(computer.said, /FAIL {2}GitHub /);
  });

  it("says of the secrets what their own check says", async () => {
    withMachine();
    computer.write("nix/secrets.yaml", "a: b\n");
    computer.write("nix/id_ed25519", "");
    computer.write("nix/repository.json", '{"owner":"octo","name":"server","branch":"main","access":"token"}');
    assert.equal(await run(), 1);
    assert.match(computer.said, /FAIL {2}flake's folder +nix\/id_ed25519: it looks like a private key/);
    assert.match(computer.said, /nix\/secrets\.yaml: it is not encrypted/);
    assert.match(computer.said, /FAIL {2}github-access-token +is missing, so the machine cannot read its repository/);
    assert.match(computer.said, new RegExp(`ok {4}machine's key +${ageRecipient(KEY)}`));
  });

  it("does not ask for a token before there is a key to encrypt it for", async () => {
    computer.write("nix/repository.json", '{"owner":"octo","name":"server","branch":"main","access":"token"}');
    await run();
    assert.match(computer.said, /skip {2}machine's key +The stack did not answer: no stack named dev found/);
    assert.doesNotMatch(computer.said, /github-access-token/);
  });

  it("refuses flags that it does not know", async () => {
    assert.equal(await run("--fix"), 2);
    assert.equal(await run("--port", "x"), 2);
    assert.equal(computer.requests.length, 0);
  });

  it("says why it cannot log in, prints no key and leaves none behind", async () => {
    withMachine();
    computer.program(
      "ssh",
      `[[ $1 == -V ]] || { echo "root@203.0.113.9: Permission denied (publickey)." >&2; exit 255; }`,
    );
    assert.equal(await run(), 1);
    assert.match(computer.said, /FAIL {2}login {2}root@203\.0\.113\.9, port 22: .*Permission denied/);
    assert.ok(!computer.said.includes(SECRET_LINE));
    assert.deepEqual(
      readdirSync(computer.folder).filter((name) => name.startsWith("pulumi-nixos")),
      [],
    );
  });

  it("gives ssh the key in a file that only its owner reads, and the pinned host key", async () => {
    withMachine();
    const look = `
      [[ $1 == -V ]] && exit 0
      folder=$(dirname "$2"); stat -c '%a %n' "$folder" "$folder"/* >${computer.folder}/modes
      cat "$folder/known_hosts" >>${computer.folder}/modes; printf '%s ' "$@" >>${computer.folder}/modes
      printf 'timer\\tactive\\n'`;
    computer.program("ssh", look);
    await run("--host", "127.0.0.1", "--port", "2222");
    const seen = readFileSync(`${computer.folder}/modes`, "utf8");
    assert.match(seen, /^700 /);
    assert.match(seen, /^600 .*\/id$/m);
    assert.ok(seen.includes(` ${KEY}\n`), seen);
    assert.ok(!seen.includes(SECRET_LINE));
    assert.match(computer.said, /ok {4}timer/);
  });

  it("asks for the secret only when there is a machine to log in to", async () => {
    computer.program("pulumi", `echo "$@" >>${computer.folder}/calls; ${computer.pulumiScript("{}")}`);
    await run();
    const calls = readFileSync(`${computer.folder}/calls`, "utf8");
    assert.match(calls, /^stack output --json /m);
    assert.ok(!calls.includes("--show-secrets"));
  });
});
