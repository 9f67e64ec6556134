/**
 * .github/scripts/fill-cache.sh with the real Nix and a stand-in for S3 on loopback; then another computer, which trusts
 * only the key, takes the system from there.
 * Cannot prove: that requests are signed as AWS wants them, or that the role may write.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { nixSigningKey } from "../../components/keys/nixSigningKey";
import { type ObjectStore, startObjectStore } from "../../cli/rehearse/machine/objectStore";
import { run } from "../../cli/rehearse/processes";
import { requireOrSkip } from "../require";
import { newKey } from "../../cli/rehearse/keys";

const bin = path.join(process.env["XDG_CACHE_HOME"] || path.join(os.homedir(), ".cache"), "pulumi-nixos/nix-sid/bin");
const script = path.resolve(__dirname, "../../.github/scripts/fill-cache.sh");

describe("filling a cache in S3", function () {
  let folder: string;
  let cache: ObjectStore;

  before(function () {
    requireOrSkip(this, "nix", fs.existsSync(bin), "no Nix with s3:// stores; run .ci/install-nix.sh sid");
  });
  beforeEach(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "fill-cache-"));
    fs.writeFileSync(path.join(folder, "nix.conf"), "sandbox = false\nbuild-users-group =\nsubstituters =\n");
    fs.writeFileSync(
      path.join(folder, "system.nix"),
      'derivation { name = "system"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "echo built > $out" ]; }',
    );
    cache = await startObjectStore();
  });
  afterEach(async () => {
    await cache.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  /** The environment of a computer with a database of its own; the store's place is the same for all. */
  const computer = (name: string, more: Record<string, string> = {}): NodeJS.ProcessEnv => ({
    PATH: `${bin}:${process.env["PATH"]}`,
    HOME: path.join(folder, name),
    TMPDIR: folder,
    NIX_CONF_DIR: folder,
    NIX_CONFIG: "experimental-features = nix-command flakes",
    NIX_STORE_DIR: path.join(folder, "store"),
    NIX_STATE_DIR: path.join(folder, name, "var"),
    NIX_LOG_DIR: path.join(folder, name, "log"),
    AWS_ACCESS_KEY_ID: "none",
    AWS_SECRET_ACCESS_KEY: "none",
    AWS_EC2_METADATA_DISABLED: "true",
    ...more,
  });
  const nix = (name: string, ...args: string[]) => run(path.join(bin, "nix"), args, { env: computer(name) });

  it("uploads what a machine with the public key takes, and one with another key does not", async () => {
    const substituter = `s3://builds?endpoint=http://127.0.0.1:${cache.port}&scheme=http&region=us-east-1`;
    const key = nixSigningKey("cache-1", newKey().privateKeyOpenssh);
    const built = await nix("runner", "build", "--no-link", "--print-out-paths", "--file", `${folder}/system.nix`);
    assert.equal(built.code, 0, built.stderr);
    const system = built.stdout.trim();
    const filled = await run(script, [system], {
      env: computer("runner", { CACHE_SUBSTITUTER: substituter, CACHE_SIGNING_KEY: key.secretKey }),
    });
    assert.equal(filled.code, 0, filled.stderr);
    assert.ok(cache.requests.some((request) => /^PUT .*\.nar\.zst$/.test(request)));

    fs.rmSync(path.join(folder, "store"), { recursive: true });
    const take = (publicKey: string) =>
      nix("machine", "copy", "--from", substituter, "--option", "trusted-public-keys", publicKey, system);
    const other = nixSigningKey("cache-1", newKey().privateKeyOpenssh);
    const refused = await take(other.publicKey);
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /lacks a signature by a trusted key|not signed by any of the keys/);
    const taken = await take(key.publicKey);
    assert.equal(taken.code, 0, taken.stderr);
    assert.equal(fs.readFileSync(system, "utf8"), "built\n");
  });

  it("gives what was there before the signatures of all keys, so that no machine stands without one while they change", async () => {
    const substituter = `s3://builds?endpoint=http://127.0.0.1:${cache.port}&scheme=http&region=us-east-1`;
    const [old, next] = ["cache-1", "cache-2"].map((name) => nixSigningKey(name, newKey().privateKeyOpenssh));
    const installable = ["--file", `${folder}/system.nix`];
    const built = await nix("runner", "build", "--no-link", "--print-out-paths", ...installable);
    const system = built.stdout.trim();
    const fill = (input: string) =>
      run(script, installable, { env: computer("runner", { CACHE_SUBSTITUTER: substituter }), input });
    for (const input of [`${old!.secretKey}\n`, `${next!.secretKey}\n${old!.secretKey}\n`]) {
      const filled = await fill(input);
      assert.equal(filled.code, 0, filled.stderr);
    }
    assert.match((await fill("")).stderr, /CACHE_SIGNING_KEY is empty/);

    for (const [name, key] of Object.entries({ behind: old!, ahead: next! })) {
      fs.rmSync(path.join(folder, "store"), { recursive: true });
      const options = ["--option", "trusted-public-keys", key.publicKey];
      const taken = await nix(name, "copy", "--from", substituter, ...options, system);
      assert.equal(taken.code, 0, taken.stderr);
    }
  });
});
