// The machine asking over SSH: the real script, git and ssh against a real sshd that refuses, closes, or is another one. What
// it cannot prove: that GitHub's server says the same; test/trouble/git.json has what was recorded elsewhere.
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import net, { type AddressInfo } from "node:net";
import path from "node:path";
import { until } from "../../cli/rehearse/machine";
import { requireOrSkip } from "../require";
import { Place } from "./scripts";

const SSHD = "/usr/sbin/sshd";

describe("the machine with a deploy key", () => {
  let place: Place;
  let sshd: ChildProcess | undefined;
  let port: number;
  let main: string;

  const file = (name: string) => path.join(place.root, name);
  const newKey = (name: string) => {
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file(name)]);
    return readFileSync(file(`${name}.pub`), "utf8").trim();
  };
  const freePort = async () => {
    const server = net.createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port: free } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    return free;
  };
  /** A server that does this with each connection. */
  async function instead(act: (socket: net.Socket) => void): Promise<net.Server> {
    const server = net.createServer((socket) => {
      socket.on("error", () => {});
      act(socket);
    });
    server.listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const other = (server.address() as AddressInfo).port;
    place.settings["UPGRADE_REMOTE"] = place.settings["UPGRADE_REMOTE"]!.replace(`:${port}`, `:${other}`);
    return server;
  }

  before(async function () {
    const reason = `there is no ${SSHD} that this user may run (Debian: apt-get install openssh-server)`;
    requireOrSkip(this, "sshd", existsSync(SSHD) && process.getuid?.() === 0, reason);
    mkdirSync("/run/sshd", { recursive: true });
    place = new Place();
    main = place.commit("one");
    place.push();
    port = await freePort();
    const host = newKey("host");
    writeFileSync(file("authorized"), `${newKey("id")}\n`);
    newKey("other");
    writeFileSync(file("known_hosts"), `[127.0.0.1]:${port} ${host}\n`);
    writeFileSync(
      file("serve"),
      `#!/bin/bash
case $SSH_ORIGINAL_COMMAND in
*/site*) exec git-upload-pack ${place.repository} ;;
*/greets*) echo Welcome; exec git-upload-pack ${place.repository} ;;
*/sso*) echo "ERROR: The 'acme' organization has enabled or enforced SAML SSO." >&2; exit 1 ;;
*/breaks*) kill -9 $PPID ;;
*) echo "ERROR: Repository not found." >&2; exit 1 ;;
esac
`,
      { mode: 0o755 },
    );
    const settings = {
      ...{ Port: port, ListenAddress: "127.0.0.1", HostKey: file("host"), PidFile: "none", UsePAM: "no" },
      ...{ StrictModes: "no", AuthorizedKeysFile: file("authorized"), ForceCommand: file("serve") },
      PasswordAuthentication: "no",
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name} ${value}\n`);
    writeFileSync(file("sshd_config"), lines.join(""));
    sshd = spawn(SSHD, ["-D", "-e", "-f", file("sshd_config")], { stdio: "ignore" });
    await until("sshd", () => isOpen(port));
  });
  beforeEach(() => {
    place.settings["UPGRADE_REMOTE"] = `ssh://root@127.0.0.1:${port}/octocat/site`;
    place.settings["UPGRADE_MACHINE_KEY"] = file("id");
    place.settings["UPGRADE_KNOWN_HOSTS"] = file("known_hosts");
  });
  after(() => {
    sshd?.kill();
    place?.remove();
  });

  const isOpen = (at: number) =>
    new Promise<boolean>((resolve) => {
      const socket = net.connect(at, "127.0.0.1");
      socket.on("connect", () => (socket.destroy(), resolve(true)));
      socket.on("error", () => resolve(false));
    });

  async function assertTrouble(kind: string, fault: string, message: RegExp): Promise<void> {
    const answer = await place.remote();
    assert.deepEqual([answer["state"], answer["kind"], answer["fault"]], ["failing", kind, fault]);
    assert.match(String(answer["message"]), message);
    // Whatever it is, it makes no rewritten branch.
    assert.equal(await place.leadsOn(main, main), kind);
  }

  it("reads the branch, and what it leads on from", async () => {
    assert.equal((await place.remote())["revision"], main);
    assert.equal(await place.leadsOn(main, main), "yes");
  });

  for (const [name, kind, message] of [
    ["gone", "not-found", /ERROR: Repository not found/],
    ["greets", "noise", /bad line length character: Welc/],
    ["sso", "sso", /has enabled or enforced SAML SSO/],
  ] as const) {
    it(`is answered with ${kind}`, async () => {
      place.settings["UPGRADE_REMOTE"] = `ssh://root@127.0.0.1:${port}/octocat/${name}`;
      await assertTrouble(kind, "machine", message);
    });
  }

  it("is cut off in the middle", async () => {
    place.settings["UPGRADE_REMOTE"] = `ssh://root@127.0.0.1:${port}/octocat/breaks`;
    await assertTrouble("server", "server", /closed by remote host|Connection reset|Broken pipe/);
  });

  it("has another key than the deploy key", async () => {
    place.settings["UPGRADE_MACHINE_KEY"] = file("other");
    await assertTrouble("denied", "machine", /Permission denied \(/);
  });

  it("has no key", async () => {
    place.settings["UPGRADE_MACHINE_KEY"] = file("nothing");
    await assertTrouble("identity", "machine", /Identity file .* not accessible/);
  });

  it("has a key that is none", async () => {
    writeFileSync(file("garbage"), "garbage\n", { mode: 0o600 });
    place.settings["UPGRADE_MACHINE_KEY"] = file("garbage");
    await assertTrouble("identity", "machine", /Load key/);
  });

  it("meets another host key", async () => {
    writeFileSync(file("wrong"), `[127.0.0.1]:${port} ${readFileSync(file("other.pub"), "utf8")}`);
    place.settings["UPGRADE_KNOWN_HOSTS"] = file("wrong");
    await assertTrouble("host-key", "machine", /Host key for .* has changed/);
  });

  it("meets a port on which nothing listens", async () => {
    const free = await freePort();
    place.settings["UPGRADE_REMOTE"] = `ssh://root@127.0.0.1:${free}/octocat/site`;
    await assertTrouble("unreachable", "server", /Connection refused/);
  });

  it("meets a name that is not there", async () => {
    place.settings["UPGRADE_REMOTE"] = "ssh://root@nowhere.invalid/octocat/site";
    await assertTrouble("unreachable", "server", /Could not resolve hostname/);
  });

  it("meets a server that closes before the exchange of keys", async () => {
    const server = await instead((socket) => socket.once("data", () => socket.end()));
    await assertTrouble("server", "server", /kex_exchange_identification|Connection (closed|reset)/);
    server.close();
  });

  it("meets a server that says nothing", async () => {
    const sockets: net.Socket[] = [];
    const server = await instead((socket) => sockets.push(socket));
    place.settings["UPGRADE_REQUEST_SECONDS"] = "2";
    place.settings["UPGRADE_HISTORY_SECONDS"] = "2";
    await assertTrouble("timeout", "server", /did not answer within 2 seconds/);
    for (const socket of sockets) socket.destroy();
    server.close();
    delete place.settings["UPGRADE_REQUEST_SECONDS"];
    delete place.settings["UPGRADE_HISTORY_SECONDS"];
  });
});
