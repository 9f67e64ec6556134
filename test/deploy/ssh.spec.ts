import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { writeSshFiles } from "../../components/deploy/ssh.mjs";
import { PrivateFolder } from "../../components/deploy/privateFolder.mjs";
import { readSettings } from "../../components/deploy/settings.mjs";
import { requireOrSkip } from "../require";
import { hasCommand } from "../../cli/rehearse/commands";
import { newKey } from "../../cli/rehearse/keys";

const key = newKey();
const host = newKey();

describe("the ssh configuration of a deployment", () => {
  let folder: PrivateFolder;
  beforeEach(function () {
    requireOrSkip(this, "sshd", hasCommand("ssh"), "ssh is not on PATH");
    folder = new PrivateFolder({});
  });
  afterEach(() => folder?.remove());

  /** What ssh itself makes of the file, for one destination. */
  function understood(destination: string, env: NodeJS.ProcessEnv = {}): Map<string, string> {
    const settings = readSettings({
      DEPLOY_HOST: "192.0.2.7",
      DEPLOY_PORT: "2222",
      DEPLOY_HOST_KEY: `${host.publicKeyOpenssh.trim()} comment`,
      DEPLOY_PRIVATE_KEY: key.privateKeyOpenssh,
      DEPLOY_DERIVATION: "sha256-x",
      ...env,
    });
    const result = spawnSync("ssh", ["-G", "-F", writeSshFiles(settings, folder), destination], { encoding: "utf8" });
    assert.equal(result.status, 0, result.stderr);
    return new Map(
      result.stdout.split("\n").map((line) => [line.split(" ")[0] ?? "", line.split(" ").slice(1).join(" ")]),
    );
  }

  for (const [address, destination] of [
    ["192.0.2.7", "192.0.2.7"],
    ["machine.example.org", "root@machine.example.org"],
    ["2001:db8::7", "root@2001:db8::7"],
  ] as const) {
    it(`reaches ${destination} with one key, one host key, and nothing of the user's own`, () => {
      const options = understood(destination, { DEPLOY_HOST: address });
      const expected = {
        user: "root",
        hostname: address,
        port: "2222",
        hostkeyalias: "pulumi-nixos-machine",
        userknownhostsfile: path.join(folder.path, "known_hosts"),
        globalknownhostsfile: "none",
        stricthostkeychecking: "true",
        updatehostkeys: "false",
        identityfile: path.join(folder.path, "id"),
        identitiesonly: "yes",
        identityagent: "none",
        batchmode: "yes",
        passwordauthentication: "no",
        kbdinteractiveauthentication: "no",
        preferredauthentications: "publickey",
        serveraliveinterval: "3",
        serveralivecountmax: "3",
        connecttimeout: "10",
        forwardagent: "no",
        forwardx11: "no",
      };
      assert.deepEqual(Object.fromEntries(Object.keys(expected).map((name) => [name, options.get(name)])), expected);
    });
  }

  it("pins the host key under the alias, so that the address does not matter", () => {
    understood("192.0.2.7");
    const [type, blob] = host.publicKeyOpenssh.trim().split(" ");
    assert.equal(
      fs.readFileSync(path.join(folder.path, "known_hosts"), "utf8"),
      `pulumi-nixos-machine ${type} ${blob}\n`,
    );
  });

  it("keeps the key in a file of its own, for its owner alone", () => {
    understood("192.0.2.7");
    const file = path.join(folder.path, "id");
    assert.equal(fs.readFileSync(file, "utf8"), key.privateKeyOpenssh);
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    assert.equal(fs.statSync(folder.path).mode & 0o777, 0o700);
  });

  it("gives the machine's options to nobody else, and a builder those of the user", () => {
    const options = understood("builder", { DEPLOY_BUILD_ON: "builder" });
    assert.notEqual(options.get("hostkeyalias"), "pulumi-nixos-machine");
    assert.notEqual(options.get("identityfile"), path.join(folder.path, "id"));
    assert.equal(options.get("batchmode"), "yes");
    assert.equal(options.get("serveraliveinterval"), "3");
  });
});
