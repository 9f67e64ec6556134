/**
 * The program of the workflow as CI starts it: real Nix, git, ssh-keygen and AWS CLI, and moto's server as S3 and as the
 * store of the release key. Then a computer that trusts only the key takes the system from the cache.
 * Cannot prove: that Nix signs its requests as AWS wants them (the one here cannot), or that the roles let it do this.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { newKey } from "../../cli/rehearse/keys";
import { output, run } from "../../cli/rehearse/processes";
import { nixPublicKey } from "../../components/release/keys.mjs";
import { Processes } from "../../components/deploy/process.mjs";
import { latestKey, progressKey, releaseFolder, type ReleaseRecord } from "../../components/release/record.mjs";
import { openRecord } from "../../components/release/signature.mjs";
import { type Moto, requireMoto, startMoto } from "../release/moto";
import { type Asked, motoBucket } from "../release/motoBucket";
import { requireCommands, requireOrSkip } from "../require";

const bin = path.join(process.env["XDG_CACHE_HOME"] || path.join(os.homedir(), ".cache"), "pulumi-nixos/nix-sid/bin");
const program = path.resolve(__dirname, "../../cli/ci/release/main.mjs");

describe("the program that releases", function () {
  const key = newKey();
  const publicKey = key.publicKeyOpenssh.trim();
  let moto: Moto;
  let bucket: Asked;
  let folder: string;

  before(async function () {
    requireMoto(this);
    requireCommands(this, "git", "git", "ssh-keygen");
    requireOrSkip(this, "nix", fs.existsSync(bin), "no Nix with s3:// stores; run .ci/install-nix.sh sid");
    moto = await startMoto({ signed: false });
    bucket = motoBucket(moto);
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "release-program-"));
    fs.writeFileSync(path.join(folder, "nix.conf"), "sandbox = false\nbuild-users-group =\nsubstituters =\n");
    const file = path.join(folder, "key");
    fs.writeFileSync(file, key.privateKeyOpenssh, { mode: 0o600 });
    await moto.aws(
      "ssm",
      "put-parameter",
      "--name",
      "/server/release",
      "--type",
      "SecureString",
      "--value",
      `file://${file}`,
    );
    await git(".", "init", "--quiet", "--bare", "server.git");
    await git(".", "init", "--quiet", "-b", "main", "work");
    await git("work", "remote", "add", "origin", path.join(folder, "server.git"));
  });
  after(async () => {
    await moto?.stop();
    if (folder !== undefined) await run("rm", ["-rf", folder]);
  });

  const identity = {
    GIT_AUTHOR_NAME: "a",
    GIT_AUTHOR_EMAIL: "a@b",
    GIT_COMMITTER_NAME: "a",
    GIT_COMMITTER_EMAIL: "a@b",
  };
  const git = (place: string, ...args: string[]) =>
    output("git", args, {
      cwd: path.join(folder, place),
      env: { PATH: process.env["PATH"], HOME: folder, ...identity },
    });

  /** Commits a flake whose systems hold these texts; null does not build. */
  async function commit(systems: Record<string, string | null>, trusted = [publicKey]): Promise<string> {
    const attributes = Object.entries(systems).map(([name, text]) => {
      const builder = text === null ? "echo broken >&2; exit 1" : `echo ${text} > $out`;
      return `nixosConfigurations."${name}".config.system.build.toplevel = derivation { name = "system"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "${builder}" ]; };`;
    });
    const nix = path.join(folder, "work/nix");
    fs.mkdirSync(nix, { recursive: true });
    fs.writeFileSync(path.join(nix, "flake.nix"), `{ outputs = _: { ${attributes.join("\n")} }; }\n`);
    fs.writeFileSync(path.join(nix, "release.json"), JSON.stringify({ keys: trusted }));
    fs.writeFileSync(
      path.join(nix, "cache.json"),
      JSON.stringify({ trustedPublicKeys: trusted.map((one) => nixPublicKey("cache-1", one)) }),
    );
    await git("work", "add", "-A");
    await git("work", "commit", "--quiet", "--allow-empty", "-m", "a change");
    await git("work", "push", "--quiet", "origin", "main");
    return git("work", "rev-parse", "HEAD");
  }

  const environment = (computer: string): NodeJS.ProcessEnv => ({
    ...moto.env,
    PATH: `${bin}:${process.env["PATH"]}`,
    HOME: path.join(folder, computer),
    TMPDIR: folder,
    NIX_CONF_DIR: folder,
    NIX_STORE_DIR: path.join(folder, "store"),
    NIX_STATE_DIR: path.join(folder, computer, "var"),
    NIX_LOG_DIR: path.join(folder, computer, "log"),
    AWS_EC2_METADATA_DISABLED: "true",
  });
  const substituter = () => `s3://builds?endpoint=${moto.url}&scheme=http&region=us-east-1`;
  async function ci(args: string[], revision: string, more: NodeJS.ProcessEnv = {}) {
    const result = await run(process.execPath, [program, ...args], {
      cwd: path.join(folder, "work"),
      env: {
        ...environment("runner"),
        GITHUB_REPOSITORY: "octocat/server",
        GITHUB_REPOSITORY_ID: "7",
        GITHUB_REF: "refs/heads/main",
        GITHUB_SHA: revision,
        GITHUB_RUN_ID: "1",
        GITHUB_SERVER_URL: "https://github.com",
        CACHE_SUBSTITUTER: substituter(),
        RELEASE_KEY_PARAMETER: "/server/release",
        ...more,
      },
    });
    const leftovers = fs.readdirSync(folder).filter((name) => name.startsWith("pulumi-nixos-deploy."));
    assert.deepEqual(leftovers, [], "the key is in no file any more");
    assert.doesNotMatch(`${result.stdout}${result.stderr}`, /PRIVATE KEY/);
    return result;
  }
  async function record(name: string): Promise<ReleaseRecord | undefined> {
    const stored = await bucket.get(name);
    const before = process.env["NIX_STORE_DIR"];
    process.env["NIX_STORE_DIR"] = path.join(folder, "store");
    try {
      return stored && (await openRecord(stored.bytes, [publicKey], new Processes(process.env)));
    } finally {
      if (before === undefined) delete process.env["NIX_STORE_DIR"];
      else process.env["NIX_STORE_DIR"] = before;
    }
  }
  const place = (attribute: string) => releaseFolder("main", attribute);

  it("builds once, uploads, and releases each system of the flake; what does not build is said and stops no other", async () => {
    const revision = await commit({ default: "one", "web.example.com": "web", broken: null });
    const started = await ci(["started"], revision);
    assert.equal(started.code, 0, started.stderr);
    assert.equal((await record(progressKey(place("default"), revision)))!.state, "started");

    const systems = path.join(folder, "systems.json");
    // Without credentials, and before anything is published.
    const built = await ci(["build", "--systems", systems], revision, { AWS_ENDPOINT_URL: "http://127.0.0.1:9" });
    assert.equal(built.code, 0, built.stderr);
    assert.match(built.stdout, /broken: could not be built/);
    const published = await ci(["publish", "--systems", systems], revision);
    assert.equal(published.code, 1, "one of them has failed");
    for (const attribute of ["default", "web.example.com"]) {
      const released = (await record(latestKey(place(attribute))))!;
      assert.ok(released !== undefined, `${published.stdout}${published.stderr}`);
      assert.deepEqual(
        [released.revision, released.state, released.repositoryId],
        [revision, "released", 7],
        published.stderr,
      );
    }
    assert.equal((await record(progressKey(place("broken"), revision)))!.state, "failed");
    assert.equal(await bucket.get(latestKey(place("broken"))), undefined);

    const { system } = (await record(latestKey(place("default"))))!;
    // Another computer: its store is empty, at the place that the paths name.
    const store = path.join(folder, "store");
    fs.renameSync(store, `${store}-of-runner`);
    const take = (trusted: string) =>
      run(
        "nix-store",
        [
          "--realise",
          system!,
          "--max-jobs",
          "0",
          "--option",
          "substituters",
          substituter(),
          "--option",
          "trusted-public-keys",
          nixPublicKey("cache-1", trusted),
        ],
        { env: environment("machine") },
      );
    assert.notEqual((await take(newKey().publicKeyOpenssh.trim())).code, 0);
    const taken = await take(publicKey);
    assert.equal(taken.code, 0, taken.stderr);
    assert.equal(fs.readFileSync(system!, "utf8"), "one\n");
    await run("rm", ["-rf", store]);
    fs.renameSync(`${store}-of-runner`, store);
  });

  it("does nothing the second time, renews, says what has failed, and goes back", async () => {
    const first = await git("work", "rev-parse", "HEAD");
    const output = path.join(folder, "output");
    const next = await commit({ default: "two" });
    assert.equal((await ci(["publish"], next)).code, 0);
    await ci(["started"], next, { GITHUB_OUTPUT: output });
    assert.equal(fs.readFileSync(output, "utf8"), "todo=false\n");
    assert.match((await ci(["renew"], next)).stdout, /default: nothing to do: release \d+ is younger than half a day/);

    const back = await ci(["republish", first], next);
    assert.equal(back.code, 1, "the broken one of that revision");
    const { revision, tip, republished } = (await record(latestKey(place("default"))))!;
    assert.deepEqual([revision, tip, republished], [first, next, true], back.stderr);

    const broken = await commit({ default: null });
    assert.equal((await ci(["build"], broken)).code, 1);
    assert.equal((await ci(["failed"], broken)).code, 0);
    assert.equal((await record(progressKey(place("default"), broken)))!.state, "failed");
  });

  it("collects what no release reaches, after it has said what that would be", async () => {
    await bucket.put(
      "0000000000000000000000000000gone.narinfo",
      Buffer.from("StorePath: x\nURL: nar/gone.nar\nReferences: \n"),
    );
    const revision = await git("work", "rev-parse", "HEAD");
    const before = (await bucket.list("")).length;
    const dry = await ci(["collect", "--dry-run"], revision);
    assert.match(dry.stdout, /0 objects \(0.0 MiB\) would go; \d+ builds of 3 released systems stay/, dry.stderr);
    const done = await ci(["collect"], revision);
    assert.equal(done.code, 0, done.stderr);
    // All of it is young.
    assert.equal((await bucket.list("")).length, before);
  });

  it("says what is wrong, and signs nothing that no machine would take", async () => {
    const revision = await commit({ default: "one" }, [newKey().publicKeyOpenssh.trim()]);
    const stranger = await ci(["publish"], revision);
    assert.equal(stranger.code, 1);
    assert.match(stranger.stderr, /nix\/release.json does not name the key that signs/);
    const cases: [string[], NodeJS.ProcessEnv, number, RegExp][] = [
      [
        ["publish"],
        { RELEASE_KEY_PARAMETER: "/server/none" },
        1,
        /could not be read from the parameter \/server\/none/,
      ],
      [
        ["publish"],
        { GITHUB_REF: "refs/pull/1/merge" },
        1,
        /GITHUB_REF is "refs\/pull\/1\/merge"; allowed: refs\/heads/,
      ],
      [["collect"], { CACHE_SUBSTITUTER: "" }, 1, /CACHE_SUBSTITUTER is ""; allowed: the cache/],
      [["republish", "HEAD~1"], {}, 1, /allowed: a whole revision/],
      [["deploy"], {}, 2, /got "deploy"; allowed: started, build/],
      [["publish", "--force"], {}, 2, /--force/],
    ];
    for (const [args, more, code, said] of cases) {
      const result = await ci(args, revision, more);
      assert.deepEqual([result.code, said.test(result.stderr)], [code, true], `${args.join(" ")}: ${result.stderr}`);
    }
  });
});
