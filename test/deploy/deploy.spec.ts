// deploy.mjs as Pulumi runs it, as far as that goes without a machine: the rest is on the bench (test/system).
import assert from "node:assert/strict";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { requireOrSkip } from "../require";
import { hasCommand } from "../../cli/rehearse/commands";
import { newKey } from "../../cli/rehearse/keys";
import { runProgram, temporaryFolder } from "./support";

describe("deploy.mjs", () => {
  let folder: string;
  beforeEach(() => {
    folder = temporaryFolder();
    fs.mkdirSync(path.join(folder, "project/nix"), { recursive: true });
    fs.writeFileSync(path.join(folder, "project/nix/flake.nix"), "{ }");
    fs.mkdirSync(path.join(folder, "tmp"));
  });
  afterEach(() => fs.rmSync(folder, { recursive: true }));

  const deploy = (env: NodeJS.ProcessEnv) =>
    runProgram("deploy.mjs", path.join(folder, "project"), {
      PATH: process.env["PATH"],
      HOME: folder,
      TMPDIR: path.join(folder, "tmp"),
      XDG_STATE_HOME: path.join(folder, "state"),
      ...env,
    });

  /** A port that nobody listens on. */
  const closedPort = (): Promise<number> =>
    new Promise((resolve) => {
      const server = net.createServer().listen(0, "127.0.0.1", () => {
        const { port } = server.address() as net.AddressInfo;
        server.close(() => resolve(port));
      });
    });

  it("refuses bad settings with exit code 2, and writes nothing", async () => {
    const result = await deploy({});
    assert.deepEqual([result.code, result.stdout], [2, ""]);
    assert.match(result.stderr, /^The deployment has 4 problems:\n/);
    assert.equal(fs.existsSync(path.join(folder, "state")), false);
  });

  it("ends with the last cause when nothing listens, names its log, and leaves no key", async function () {
    requireOrSkip(this, "sshd", hasCommand("ssh"), "ssh is not on PATH");
    const key = newKey();
    const port = await closedPort();
    const result = await deploy({
      DEPLOY_HOST: "127.0.0.1",
      DEPLOY_PORT: String(port),
      DEPLOY_HOST_KEY: newKey().publicKeyOpenssh.trim(),
      DEPLOY_PRIVATE_KEY: key.privateKeyOpenssh,
      DEPLOY_DERIVATION: "sha256-x",
      DEPLOY_WAIT_SECONDS: "1",
      DEPLOY_ALLOW_DIRTY: "true",
    });
    assert.deepEqual([result.code, result.stdout], [1, ""]);
    assert.match(
      result.stderr,
      new RegExp(`The machine is not ready: nothing listens on port ${port} of 127\\.0\\.0\\.1\\.`),
    );
    assert.match(result.stderr, /ssh said: .*Connection refused/);

    const log = /^Full log: (.*)$/m.exec(result.stderr)?.[1] ?? "";
    const text = fs.readFileSync(log, "utf8");
    assert.match(text, /\$ ssh -F \S+ -T 127\.0\.0\.1 bash -s/);
    // The folder of the key, as the log has it: not in the one with a space, and gone.
    const config = /ssh -F (\S+)/.exec(text)?.[1] ?? "";
    assert.equal(fs.existsSync(path.dirname(config)), false);
    for (const line of key.privateKeyOpenssh.split("\n").filter(({ length }) => length >= 16)) {
      assert.equal(`${text}${result.stderr}`.includes(line), false);
    }
  });

  it("refuses a folder that cannot be compared with a commit before it connects", async () => {
    const result = await deploy({
      DEPLOY_HOST: "192.0.2.7",
      DEPLOY_HOST_KEY: newKey().publicKeyOpenssh.trim(),
      DEPLOY_PRIVATE_KEY: newKey().privateKeyOpenssh,
      DEPLOY_DERIVATION: "sha256-x",
    });
    assert.equal(result.code, 1);
    assert.match(result.stderr, /cannot be told whether nix is committed/);
    assert.doesNotMatch(result.stderr, /^wait:/m);
  });
});
