import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { contentHash, derivationAttribute, parseFlakeReference } from "../../components/deploy/flake.mjs";
import { failureOf, temporaryFolder } from "./support";

describe("a flake reference of a deployment", () => {
  const cases: [string, string | undefined, "path" | "git"][] = [
    ["path:./nix#default", "nix", "path"],
    ["path:/srv/flake#default", "/srv/flake", "path"],
    ["path:.?dir=nix#default", "nix", "path"],
    ["./nix#default", "nix", "git"],
    [".#default", ".", "git"],
    ["git+file:.?dir=nix#default", "nix", "git"],
    ["git+file:///srv/repository?dir=nix&ref=main#default", "/srv/repository/nix", "git"],
    ["github:owner/name?dir=nix#default", undefined, "git"],
    ["git+ssh://git@github.com/owner/name?dir=nix#default", undefined, "git"],
  ];
  for (const [reference, folder, kind] of cases) {
    it(`finds the folder of ${reference}: ${folder ?? "none here"}`, () => {
      assert.deepEqual(parseFlakeReference(reference), {
        reference,
        flake: reference.replace("#default", ""),
        attribute: "default",
        folder,
        kind,
      });
    });
  }

  it("becomes the attribute that nixos-rebuild evaluates, too", () => {
    assert.equal(
      derivationAttribute(parseFlakeReference("path:./nix#web")),
      'path:./nix#nixosConfigurations."web".config.system.build.toplevel.drvPath',
    );
  });
});

describe("the hash of a flake's content", () => {
  let folder: string;
  beforeEach(() => {
    folder = temporaryFolder();
    fs.mkdirSync(path.join(folder, "www"));
    for (const [file, content] of [
      ["flake.nix", "{ }"],
      ["flake.lock", "{}"],
      ["www/index.html", "page"],
    ] as const) {
      fs.writeFileSync(path.join(folder, file), content);
    }
  });
  afterEach(() => fs.rmSync(folder, { recursive: true }));

  const hash = (attribute = "default", kind: "path" | "git" = "path", files: string[] = []) =>
    contentHash({ reference: "", flake: "", attribute, folder, kind }, () => Promise.resolve({ root: folder, files }));

  it("stays when nothing changes but times", async () => {
    const before = await hash();
    fs.utimesSync(path.join(folder, "flake.nix"), 1, 1);
    assert.equal(await hash(), before);
  });

  const changes: Record<string, (folder: string) => void> = {
    "a file's content": (at) => fs.writeFileSync(path.join(at, "www/index.html"), "other"),
    "the lock file": (at) => fs.writeFileSync(path.join(at, "flake.lock"), '{"version":7}'),
    "a new file": (at) => fs.writeFileSync(path.join(at, "www/new"), ""),
    "a removed file": (at) => fs.rmSync(path.join(at, "www/index.html")),
    "a file's name": (at) => fs.renameSync(path.join(at, "www/index.html"), path.join(at, "www/other.html")),
    "an empty folder": (at) => fs.mkdirSync(path.join(at, "www/empty")),
    "the executable bit": (at) => fs.chmodSync(path.join(at, "flake.nix"), 0o755),
    "a file that becomes a link": (at) => {
      fs.rmSync(path.join(at, "www/index.html"));
      fs.symlinkSync("page", path.join(at, "www/index.html"));
    },
    "content that moves into a name": (at) => {
      fs.rmSync(path.join(at, "www/index.html"));
      fs.writeFileSync(path.join(at, "www/index.htmlpage"), "");
    },
  };
  for (const [what, change] of Object.entries(changes)) {
    it(`changes with ${what}`, async () => {
      const before = await hash();
      change(folder);
      assert.notEqual(await hash(), before);
    });
  }

  it("changes with a file whose name is no text", async () => {
    const name = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff])]);
    fs.writeFileSync(name, "x");
    const before = await hash();
    fs.writeFileSync(name, "y");
    assert.notEqual(await hash(), before);
  });

  it("changes with the attribute", async () => {
    assert.notEqual(await hash("default"), await hash("other"));
  });

  it("of a Git flake covers the tracked files as they are, and no others", async () => {
    const tracked = ["flake.nix", "www/index.html"];
    const before = await hash("default", "git", tracked);
    fs.writeFileSync(path.join(folder, "untracked"), "");
    assert.equal(await hash("default", "git", [...tracked].reverse()), before);
    fs.writeFileSync(path.join(folder, "www/index.html"), "not committed");
    assert.notEqual(await hash("default", "git", tracked), before);
    fs.rmSync(path.join(folder, "www/index.html"));
    assert.notEqual(await hash("default", "git", tracked), before);
  });

  it("fails, naming the folder, where there is no flake", async () => {
    fs.rmSync(path.join(folder, "flake.nix"));
    assert.ok((await failureOf(() => hash())).message.includes(JSON.stringify(folder)));
  });
});
