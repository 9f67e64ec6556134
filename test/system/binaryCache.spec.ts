/**
 * A binary cache in S3 as the machine uses it: the real Nix (2.32 or newer, whose `s3://` needs no other library),
 * keys of nixSigningKey, the settings of nix/modules/upgrade/caches.nix, and a stand-in for S3 on loopback.
 * Cannot prove: that requests are signed as AWS wants them, or that the bucket's policies let the machine in.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { nixSigningKey, type NixSigningKey } from "../../components/keys/nixSigningKey";
import { type ObjectStore, startObjectStore } from "../../cli/rehearse/machine/objectStore";
import { run } from "../../cli/rehearse/processes";
import { requireOrSkip } from "../require";
import { newKey } from "../../cli/rehearse/keys";

/** What nix/modules/upgrade/caches.nix sets for a machine with a cache; the first test compares. */
const SETTINGS = {
  "connect-timeout": "5",
  "stalled-download-timeout": "15",
  "download-attempts": "2",
  fallback: "true",
};

const nix = path.join(
  process.env["XDG_CACHE_HOME"] || path.join(os.homedir(), ".cache"),
  "pulumi-nixos/nix-sid/bin/nix",
);

describe("a binary cache in S3", function () {
  let folder: string;
  let cache: ObjectStore;
  let key: NixSigningKey;
  let env: NodeJS.ProcessEnv;

  before(function () {
    requireOrSkip(this, "nix", fs.existsSync(nix), "no Nix with s3:// stores; run .ci/install-nix.sh sid");
  });

  beforeEach(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "binary-cache-"));
    cache = await startObjectStore();
    key = nixSigningKey("cache-1", newKey().privateKeyOpenssh);
    fs.writeFileSync(path.join(folder, "secret-key"), key.secretKey, { mode: 0o600 });
    fs.writeFileSync(
      path.join(folder, "nix.conf"),
      "sandbox = false\nbuild-users-group =\nsubstituters =\nexperimental-features = nix-command\n",
    );
    // The derivation has an output that only a signature vouches for: its address is of its inputs, not of its content.
    fs.writeFileSync(
      path.join(folder, "thing.nix"),
      'derivation { name = "thing"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "echo built > $out" ]; }',
    );
    env = {
      PATH: process.env["PATH"],
      HOME: folder,
      XDG_CACHE_HOME: path.join(folder, "cache"),
      NIX_CONF_DIR: folder,
      NIX_STORE_DIR: path.join(folder, "nix/store"),
      NIX_STATE_DIR: path.join(folder, "nix/var"),
      NIX_LOG_DIR: path.join(folder, "nix/log"),
      AWS_ACCESS_KEY_ID: "none",
      AWS_SECRET_ACCESS_KEY: "none",
      AWS_EC2_METADATA_DISABLED: "true",
    };
  });

  afterEach(async () => {
    await cache?.stop();
    if (folder !== undefined) await run("rm", ["-rf", folder]);
  });

  const store = (parameters = "") =>
    `s3://builds?endpoint=http://127.0.0.1:${cache.port}&scheme=http&region=us-east-1${parameters}`;

  /** Builds, or fetches, the derivation as a machine with this cache would. */
  function realise(trustedKey: string, options: string[] = []) {
    const settings = Object.entries({ ...SETTINGS, substituters: store(), "trusted-public-keys": trustedKey });
    const args = settings.flatMap(([name, value]) => ["--option", name, value]);
    return run(nix, ["build", "--impure", "--no-link", "--print-out-paths", "-f", "thing.nix", ...args, ...options], {
      env,
      cwd: folder,
    });
  }

  /** What CI does, and then forgets: the output is in the cache only. */
  async function fill(parameters: string): Promise<void> {
    const built = await run(nix, ["build", "--impure", "--no-link", "--print-out-paths", "-f", "thing.nix"], {
      env,
      cwd: folder,
    });
    const output = built.stdout.trim();
    assert.equal(built.code, 0, built.stderr);
    const copied = await run(nix, ["copy", "--to", store(parameters), output], { env, cwd: folder });
    assert.equal(copied.code, 0, copied.stderr);
    const deleted = await run(nix, ["store", "delete", output], { env, cwd: folder });
    assert.equal(deleted.code, 0, deleted.stderr);
    await run("rm", ["-rf", env["XDG_CACHE_HOME"]!]);
  }

  const onlyFetch = ["--max-jobs", "0"];

  it("is tested with the settings of the module", () => {
    const module = fs.readFileSync("nix/modules/upgrade/caches.nix", "utf8");
    for (const [name, value] of Object.entries(SETTINGS)) {
      assert.ok(module.includes(`${name} = lib.mkDefault ${value};`), `${name} = ${value}`);
    }
  });

  it("gives a machine that trusts its key what was signed with it", async () => {
    await fill(`&secret-key=${path.join(folder, "secret-key")}`);
    const { code, stdout, stderr } = await realise(key.publicKey, onlyFetch);
    assert.equal(code, 0, stderr);
    assert.equal(fs.readFileSync(stdout.trim(), "utf8"), "built\n");
  });

  it("gives a machine nothing that was not signed", async () => {
    await fill("");
    const { code, stderr } = await realise(key.publicKey, onlyFetch);
    assert.notEqual(code, 0);
    assert.match(stderr, /max-jobs/, "Nix was left with building, which this test forbids");
  });

  it("gives a machine nothing that another key signed", async () => {
    await fill(`&secret-key=${path.join(folder, "secret-key")}`);
    const other = nixSigningKey("cache-1", newKey().privateKeyOpenssh);
    const { code } = await realise(other.publicKey, onlyFetch);
    assert.notEqual(code, 0);
  });

  it("does not stop a machine when it is not signed: the machine builds", async () => {
    await fill("");
    const { code, stdout, stderr } = await realise(key.publicKey);
    assert.equal(code, 0, stderr);
    assert.equal(fs.readFileSync(stdout.trim(), "utf8"), "built\n");
  });

  for (const status of [403, 502]) {
    it(`does not stop a machine when it answers ${status}: the machine builds`, async () => {
      cache.mode = status;
      const { code, stdout, stderr } = await realise(key.publicKey);
      assert.equal(code, 0, stderr);
      assert.equal(fs.readFileSync(stdout.trim(), "utf8"), "built\n");
      assert.notEqual(cache.requests.length, 0, "the cache was asked");
    });
  }

  it("does not stop a machine when it accepts connections and never answers", async () => {
    cache.mode = "hang";
    const { code, stderr, milliseconds } = await realise(key.publicKey);
    assert.equal(code, 0, stderr);
    console.log(`      built after ${(milliseconds / 1000).toFixed(1)} s`);
  });

  it("does not stop a machine when nothing listens there", async () => {
    const { port } = cache;
    await cache.stop();
    const { code, stderr } = await realise(key.publicKey);
    assert.equal(code, 0, `port ${port}: ${stderr}`);
  });
});
