// Which inputs of a flake the machine may not read: by their address, and for a server that has to be asked with a real
// Git over HTTP. The server here answers as GitHub does to somebody without a name: 401 for what is private or absent
// (as its documentation says; not compared, GitHub cannot be reached from the tests), and Git's own files for what is public.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { closedInputs, privateInputs } from "../../components/deploy/inputs.mjs";
import { Processes } from "../../components/deploy/process.mjs";
import { serve } from "../support/server";
import { temporaryFolder } from "./support";

describe("inputs that only the deployer may read", () => {
  let folder: string;
  beforeEach(() => (folder = temporaryFolder()));
  afterEach(() => fs.rmSync(folder, { recursive: true }));

  const lock = (nodes: Record<string, object>) => {
    const inputs = Object.fromEntries(Object.keys(nodes).map((name) => [name, name]));
    const all = Object.entries(nodes).map(([name, locked]) => [name, { locked }]);
    const content = { nodes: { root: { inputs }, ...(Object.fromEntries(all) as object) }, root: "root", version: 7 };
    fs.writeFileSync(path.join(folder, "flake.lock"), JSON.stringify(content));
  };
  const withKey = { repository: "acme/server", access: "deploy-key" };
  const withToken = { repository: "acme/server", access: "token" };
  const ssh = (url: string) => ({ type: "git", url, rev: "0".repeat(40) });

  const cases: [string, object, RegExp | undefined, typeof withKey?][] = [
    ["another repository by SSH", ssh("ssh://git@github.com/acme/nix-secrets"), /deploy key opens its own repository/],
    ["one of a server of one's own", ssh("ssh://git@git.example.com:2222/a/b.git"), /deploy key/],
    ["git's short form", ssh("git@github.com:acme/nix-secrets.git"), /deploy key/],
    ["a reference that was not locked", ssh("git+ssh://git@github.com/acme/nix-secrets"), /deploy key/],
    ["the machine's own repository", ssh("ssh://git@github.com/ACME/server.git"), undefined],
    ["its own repository, by SSH with a token", ssh("ssh://git@github.com/acme/server"), /no key for it/, withToken],
    ["one that ends like its own", ssh("ssh://git@github.com/not/acme/server"), /deploy key/],
    ["its name on another server", ssh("ssh://git@notgithub.com/acme/server"), /deploy key/],
    ["Mercurial by SSH", { type: "hg", url: "ssh://hg@example.com/x" }, /deploy key/],
    ["a repository of this computer", ssh("file:///home/me/shared"), /a folder of this computer/],
    ["a plain folder", { type: "path", path: "/home/me/shared" }, /path:\/home\/me\/shared: it is a folder/],
    ["a folder of the flake", { type: "path", path: "./modules" }, undefined],
    ["an archive of this computer", { type: "tarball", url: "file:///home/me/x.tar.gz" }, /a folder of this computer/],
    ["a password", { type: "git", url: "https://me:pass@git.example.com/x" }, /holds a name or a password/],
    ["a token", { type: "tarball", url: "https://x.example/a.tar.gz?private_token=s3cret" }, /holds a token/],
    ["nixpkgs", { type: "github", owner: "NixOS", repo: "nixpkgs" }, undefined],
    ["an archive", { type: "tarball", url: "https://releases.example/x.tar.xz" }, undefined],
  ];
  for (const [what, locked, expected, machine = withKey] of cases) {
    it(`${expected === undefined ? "say nothing of" : "name"} ${what}`, () => {
      lock({ secrets: locked });
      const found = privateInputs(folder, machine);
      assert.equal(found.length, expected === undefined ? 0 : 1, found.join());
      if (expected !== undefined) assert.match(found[0]!, expected);
      assert.doesNotMatch(found.join(), /pass@|s3cret/);
    });
  }

  it("are none without a lock file, or with one that is none", () => {
    assert.deepEqual(privateInputs(folder, withKey), []);
    fs.writeFileSync(path.join(folder, "flake.lock"), "x");
    assert.deepEqual(privateInputs(folder, withKey), []);
  });

  it("are found where the server lets nobody in without a name, whatever this computer knows", async () => {
    const bare = path.join(folder, "public.git");
    const env = { ...process.env, HOME: folder, GIT_CONFIG_SYSTEM: "/dev/null" };
    execFileSync("git", ["init", "--quiet", "--bare", bare], { env });
    const tree = execFileSync("git", ["-C", bare, "hash-object", "-t", "tree", "-w", "/dev/null"], { env }).toString();
    const identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"];
    const commit = execFileSync("git", ["-C", bare, ...identity, "commit-tree", "-m", "x", tree.trim()], { env });
    execFileSync("git", ["-C", bare, "update-ref", "HEAD", commit.toString().trim()], { env });
    execFileSync("git", ["-C", bare, "update-server-info"], { env });
    let withName = false;
    const server = await serve(({ url = "", headers }, response) => {
      withName ||= headers.authorization !== undefined;
      const file = path.join(folder, new URL(url, "http://x").pathname);
      if (url.startsWith("/private")) response.writeHead(401, { "www-authenticate": 'Basic realm="GitHub"' }).end();
      else if (fs.existsSync(file) && fs.statSync(file).isFile()) response.end(fs.readFileSync(file));
      else response.writeHead(404).end();
    });
    try {
      const at = server.url;
      fs.writeFileSync(path.join(folder, ".netrc"), "machine 127.0.0.1 login me password pass\n", { mode: 0o600 });
      fs.writeFileSync(
        path.join(folder, ".gitconfig"),
        '[credential]\nhelper = "!echo username=me; echo password=p; :"\n',
      );
      lock({
        open: { type: "git", url: `${at}/public.git` },
        closed: { type: "git", url: `${at}/private.git` },
        // Nothing listens there, which says nothing about who may read.
        silent: { type: "git", url: "http://127.0.0.1:1/x" },
      });
      const found = await closedInputs(folder, withKey, new Processes(env));
      assert.equal(found.length, 1, found.join("\n"));
      assert.match(found[0]!, /the input "closed", http:\/\/127.*: its server shows it to nobody without a name/);
      assert.equal(withName, false);
    } finally {
      await server.stop();
    }
  });
});
